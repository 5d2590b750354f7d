"""Writes nodes as YAML that gives the same kinds, source texts and order when it is read. It uses no aliases."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dockercise_prefect.frontend.core_schema import kind_of_plain
from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar, ScalarKind, Sequence

_INDENT = "  "

_LONGEST_KEY = 500
"""The most characters of a key that is on one line with its value. YAML allows 1,024 for such a key, including escapes."""

_TAGS: dict[ScalarKind, str] = {"text": "!!str", "null": "!!null", "bool": "!!bool", "number": "!!float"}

_PLAIN = re.compile(r"[A-Za-z0-9_/$(+.-](?:[^:#]|:(?=\S)|(?<=\S)#)*\Z")
"""Texts that do not begin with an indicator of YAML, and that contain neither `: ` nor ` #`."""

_OLD_WORDS = frozenset("y n yes no on off".split())  # noqa: SIM905  a table
"""Texts that YAML 1.1 reads as booleans; they are always quoted."""

_ESCAPES = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\t": r"\t", "\r": r"\r"}


def to_yaml(document: Mapping) -> str:
    """A document's text in block style, with scripts as literal blocks if YAML can represent them in this way."""
    return "".join(line + "\n" for line in _mapping(document, ""))


def _mapping(node: Mapping, indent: str) -> Iterator[str]:
    for key, value in node:
        text = _flat(key)
        if len(text) > _LONGEST_KEY:
            yield f"{indent}? {text}"
            yield from _after(f"{indent}:", value, indent)
        else:
            yield from _after(f"{indent}{text}:", value, indent)


def _sequence(node: Sequence, indent: str) -> Iterator[str]:
    for item in node.items:
        yield from _after(f"{indent}-", item, indent)


def _after(head: str, node: Node, indent: str) -> Iterator[str]:
    """A value after `key:` or `-`. A value with more than one line is written below it, with more indentation."""
    match node:
        case Mapping(entries=()):
            yield f"{head} {{}}"
        case Sequence(items=()):
            yield f"{head} []"
        case Mapping():
            yield head
            yield from _mapping(node, indent + _INDENT)
        case Sequence():
            yield head
            yield from _sequence(node, indent + _INDENT)
        case Scalar(kind="null", text=""):
            yield head
        case Scalar(kind="text", text=text) if _fits_block(text):
            yield from _block(head, text, indent + _INDENT)
        case Scalar():
            yield f"{head} {_flat(node)}"


def _flat(node: Scalar) -> str:
    """A scalar on one line."""
    text, kind = node.text, node.kind
    if kind == "text":
        return text if _fits_plain(text) else _quoted(text)
    # A tag may have turned any text into a number. Then a tag is needed again.
    plain = text and kind_of_plain(text) == kind
    return text if plain else f"{_TAGS[kind]} {_quoted(text)}"


def _fits_plain(text: str) -> bool:
    return (
        text.isprintable()
        and not text.endswith((" ", ":"))
        and _PLAIN.match(text) is not None
        and not text.startswith(("---", "...", "- "))
        and text != "-"
        and text.lower() not in _OLD_WORDS
        and kind_of_plain(text) == "text"
    )


def _fits_block(text: str) -> bool:
    """Whether the text has several lines, a literal block can hold it exactly, and its first line shows the indentation."""
    return "\n" in text and text[0] not in " \t\n" and all(line.replace("\t", "").isprintable() for line in text.split("\n"))


def _block(head: str, text: str, indent: str) -> Iterator[str]:
    lines = text.split("\n")
    ends = len(text) - len(text.rstrip("\n"))
    chomping = "-" if ends == 0 else "" if ends == 1 else "+"
    yield f"{head} |{chomping}"
    for line in lines if ends == 0 else lines[:-1]:
        yield indent + line if line else ""


def _quoted(text: str) -> str:
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004  YAML's forms
