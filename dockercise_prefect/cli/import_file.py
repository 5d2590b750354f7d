"""`import`: makes a draft of a pipeline of a file of another system."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click

from dockercise_prefect.cli.writing import write_atomically, write_new
from dockercise_prefect.errors import UsageError
from dockercise_prefect.frontend.discover import MAX_BYTES, SUFFIXES, Source
from dockercise_prefect.frontend.findings import printable
from dockercise_prefect.importing import Draft, Kind, Outcome, imported

_STDOUT = Path("-")


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--from", "kind", type=click.Choice([kind.value for kind in Kind]), help="The system; by default, path and content show it."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write there instead of beside FILE; `-` is standard output."
)
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@click.option("--json", "as_json", is_flag=True, help="Print what was kept, changed and left out as JSON.")
def import_file(file: Path, kind: str | None, output: Path | None, *, force: bool, as_json: bool) -> None:
    """Turn FILE of Woodpecker, Drone, GitLab CI, CircleCI or GitHub Actions into a draft of a pipeline.

    The draft compiles, but read it before you use it: where something has no counterpart or is a guess, there is a comment.
    Secrets become names of variables.

    The table of what was kept, changed and left out goes to standard output, or to standard error with `-o -`.
    """
    draft = imported(_source(file), Kind(kind) if kind else None)
    if output == _STDOUT:
        click.echo(draft.text, nl=False)
        _show(draft, None, as_json=as_json)
        return
    target = _target(file, output)
    if force:
        write_atomically(target, draft.text)
    else:
        _write_new(target, draft.text)
    _show(draft, target, as_json=as_json)


def _source(file: Path) -> Source:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise UsageError(f"{file} has more than {MAX_BYTES:,} bytes", "import a part of it")
    return Source(file.as_posix(), data)


def _target(file: Path, output: Path | None) -> Path:
    """`.gitlab-ci.yml` becomes `gitlab-ci.dockercise.yaml` beside it."""
    name = f"{file.stem.lstrip('.') or 'pipeline'}{SUFFIXES[0]}"
    if output is None:
        return file.parent / name
    return output / name if output.is_dir() else output


def _write_new(target: Path, text: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_new(target, text)
    except FileExistsError as error:
        raise UsageError(f"{target} exists", "`--force` replaces it, `-o FILE` writes to another place") from error
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}", "choose another place with `-o FILE`") from error


def _show(draft: Draft, target: Path | None, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_as_json(draft, target), indent=2, ensure_ascii=False), err=target is None)
        return
    for line in _lines(draft, target):
        click.echo(line, err=target is None)


def _lines(draft: Draft, target: Path | None) -> Iterator[str]:
    rows = [
        (
            f"{note.place.line}:{note.place.column}",
            note.outcome.value,
            f"{printable(note.job)}: {note.what}" if note.job else note.what,
            note.text,
        )
        for note in draft.notes
    ]
    place, outcome, what = (max((len(row[column]) for row in rows), default=0) for column in range(3))
    for row in rows:
        yield f"{row[0]:<{place}}  {row[1]:<{outcome}}  {row[2]:<{min(what, 40)}}  {row[3]}".rstrip()
    count = Counter(note.outcome for note in draft.notes)
    counted = ", ".join(f"{count[outcome]} {outcome}" for outcome in Outcome)
    stages = "1 stage" if draft.stages == 1 else f"{draft.stages:,} stages"
    yield f"{draft.kind.system}: {stages}; {counted}"
    if draft.outside:
        yield f"variables from outside: {', '.join(draft.outside)}"
    if target is not None:
        yield f"wrote {target}; this is a draft: read its comments, then `dockercise lint -C {target.parent}`"


def _as_json(draft: Draft, target: Path | None) -> dict[str, object]:
    return {
        "kind": draft.kind.value,
        "output": None if target is None else target.as_posix(),
        "stages": draft.stages,
        "outside": list(draft.outside),
        "notes": [
            {
                "outcome": note.outcome.value,
                "job": note.job,
                "what": note.what,
                "text": note.text,
                "line": note.place.line,
                "column": note.place.column,
            }
            for note in draft.notes
        ],
    }
