"""Writes the stages as YAML, with a comment for everything that is not as it was."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping

from dockercise_prefect.frontend.findings import printable
from dockercise_prefect.frontend.nodes import Mapping as MappingNode
from dockercise_prefect.frontend.yaml_text import to_yaml
from dockercise_prefect.importing.assembling import Assembled, Stage
from dockercise_prefect.importing.notes import Note, Outcome
from dockercise_prefect.importing.values import Value, node_of

_WIDTH = 118
_INDENT = "  "
_SILENT = frozenset({Outcome.KEPT})


def written(assembled: Assembled, notes: Iterable[Note], title: str) -> str:
    """The text of the file.

    Args:
        assembled: the stages.
        notes: all notes; those of jobs that are not stages any more stand at the top.
        title: what was imported, for the first line.
    """
    told = [note for note in notes if note.outcome not in _SILENT]
    stages = {stage.job for stage in assembled.stages}
    heading = [
        f"A draft, imported from {printable(title)}. Read it before you use it: a comment says where it is not as it was.",
        *_outside(assembled.outside),
        *(_line(note, named=True) for note in told if note.job not in stages or note.job is None),
    ]
    lines = [*_comments(heading, ""), "", *_entries({"meta": assembled.meta}, "")]
    for stage in assembled.stages:
        lines += ["", *_stage(stage, [note for note in told if note.job == stage.job and stage.job is not None])]
    return "\n".join(lines) + "\n"


def _outside(names: Iterable[str]) -> Iterator[str]:
    listed = ", ".join(names)
    if listed:
        yield f"It takes these variables from outside, with `--env NAME`, `--env-file` or Prefect Secret blocks: {listed}."


def _stage(stage: Stage, notes: list[Note]) -> Iterator[str]:
    yield from _comments((_line(note, named=False) for note in notes), "")
    if not stage.keys:
        yield from _entries({stage.name: {}}, "")
        return
    yield from _entries({stage.name: None}, "")
    for key, value in stage.keys.items():
        head, *rest = _entries({key: value}, _INDENT)
        yield from (head.replace(f'{_INDENT}"on":', f"{_INDENT}on:", 1), *rest)  # quotes are for older readers of YAML


def _line(note: Note, *, named: bool) -> str:
    job = f"{printable(note.job)}: " if named and note.job else ""
    return f"{note.outcome}: {job}{note.what} (line {note.place.line}): {note.text}"


def _comments(texts: Iterable[str], indent: str) -> Iterator[str]:
    for text in texts:
        lines = textwrap.wrap(text, _WIDTH - len(indent), break_long_words=False, break_on_hyphens=False)
        yield from (f"{indent}# {'' if n == 0 else '  '}{line}" for n, line in enumerate(lines))


def _entries(value: Mapping[str, Value], indent: str) -> list[str]:
    node = node_of(value)
    assert isinstance(node, MappingNode)  # noqa: S101  what a mapping becomes
    return [indent + line if line else "" for line in to_yaml(node).splitlines()]
