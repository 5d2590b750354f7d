"""The options of `run` that take up a recorded run, and the command for it that a failed run prints."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import click

from dockercise_prefect.cli.completion import complete_runs, complete_stages
from dockercise_prefect.errors import UsageError, did_you_mean
from dockercise_prefect.orchestration.reuse.resume import Resume, passed_in
from dockercise_prefect.pipeline import Pipeline, StageName
from dockercise_prefect.pipeline.parameters.values import Value
from dockercise_prefect.results.opening import open_objects
from dockercise_prefect.results.reading.records import Records
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.settings import Settings
from dockercise_prefect.status import RunStatus, StageStatus

Command = TypeVar("Command", bound=Callable[..., object])


def takes_resume(command: Command) -> Command:
    """Add `--resume`, `--from` and `--only`. The function gets them as `resume`, `begin` and `only`."""
    help_of_from = "With --resume: run STAGE and what comes after it; take the rest as it was there."
    help_of_only = "With --resume: run only STAGE; take what it needs as it was there."
    help_of_resume = "Run only what did not pass in RUN; can be repeated: a stage is taken from the first run that has it."
    resume = click.option("--resume", metavar="RUN", multiple=True, shell_complete=complete_runs, help=help_of_resume)
    begin = click.option("--from", "begin", metavar="STAGE", shell_complete=complete_stages, help=help_of_from)
    only = click.option("--only", metavar="STAGE", shell_complete=complete_stages, help=help_of_only)
    return resume(begin(only(command)))


def resume_of(
    pipeline: Pipeline, settings: Settings, wanted: Sequence[str], begin: str | None, only: str | None
) -> Resume | None:
    """The recorded runs that are resumed; None if none is.

    Args:
        pipeline: the pipeline as it is now.
        settings: say where records are.
        wanted: what the user calls each run: its id, the beginning of one, or `last`.
        begin: the stage of `--from`.
        only: the stage of `--only`.

    Raises:
        UsageError: the run or the stage does not exist, or two options exclude each other.
        StorageError: the place of the results cannot be read.
    """
    if not wanted:
        if begin is not None or only is not None:
            raise UsageError("--from and --only need --resume, which says where the rest is taken from", "add `--resume RUN`")
        return None
    if begin is not None and only is not None:
        raise UsageError("--from and --only both choose what runs", "use one of them")
    named = begin or only
    if named is not None and named not in pipeline.by_name and named not in pipeline.instances:
        meant = did_you_mean(named, [*pipeline.by_name, *pipeline.instances])
        hint = f"did you mean `{meant}`?" if meant else "`dockercise compile --format text` lists the stages"
        raise UsageError(f"the pipeline has no stage `{named}`", hint)
    records = Records(open_objects(settings.results, settings), pipeline.name)
    runs = [passed_in(records.find(one)) for one in wanted]
    if named is None:
        return Resume(runs=runs)
    afresh = frozenset(pipeline.named([named]))
    changing = afresh if begin is None else _and_after(afresh, pipeline)
    return Resume(runs=runs, as_it_was=frozenset(pipeline.by_name.keys() - changing), afresh=afresh)


def recorded_parameters(pipeline: Pipeline, settings: Settings, wanted: Sequence[str]) -> dict[str, Value]:
    """The values that the first of the runs that are resumed has given to parameters of the pipeline.

    Raises:
        UsageError: no run has that id.
        StorageError: the place of the results cannot be read.
    """
    if not wanted or not pipeline.parameters:
        return {}
    earlier = Records(open_objects(settings.results, settings), pipeline.name).find(wanted[0]).index()
    declared = {one.name for one in pipeline.parameters}
    return {
        one.name: one.default for one in earlier.parameters if one.is_given and one.default is not None and one.name in declared
    }


def how_to_resume(summary: RunSummary, root: str | None) -> str | None:
    """The command that resumes a run; None if there is nothing to resume.

    Args:
        summary: of the run.
        root: the folder of the pipeline, if the user named one.
    """
    ends = {stage.status for stage in summary.stages.values()}
    is_left = any(not end.succeeded for end in ends)
    if summary.status is RunStatus.PASSED or not is_left or ends.isdisjoint({StageStatus.PASSED, StageStatus.CACHED}):
        return None
    folder = "" if root is None else f" -C {shlex.quote(root)}"
    return f"to resume: dockercise run{folder} --resume {summary.run_id}"


def _and_after(names: Iterable[StageName], pipeline: Pipeline) -> set[StageName]:
    """The stages, and all that come after them."""
    found = {*names}
    for stage in pipeline:
        if found.intersection(stage.needs):
            found.add(stage.name)
    return found
