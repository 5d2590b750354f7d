"""Rules about scripts that the shell does not read as they look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dockercise_prefect.compiler.lint.subject import Subject
from dockercise_prefect.errors import Diagnostic
from dockercise_prefect.frontend.findings import warning
from dockercise_prefect.pipeline import Code

if TYPE_CHECKING:
    from tree_sitter import Node

    from dockercise_prefect.compiler.shell.parse import Parsed

_NO_CHANGE = re.compile(r"#![ \t]*(?:/usr)?/bin/(?:env[ \t]+)?sh(?:[ \t]+-e)?[ \t]*\Z")
"""Shebangs that name what runs the script anyway."""

_ENDS = {
    "fi": "an `if` without its `fi`",
    "done": "a loop without its `done`",
    "esac": "a `case` without its `esac`",
    "heredoc_end": "a here-document without its last line",
    ")": "a `(` without its `)`",
    "}": "a `{` without its `}`",
    "`": "a backtick without a second one",
    '"': 'a `"` without a second one',
}

_WORDS = (("if", "fi"), ("case", "esac"))


def shebang_without_effect(subject: Subject) -> Iterator[Diagnostic]:
    """DK113: a script begins with `#!`, which names another interpreter or options that nobody heeds."""
    for stage in subject.pipeline:
        first = (stage.run or "").partition("\n")[0].rstrip("\r")
        if first.startswith("#!") and not _NO_CHANGE.match(first):
            yield warning(
                Code.SHEBANG_WITHOUT_EFFECT,
                f"{stage.name}: the line `{first}` has no effect: `/bin/sh` runs the script",
                subject.script_place(stage, 0),
                hint="for another program write `bash -e <<'END'` and the script below it, `END` at its end; "
                "or run a file of the code: `bash code/script.sh`",
            )


def left_open(subject: Subject) -> Iterator[Diagnostic]:
    """DK114: a script ends before an `if`, a loop, a quote, a bracket or a here-document of it does."""
    from dockercise_prefect.compiler.shell.parse import parse  # noqa: PLC0415  the grammar takes 30 ms

    seen: dict[str, tuple[str, int] | None] = {}
    for stage in subject.pipeline:
        if stage.run is None:
            continue
        if stage.run not in seen:
            seen[stage.run] = _open(parse(stage.run))
        found = seen[stage.run]
        if found is not None:
            what, offset = found
            yield warning(
                Code.LEFT_OPEN,
                f"{stage.name}: the script ends inside {what}",
                subject.script_place(stage, offset),
                hint="close it; the shell refuses such a script, or reads to its end",
            )


def _open(script: Parsed) -> tuple[str, int] | None:
    """What a script leaves open, and the character where that begins; None where it is understood, or nobody can tell."""
    end = len(script.data.rstrip())
    has_heredocs = b"<<" in script.data  # the grammar understands some that the shell does not
    waiting = [script.root]
    while waiting:
        node = waiting.pop()
        what = _open_here(node, script, end)
        if what is not None:
            begins = node.parent.start_byte if node.is_missing and node.parent is not None else node.start_byte
            return what, len(script.data[:begins].decode("utf-8", "surrogatepass"))
        if node.has_error or has_heredocs:
            waiting.extend(reversed(node.children))
    return None


def _open_here(node: Node, script: Parsed, end: int) -> str | None:
    if node.is_missing and node.start_byte >= end:
        return _ENDS.get(node.type)
    if node.type == "heredoc_redirect":
        return _unended(node, script)
    if not node.is_error or node.end_byte < end:
        return None
    return _open_text(script.text(node))


def _open_text(text: str) -> str | None:
    """What the last part of a script opens and does not close."""
    if text[:1] in {"'", '"'}:
        is_odd = len(re.findall(rf"(?<!\\){text[0]}" if text[0] == '"' else "'", text)) % 2
        return f"a quote, `{text[0]}`, without a second one" if is_odd else None
    if text.startswith(("${", "{")):
        return None if "}" in text else _ENDS["}"]
    for opens, closes in _WORDS:
        if text.startswith(opens) and len(re.findall(rf"\b{opens}\b", text)) > len(re.findall(rf"\b{closes}\b", text)):
            return _ENDS[closes]
    return None


def _unended(node: Node, script: Parsed) -> str | None:
    """A here-document whose last line is indented: only `<<-` lets it be, by tabs."""
    ends = next((child for child in node.children if child.type == "heredoc_end" and not child.is_missing), None)
    if ends is None:
        return None
    line = script.data[script.data.rfind(b"\n", 0, ends.start_byte) + 1 : ends.start_byte]
    allowed = b"\t" if any(child.type == "<<-" for child in node.children) else b""
    return "a here-document: its last line is indented" if line.strip(allowed) or (line and not allowed) else None
