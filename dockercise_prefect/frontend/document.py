"""Reads one file's text into nodes with places: YAML 1.2's core schema, read by libyaml (LANGUAGE section 1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import yaml

from dockercise_prefect.errors import Place
from dockercise_prefect.frontend.convert import Converter, TooBigError
from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Mapping, Node, Position, Scalar, is_null
from dockercise_prefect.frontend.yaml_errors import problem_of
from dockercise_prefect.pipeline import Code

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML was built without libyaml: slower, otherwise the same
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]  # the same interface

Loader = _Loader
"""The reader of YAML: libyaml's, if it is there."""

_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""Characters that YAML forbids, and line ends of YAML 1.1 that are not line ends in an editor."""


@dataclass(frozen=True, slots=True)
class Document:
    """One file or package that could be read: its text, and the nodes in it; `body` is None if it is empty."""

    path: str
    text: str
    body: Mapping | None

    @property
    def meta(self) -> Mapping | None:
        """Its `meta`; None if it has none, or one that is not a mapping."""
        meta = self.body.by_key.get("meta") if self.body else None
        return meta if isinstance(meta, Mapping) else None


def read_document(source: Source, findings: Findings) -> Document | None:
    """Check and read one file.

    A byte-order mark and CRLF are accepted. Anchors, aliases and `<<` are resolved.

    Returns:
        The document, or None if the file could not be read as a whole; the findings say why.
    """
    text = decoded(source, findings)
    if text is None:
        return None
    bodies: list[Node | None] = []
    with problems_of_yaml(source.path, text, findings):
        bodies.append(_read(text, source.path, findings))
    if not bodies:
        return None
    body = bodies[0]
    if body is None or isinstance(body, Mapping) or is_null(body):
        return Document(source.path, text, body if isinstance(body, Mapping) else None)
    findings.error(
        Code.NO_STAGES,
        "a file must map names of stages to stages, but this one does not",
        body.place,
        hint="write `name-of-stage:` and below it, indented, `img: …` and `run: …`",
    )
    return None


@contextmanager
def problems_of_yaml(path: str, text: str, findings: Findings) -> Iterator[None]:
    """Report what makes a text unreadable, at its place, and go on after the block."""
    try:
        yield
    except TooBigError as error:
        message, hint = f"this document is too complex: {error}", "use fewer aliases, or fewer levels of nesting"
        findings.error(Code.TOO_BIG, message, Place(path, 1, 1), hint=hint)
    except yaml.MarkedYAMLError as error:
        problem = problem_of(error, text, path)
        findings.error(Code.NOT_YAML, problem.message, problem.place, hint=problem.hint)


def decoded(source: Source, findings: Findings) -> str | None:
    """The file's text without its byte-order mark; None if it is not plain UTF-8, which is reported (DK002)."""
    try:
        text = source.data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = source.data[: error.start].decode("utf-8").removeprefix("\ufeff")
        message = f"byte 0x{source.data[error.start]:02x} is not UTF-8"
        findings.error(Code.NOT_TEXT, message, _at_end(before, source.path), hint="save the file as UTF-8")
        return None
    bad = _NOT_TEXT.search(text)
    if bad is None:
        return text
    findings.error(
        Code.NOT_TEXT,
        f"the character U+{ord(bad[0]):04X} is not allowed in a YAML file",
        _at_end(text[: bad.start()], source.path),
        hint=rf'in double quotes it can be written "\u{ord(bad[0]):04x}"' if bad[0] > "\0" else "is this a text file?",
    )
    return None


def _at_end(text: str, path: str) -> Place:
    return Scalar(path, Position.end_of(text), "").place


def _read(text: str, path: str, findings: Findings) -> Node | None:
    loader = Loader(text)
    try:
        return Converter(path, text, loader.get_event, findings).document()
    finally:
        loader.dispose()
