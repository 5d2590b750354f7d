"""One file's text to nodes with places: YAML 1.2's core schema, read by libyaml (LANGUAGE section 1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from dockercise_prefect.errors import Place
from dockercise_prefect.frontend.convert import KINDS, Converter, TooBigError
from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Mapping, ScalarKind, is_null
from dockercise_prefect.pipeline import Code

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML was built without libyaml: slower, otherwise the same
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

MAX_DEPTH = 64
"""Nobody nests deeper by hand; libyaml's own recursion ends in a crash at some thousands."""

_CORE = (
    (re.compile(r"(?:~|null|Null|NULL|)\Z"), "tag:yaml.org,2002:null"),
    (re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), "tag:yaml.org,2002:bool"),
    (re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"), "tag:yaml.org,2002:int"),
    (re.compile(r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"),
     "tag:yaml.org,2002:float"),
    (re.compile(r"<<\Z"), "tag:yaml.org,2002:merge"),
)  # fmt: skip

_SPECIAL = frozenset("~nNtTfF-+.0123456789<")
"""What a plain scalar begins with that may be more than a text."""

_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What YAML forbids, and the line ends of YAML 1.1 that an editor does not take for one."""

_HINTS = (
    ("cannot start any token", "a text that begins so needs quotes"),
    ("mapping values are not allowed", "a text that holds `: ` needs quotes; a key stands on a line of its own"),
    ("expected node content", "something is missing here: a value, or the quotes around it"),
    ("did not find expected key", "is the line above indented differently, or a quote not closed?"),
    ("expected '-' indicator", "the items of a list stand in one column, and nothing else does"),
    ("',' or ']'", "close the list with `]`"),
    ("',' or '}'", "close the mapping with `}`"),
    ("unexpected end of stream", "close the quote"),
    ("expected ':'", "a key ends in `:`"),
    ("undefined alias", "give the value an anchor first: `&name`"),
    ("duplicate anchor", "give each anchor a name of its own"),
    ("expected alphabetic or numeric", "a text that begins with `*` or `&` needs quotes"),
    ("unknown escape character", r"in double quotes write `\\` for a backslash, or use single quotes"),
)


def kind_of_plain(text: str) -> ScalarKind:
    """What YAML 1.2's core schema takes an unquoted scalar for."""
    return KINDS[_tag_of_plain(text)]


def _tag_of_plain(text: str) -> str:
    if not text or text[0] in _SPECIAL:
        for pattern, tag in _CORE:
            if pattern.match(text):
                return tag
    return "tag:yaml.org,2002:str"


@dataclass(frozen=True, slots=True)
class Document:
    """One file or package that could be read: its text, and what that says; `body` is None when it says nothing."""

    path: str
    text: str
    body: Mapping | None


class _Reader(_Loader):
    """Resolves plain scalars as YAML 1.2 does, so that `on`, `yes` and `22:22` are texts, and counts how deep it is."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
        """The tag of a node that has none of its own; called by the composer."""
        if kind is yaml.MappingNode:
            return "tag:yaml.org,2002:map"
        if kind is yaml.SequenceNode:
            return "tag:yaml.org,2002:seq"
        return _tag_of_plain(value or "") if implicit[0] else "tag:yaml.org,2002:str"

    def descend_resolver(self, current_node: yaml.Node | None, current_index: Any) -> None:
        """Called by the composer before each node; stops a document that would overflow the stack."""
        del current_node, current_index
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TooBigError(f"it is nested more than {MAX_DEPTH} deep")

    def ascend_resolver(self) -> None:
        """Called by the composer after each node."""
        self._depth -= 1


def read_document(source: Source, findings: Findings) -> Document | None:
    """Check and read one file.

    A byte-order mark and CRLF are taken as they come, anchors, aliases and `<<` are followed.

    Returns:
        None when the file could not be read as a whole; the findings say why.
    """
    text = _decode(source, findings)
    if text is None:
        return None
    try:
        root = _compose(text, source.path, findings)
        body = Converter(source.path, findings).convert(root) if root is not None else None
    except TooBigError as error:
        message, hint = f"this document is refused: {error}", "write it out without so many aliases"
        findings.error(Code.TOO_BIG, message, Place(source.path, 1, 1), hint=hint)
        return None
    except yaml.MarkedYAMLError as error:
        _report(error, text, source.path, findings)
        return None
    if body is None or isinstance(body, Mapping) or is_null(body):
        return Document(source.path, text, body if isinstance(body, Mapping) else None)
    findings.error(
        Code.NO_STAGES,
        "a file maps the names of stages to what they do, and this is something else",
        body.place,
        hint="write `name-of-stage:` and below it, indented, `img: …` and `run: …`",
    )
    return None


def _decode(source: Source, findings: Findings) -> str | None:
    try:
        text = source.data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = source.data[: error.start].decode("utf-8").removeprefix("\ufeff")
        message = f"byte 0x{source.data[error.start]:02x} is no UTF-8"
        findings.error(Code.NOT_TEXT, message, _at_end(before, source.path), hint="save the file as UTF-8")
        return None
    bad = _NOT_TEXT.search(text)
    if bad is None:
        return text
    findings.error(
        Code.NOT_TEXT,
        f"the character U+{ord(bad[0]):04X} cannot stand in a YAML file",
        _at_end(text[: bad.start()], source.path),
        hint=rf'in double quotes it can be written "\u{ord(bad[0]):04x}"' if bad[0] > "\0" else "is this a text file?",
    )
    return None


def _at_end(text: str, path: str) -> Place:
    lines = re.split(r"\r\n|\r|\n", text)
    return Place(path, len(lines), len(lines[-1]) + 1)


def _compose(text: str, path: str, findings: Findings) -> yaml.Node | None:
    loader = _Reader(text)
    try:
        root: yaml.Node | None = loader.get_node() if loader.check_node() else None
        if loader.check_node() and (second := loader.get_node()) is not None:
            mark = second.start_mark
            findings.error(
                Code.SECOND_DOCUMENT,
                "a second document begins here; a file holds one",
                Place(path, mark.line + 1, mark.column + 1),
                hint="put it into a file of its own, or take the `---` away",
            )
        return root
    finally:
        loader.dispose()


def _report(error: yaml.MarkedYAMLError, text: str, path: str, findings: Findings) -> None:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    first_of_two, two, _ = (error.context or "").partition("; first occurrence")
    problem = first_of_two if two else error.problem or "it cannot be read"
    lines = re.split(r"\r\n|\r|\n", text)
    stands_on_tab = line < len(lines) and lines[line][: column + 1].strip(" ").startswith("\t")
    if stands_on_tab:
        findings.error(Code.NOT_YAML, "a tab cannot indent YAML", Place(path, line + 1, column + 1), hint="use spaces")
        return
    opened = error.context_mark
    since = f" (in what began in line {opened.line + 1})" if opened and opened.line != line else ""
    hint = next((advice for words, advice in _HINTS if words in problem), None)
    findings.error(Code.NOT_YAML, f"this is no YAML: {problem}{since}", Place(path, line + 1, column + 1), hint=hint)
