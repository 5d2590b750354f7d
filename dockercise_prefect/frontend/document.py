"""One file's text to nodes with places: YAML 1.2's core schema, read by libyaml (LANGUAGE section 1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from dockercise_prefect.errors import Place
from dockercise_prefect.frontend.convert import Converter, TooBigError
from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Mapping, Mark, Node, Position, Scalar, is_null
from dockercise_prefect.pipeline import Code

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML was built without libyaml: slower, otherwise the same
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]  # the same interface

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


@dataclass(frozen=True, slots=True)
class Document:
    """One file or package that could be read: its text, and what that says; `body` is None when it says nothing."""

    path: str
    text: str
    body: Mapping | None


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
        body = _read(text, source.path, findings)
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
    return Scalar(path, Position.end_of(text), "").place


def _read(text: str, path: str, findings: Findings) -> Node | None:
    loader = _Loader(text)
    try:
        return Converter(path, text, loader.get_event, findings).document()
    finally:
        loader.dispose()


def _report(error: yaml.MarkedYAMLError, text: str, path: str, findings: Findings) -> None:
    lines = re.split(r"\r\n|\r|\n", text)
    place = _inside(error.problem_mark or error.context_mark, lines, path)
    first_of_two, two, _ = (error.context or "").partition("; first occurrence")
    problem = first_of_two if two else error.problem or "it cannot be read"
    if lines[place.line - 1][: place.column].strip(" ").startswith("\t"):
        findings.error(Code.NOT_YAML, "a tab cannot indent YAML", place, hint="use spaces")
        return
    conflict = next((number for number, line in enumerate(lines, 1) if line.startswith(("<<<<<<< ", ">>>>>>> "))), None)
    if conflict is not None:
        findings.error(
            Code.NOT_YAML, "a merge conflict is left here", Place(path, conflict, 1), hint="keep one of the two sides"
        )
        return
    opened = error.context_mark
    since = f" (in what began in line {opened.line + 1})" if opened and opened.line != place.line - 1 else ""
    hint = next((advice for words, advice in _HINTS if words in problem), None)
    findings.error(Code.NOT_YAML, f"this is no YAML: {problem}{since}", place, hint=hint)


def _inside(mark: Mark | None, lines: list[str], path: str) -> Place:
    """The mark's place; the reader sets what is missing at the end of a file on a line below the last one."""
    if mark is None:
        return Place(path, 1, 1)
    if mark.line >= len(lines):
        return Place(path, len(lines), len(lines[-1]) + 1)
    return Place(path, mark.line + 1, min(mark.column, len(lines[mark.line])) + 1)
