"""`run`: compiles the pipeline below the root and runs it now."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NoReturn, TextIO

import click

from dockercise_prefect.cli.env_options import file_variables, given_variables, takes_variables
from dockercise_prefect.cli.findings import finding_lines
from dockercise_prefect.cli.options import refuse_folders, takes_offline, takes_run_basics
from dockercise_prefect.cli.package_sources import chosen_packages
from dockercise_prefect.cli.parameter_options import given_parameters, takes_parameters
from dockercise_prefect.cli.present import Presenter, QuietPresenter, presenter_for
from dockercise_prefect.cli.present.stream import ForgivingStream
from dockercise_prefect.cli.resuming import how_to_resume, recorded_parameters, resume_of, takes_resume
from dockercise_prefect.cli.untrusted import check_surroundings
from dockercise_prefect.collector import imports_kept
from dockercise_prefect.compiler import compile_folder
from dockercise_prefect.errors import DockerciseError, NothingToDoError, UsageError
from dockercise_prefect.orchestration.run.events import Waiting
from dockercise_prefect.orchestration.run.failure import ApiLostError, RunFailedError, RunInterruptedError, not_begun
from dockercise_prefect.orchestration.run.limits import within_trust
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.pipeline import Pipeline, bound
from dockercise_prefect.pipeline.selection import run_of
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.settings import Settings, read_settings
from dockercise_prefect.signals import OF_THE_COMMAND
from dockercise_prefect.status import RunStatus, StageStatus


@click.command
@takes_run_basics
@takes_variables
@takes_parameters
@click.option("--log-group", metavar="NAME", help="A CloudWatch log group that also gets the logs.")
@click.option("--aws", is_flag=True, help="Give every stage a private copy of your AWS folder.")
@click.option("--fail-fast", is_flag=True, help="Stop everything at the first failure.")
@takes_resume
@click.option("--no-cache", is_flag=True, help="Run stages with `cache` even if nothing has changed.")
@click.option("--fail-on-miss", is_flag=True, help="Let stages with `cache` fail that are not reused.")
@click.option("--untrusted", is_flag=True, help="Do not trust the pipeline: refuse what could do harm, and limit the rest.")
@takes_offline
@click.option("--quiet", is_flag=True, help="Show only failures and the last line.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on stdout; progress goes to stderr.")
def run(  # noqa: PLR0917  click gives each option as an argument
    targets: tuple[str, ...],
    root: Path | None,
    options: tuple[str, ...],
    files: tuple[Path, ...],
    given: tuple[str, ...],
    jobs: int | None,
    results: str | None,
    log_group: str | None,
    aws: bool,
    fail_fast: bool,
    resume: tuple[str, ...],
    begin: str | None,
    only: str | None,
    no_cache: bool,
    fail_on_miss: bool,
    untrusted: bool,
    offline: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run the pipeline below ROOT, or only the STAGEs and what they need.

    Clean-up stages (`when: always`, `when: failure`) that come after them run too.
    Containers run on your Docker engine; Prefect's UI shows the run, on a local server unless PREFECT_API_URL names one.
    Exit status: 0 passed, 1 a stage failed, 2 wrong definition or usage, 3 engine, Prefect or storage failed, 4 nothing to do,
    130 interrupted.
    """
    if no_cache and fail_on_miss:
        raise UsageError(
            "--no-cache and --fail-on-miss exclude each other: without the cache, no stage is reused", "use one of them"
        )
    settings = read_settings(jobs=jobs, results=results, log_group=log_group, root=root, untrusted=untrusted or None)
    folder = (settings.root or Path()).resolve()
    refuse_folders("run", targets)
    pipeline = _compiled(folder, given_parameters(given), settings, resume, offline=offline)
    resumed = resume_of(pipeline, settings, resume, begin, only)
    targets = (*targets, *([only] if only is not None else []))
    presenter = _presenter(quiet=quiet, as_json=as_json)
    how = RunOptions(
        settings=settings,
        aws=aws,
        fail_fast=fail_fast,
        no_cache=no_cache,
        fail_on_miss=fail_on_miss,
        resume=resumed,
        observer=presenter,
    )
    with closing(presenter):
        summary, failure = _run(pipeline, folder, targets, how, options, files)
    if as_json:
        _tell(sys.stdout, json.dumps(summary.to_json(), indent=2))
    stages = summary.stages.values()
    if failure is None and all(stage.status is StageStatus.SKIPPED and stage.approval is None for stage in stages):
        raise NothingToDoError("nothing to do: every stage is skipped")
    if failure is not None:
        is_lost = isinstance(failure, ApiLostError)
        is_news = isinstance(failure, ApiLostError) and failure.is_news  # it happened after the last line was printed
        if (command := how_to_resume(summary, None if root is None else str(root))) is not None:
            _tell(sys.stderr if as_json else sys.stdout, command)
        _say(failure, shown=summary.flow_run_id is not None and not is_news)
        if is_lost:
            _leave(failure.exit_status)
        raise SystemExit(failure.exit_status)


