"""Rules about `$`: places where it is not expanded, and places where its meaning differs from other tools."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from dockercise_prefect.compiler.lint.subject import Subject, Written, scalars
from dockercise_prefect.compiler.shell.syntax import Expansion, Statement, Text
from dockercise_prefect.compiler.shell.traversal import all_words
from dockercise_prefect.errors import Diagnostic
from dockercise_prefect.frontend.findings import warning
from dockercise_prefect.frontend.nodes import Mapping, Scalar
from dockercise_prefect.pipeline import Code

_VARIABLE = re.compile(r"\$(?:[A-Z_][A-Z0-9_]*\b|\{[A-Za-z_][A-Za-z0-9_]*[}:?+-])")
"""A variable as it is written in scripts. Lower-case names need braces, because `pa$word` is probably not a variable."""

_NAME_BEHIND = re.compile(r"\{[A-Za-z_]|[A-Za-z_]")


def stays_as_written(subject: Subject) -> Iterator[Diagnostic]:
    """DK111: a value of `env`, a build argument or `dir` names a variable, and nothing expands it there."""
    for key, owner, node, known in _texts(subject):
        found = next((one for one in _VARIABLE.finditer(node.text) if one[0].lstrip("$") not in known), None)
        if found is not None:
            yield warning(
                Code.STAYS_AS_WRITTEN,
                f"{owner}: `{found[0].rstrip(':?+-')}` in {key} is not expanded: only scripts expand variables",
                node.place,
                hint="expand it in the script; to pass the value of a stage, write `env: {NAME: {stage: STAGE}}`",
            )


def _texts(subject: Subject) -> Iterator[tuple[str, str, Scalar, Collection[str]]]:
    """Texts, each with its key, its owner, and the variables of a matrix that are expanded in it, as they can be written."""
    for written in subject.environments():
        yield from (("a value of `env`", written.owner, node, ()) for node in _literals(written))
    for stage in subject.pipeline:
        names = stage.env if stage.instance is not None else ()
        known = {form for name in names for form in (name, f"{{{name}}}")}
        directory, build = subject.written(stage, "dir"), subject.written(stage, "build")
        if directory is not None:
            yield from (("`dir`", directory.owner, node, known) for node in scalars(directory.node))
        arguments = build.node.by_key.get("args") if build is not None and isinstance(build.node, Mapping) else None
        if build is not None and isinstance(arguments, Mapping):
            yield from (("a build argument", build.owner, node, known) for _, node in arguments if isinstance(node, Scalar))


def _literals(written: Written) -> Iterator[Scalar]:
    if isinstance(written.node, Mapping):
        yield from (value for _, value in written.node if isinstance(value, Scalar))
    else:
        yield from (item for item in scalars(written.node) if "=" in item.text)


def doubles_the_dollar(subject: Subject) -> Iterator[Diagnostic]:
    """DK112: `$${NAME}` in a script. Other programs use it to escape the `$`, but in a shell `$$` is the id of the process."""
    for stage in subject.pipeline:
        script = subject.script(stage) if "$$" in (stage.script or "") else None
        for offset in _doubled(script.statements) if script is not None else ():
            yield warning(
                Code.DOUBLES_THE_DOLLAR,
                f"{stage.name}: the shell replaces `$$` with its process ID, and does not expand the name after it",
                subject.script_place(stage, offset),
                hint="write one `$`: only the shell expands variables here",
            )


def _doubled(statements: Sequence[Statement]) -> Iterator[int]:
    """The positions in a script of `$$` directly before a name."""
    for word in all_words(statements):
        for part, behind in pairwise(word.parts):
            is_id = isinstance(part, Expansion) and part.written == "$$"
            if is_id and isinstance(behind, Text) and behind.start == part.start + 2 and _NAME_BEHIND.match(behind.text):
                yield part.start
