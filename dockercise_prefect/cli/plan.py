"""`plan`: shows what a change does to the pipeline, and what would run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from dockercise_prefect.cli.compiling import compiled_below
from dockercise_prefect.cli.env_options import file_variables, given_variables, takes_variables
from dockercise_prefect.cli.options import chosen_root, takes_offline, takes_root
from dockercise_prefect.cli.outlook import Given, decisions
from dockercise_prefect.cli.package_sources import chosen_packages
from dockercise_prefect.cli.parameter_options import given_parameters, takes_parameters
from dockercise_prefect.cli.planned import Change, Planned, as_json, as_text
from dockercise_prefect.compiler import compile_sources
from dockercise_prefect.compiler.plan import compare, work
from dockercise_prefect.errors import DefinitionError, StorageError
from dockercise_prefect.frontend.discover import Source, shown
from dockercise_prefect.frontend.past_sources import sources_at
from dockercise_prefect.frontend.subgraphs import Packages
from dockercise_prefect.git.ask import Revision, find_revision
from dockercise_prefect.git.changes import changed_files
from dockercise_prefect.git.context import read_context
from dockercise_prefect.git.submodules import Unread
from dockercise_prefect.pipeline import Pipeline, RunContext, RunEvent, bound
from dockercise_prefect.pipeline.conditions import skipped_beforehand
from dockercise_prefect.pipeline.selection import run_of

_SHOW: Mapping[str, Callable[[Planned], str]] = {"text": as_text, "json": as_json}


@click.command
@takes_root
@click.option("--since", metavar="REV", help="The git revision to compare with: main, HEAD~1, a tag.")
@takes_variables
@takes_parameters
@click.option("--results", metavar="PLACE", help="Where earlier runs have left what stages with `cache` reuse.")
@click.option("--format", "format_name", type=click.Choice(list(_SHOW)), default="text", show_default=True)
@takes_offline
def plan(  # noqa: PLR0917  click gives each option as an argument
    root_argument: Path | None,
    root_option: Path | None,
    since: str | None,
    options: tuple[str, ...],
    files: tuple[Path, ...],
    given: tuple[str, ...],
    results: str | None,
    format_name: str,
    *,
    offline: bool,
) -> None:
    """Show what a run of the pipeline below ROOT would reuse, and why it would run the other stages with `cache`.

    With --since, compare the pipeline with the one at REV too, and show what a push of the change would run and why.
    Nothing is run, and your checkout stays as it is. The exit status is 0 even if nothing would run.
    """
    root = chosen_root(root_argument, root_option)
    known = Given(
        flags=given_variables(options),
        file_variables=file_variables(files),
        results=results,
        parameters=given_parameters(given),
    )
    revision = None if since is None else find_revision(root, since)
    context = read_context(root)
    with chosen_packages(offline=offline) as packages:
        pipeline = bound(compiled_below(root, packages, known.parameters))
        change = None if revision is None else _change(root, revision, pipeline, packages, context)
    if change is None:
        skipped = skipped_beforehand(pipeline, context, ())
    else:
        skipped = dict(change.work.skipped)
        context = _push(context, change.paths)
        runs = change.work.reasons or skipped
        pipeline = run_of(pipeline, list(change.work.targets)) if runs else replace(pipeline, stages=[], digest=None)
    stages = [stage.name for stage in pipeline if stage.name not in skipped]
    lines = {stage.name: stage.each.stage for stage in pipeline if stage.each is not None}
    try:
        planned = Planned(change, stages, skipped, decisions(pipeline, skipped, root, context, known), None, lines)
    except StorageError as error:
        note = f"nobody knows what would be reused, because what earlier runs left cannot be read: {error}"
        planned = Planned(change, stages, skipped, {}, note, lines)
    click.echo(_SHOW[format_name](planned).encode(), nl=False)


def _change(root: Path, revision: Revision, pipeline: Pipeline, packages: Packages, context: RunContext) -> Change:
    """What is different since the revision, and what a push of that would run."""
    earlier = _earlier(root, revision, pipeline, packages)
    changes = changed_files(root, revision)
    note = _note(earlier.note, [*earlier.unread, *changes.unread])
    todo = work(pipeline, _push(context, changes.paths))
    return Change(revision, compare(earlier.pipeline, pipeline), changes.paths, todo, note)


def _push(context: RunContext, paths: Sequence[str]) -> RunContext:
    return replace(context, event=RunEvent.PUSH, changed=paths)


@dataclass(frozen=True, slots=True)
class _Earlier:
    """The pipeline at the revision; or None, and why there is none."""

    pipeline: Pipeline | None
    note: str | None
    unread: Sequence[Unread] = ()


def _earlier(root: Path, revision: Revision, now: Pipeline, packages: Packages) -> _Earlier:
    unread: Sequence[Unread] = ()
    try:
        past = sources_at(root, revision)
        unread = past.unread
        if past.sources:
            return _Earlier(_as_then(past.sources, now, packages), None, unread)
    except DefinitionError as error:
        first = str(error.diagnostics[0]).partition("\n")[0]
        why = f"at {revision.name} the pipeline does not compile, so every stage counts as added: {first}"
        return _Earlier(None, why, unread)
    return _Earlier(None, f"at {revision.name} there was no pipeline here, so every stage counts as added", unread)


def _as_then(sources: Sequence[Source], now: Pipeline, packages: Packages) -> Pipeline:
    """The earlier pipeline with today's values, so that only what was written counts as changed."""
    then = compile_sources(sources, now.name, packages).pipeline
    declared = {one.name for one in then.parameters}
    given = {one.name: one.default for one in now.parameters if one.is_given and one.name in declared}
    earlier = compile_sources(sources, now.name, packages, given).pipeline if given else then
    return earlier if any(one.default is None for one in earlier.parameters) else bound(earlier)


def _note(why: str | None, unread: Iterable[Unread]) -> str | None:
    """What the user should know about parts that were left out, each submodule once; None if everything was read."""
    submodules = {left_out.path: left_out.why for left_out in unread}
    said = [f"the submodule {shown(path)} is left out: {reason}" for path, reason in sorted(submodules.items())]
    return ". ".join([*([why] if why else []), *said]) or None