def _compiled(root: Path, given: Mapping[str, str], settings: Settings, resume: Sequence[str], *, offline: bool) -> Pipeline:
    """The pipeline with the values of its parameters. A run that is resumed keeps its values, unless others are given."""
    with chosen_packages(offline=offline, untrusted=settings.untrusted) as packages:
        compiled = compile_folder(root, packages=packages, parameters=given)
        earlier = recorded_parameters(compiled.pipeline, settings, resume)
        values = {**earlier, **given}
        if values != given:
            compiled = compile_folder(root, packages=packages, parameters=values)
    for line in finding_lines(compiled.warnings):
        _tell(sys.stderr, line)
    return bound(compiled.pipeline)


def _run(  # noqa: PLR0917  the arguments of the command
    pipeline: Pipeline,
    root: Path,
    targets: Sequence[str],
    how: RunOptions,
    options: Sequence[str],
    files: Sequence[Path],
) -> tuple[RunSummary, RunFailedError | None]:
    """Run the pipeline. Since it is compiled, there is always a summary, however the run ends (DESIGN section 3).

    Errors in the command are found before anything starts. Signals are held back until here, and again afterwards until
    everything is printed.
    """
    try:
        with OF_THE_COMMAND.released():
            return _launched(pipeline, root, targets, how, options, files)
    except KeyboardInterrupt:
        interrupted = RunInterruptedError(not_begun(pipeline, None, RunStatus.CANCELLED))
        return interrupted.summary, interrupted
    except DockerciseError as error:
        failure = RunFailedError(not_begun(pipeline, error.message, RunStatus.ERROR), error)
        return failure.summary, failure


def _launched(  # noqa: PLR0917  as above
    pipeline: Pipeline,
    root: Path,
    targets: Sequence[str],
    how: RunOptions,
    options: Sequence[str],
    files: Sequence[Path],
) -> tuple[RunSummary, RunFailedError | None]:
    if not pipeline.stages:
        raise NothingToDoError(f"nothing to do: no stage below {root}")
    within_trust(run_of(pipeline, targets), how)
    if how.settings.untrusted:
        check_surroundings(root, files)
    how = replace(how, flags=given_variables(options), file_variables=file_variables(files))
    return _launch(pipeline, root, targets, how)


def _say(failure: RunFailedError, *, shown: bool) -> None:
    """Print the parts of our error that are not in the last line of the run; all of it if there was no last line."""
    told = str(failure.cause or "")
    rest = told.partition("\n")[2] if shown else told
    if rest:
        _tell(sys.stderr, rest)


def _tell(stream: TextIO, text: str) -> None:
    """Print, unless the stream is closed. The exit status also shows how the run ended."""
    forgiving = ForgivingStream(stream)
    forgiving.write(f"{text}\n")
    forgiving.flush()


def _presenter(*, quiet: bool, as_json: bool) -> Presenter:
    stream = sys.stderr if as_json else sys.stdout
    return QuietPresenter(stream) if quiet else presenter_for(stream)


def load_launch() -> Callable[[Pipeline, Path, Sequence[str], RunOptions], RunSummary]:
    """Import what runs a pipeline, and return it. The first time, this takes a second or two, because it imports Prefect."""
    # Prefect reads these when it is imported. The presenter already shows what Prefect would print.
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_INTERNAL_LEVEL", "CRITICAL")
    logging.raiseExceptions = False  # otherwise each log record is printed here if Prefect does not answer
    with imports_kept():
        from dockercise_prefect.orchestration.run.launch import launch

    return launch


def _launch(
    pipeline: Pipeline, root: Path, targets: Sequence[str], options: RunOptions
) -> tuple[RunSummary, RunFailedError | None]:
    options.observer(Waiting("Prefect to start"))
    with OF_THE_COMMAND.held():  # an exception inside would leave pydantic, which Prefect uses here, as another one
        launch = load_launch()
    try:
        return launch(pipeline, root, targets, options), None
    except RunFailedError as failure:
        return failure.summary, failure


def _leave(status: int) -> NoReturn:
    from dockercise_prefect.orchestration.prefect.api import leave_lost_api

    leave_lost_api(status)
