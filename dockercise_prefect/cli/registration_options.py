"""The options of a registration, and the registration itself, for all commands that register."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click
from click.core import ParameterSource

from dockercise_prefect.cli.findings import show_findings
from dockercise_prefect.errors import DefinitionError, UsageError
from dockercise_prefect.git.ask import SHORT_COMMIT
from dockercise_prefect.hosts.pull_requests import PullRequests
from dockercise_prefect.pipeline.run_context import RUN_VARIABLES
from dockercise_prefect.settings import read_settings
from dockercise_prefect.signals import as_interrupt

if TYPE_CHECKING:
    from dockercise_prefect.orchestration.registrations.deployments import Deployed
    from dockercise_prefect.orchestration.registrations.register import Found, RegisterRequest


class MakeRequest(Protocol):
    """Makes the request for a source from the user's options. A command can set other options by name."""

    def __call__(self, source: str, **others: object) -> RegisterRequest:
        """Return the request.

        Raises:
            UsageError: an option is wrong.
        """


def takes_registration(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a registration. The function gets them as `request`, a `MakeRequest`."""
    return _taking(command, (*_OPTIONS.values(), *_OPENING_OPTIONS), {})


def takes_registration_of_connected(command: Callable[..., None]) -> Callable[..., None]:
    """The same without the options for access and signed pushes, which a command that connects a repository sets itself."""
    return _taking(command, tuple(_OPTIONS.values()), dict.fromkeys(_OPENING_NAMES))


def takes_registration_in_stack(command: Callable[..., None]) -> Callable[..., None]:
    """The same for a repository that the host of a stack registers: the stack decides on the work pool and the records."""
    options = [_DEPLOYMENT_OPTION, *(option for name, option in _OPTIONS.items() if name not in {"name", *_OF_THE_STACK})]
    return _taking(command, options, dict.fromkeys(_OPENING_NAMES) | _OF_THE_STACK)


def given_options(context: click.Context) -> list[str]:
    """The options of a registration that stand on the command line, as the user wrote them: `--cron`."""
    names = {parameter.name: parameter.opts[0] for parameter in context.command.params if parameter.name in _NAMES}
    return [option for name, option in names.items() if context.get_parameter_source(str(name)) is ParameterSource.COMMANDLINE]


def carry_out(asked: RegisterRequest) -> None:
    """Check the repository, register it, and print what was found and created.

    Raises:
        DockerciseError: nothing was registered.
    """
    found, deployed, new = make(asked)
    for line in _told(found, deployed, new=new):
        click.echo(line)


def make(asked: RegisterRequest) -> tuple[Found, Deployed, bool]:
    """Check the repository, show findings, and register it.

    Returns:
        What was found, the deployment, and whether it is new.

    Raises:
        DockerciseError: nothing was registered.
    """
    from dockercise_prefect.orchestration.registrations.register import look, register

    try:
        with as_interrupt():
            found = look(asked, read_settings(), lambda text: click.echo(text, err=True))
    except DefinitionError as error:
        show_findings(error.diagnostics, "nothing registered")
        raise SystemExit(error.exit_status) from error
    show_findings(found.compiled.warnings)
    return found, *register(asked, found)


@contextmanager
def reporting() -> Iterator[None]:
    """Inside, the configured Prefect server is used, or the local one, which is started if needed."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    from dockercise_prefect.orchestration.prefect.api import prefect_api

    with prefect_api(read_settings().data, lambda text: click.echo(text, err=True)):
        yield


_OPTIONS = {
    "ref": click.option("--ref", metavar="NAME", help="The branch or tag to run; default: the repository's default branch."),
    "name": click.option("--name", metavar="NAME", help="The deployment's name; default: the repository's."),
    "crons": click.option("--cron", "crons", metavar="CRON", multiple=True, help="Run at these times, such as '0 3 * * *'."),
    "intervals": click.option(
        "--interval", "intervals", metavar="TIME", multiple=True, help="Run at this interval, such as 30m."
    ),
    "rrules": click.option("--rrule", "rrules", metavar="RULE", multiple=True, help="Run at the times of an iCalendar rule."),
    "timezone": click.option(
        "--timezone", metavar="ZONE", default="UTC", show_default=True, help="The time zone of --cron and --rrule."
    ),
    "unscheduled": click.option("--no-cron", "unscheduled", is_flag=True, help="Remove the deployment's schedules."),
    "targets": click.option(
        "--target", "targets", metavar="STAGE", multiple=True, help="Run only these stages, what they need and their clean-up."
    ),
    "variables": click.option(
        "--env", "variables", metavar="NAME=TEXT", multiple=True, help="A variable; everyone can read it in Prefect."
    ),
    "values": click.option(
        "--param", "values", metavar="NAME=VALUE", multiple=True, help="A value for a parameter of the pipeline."
    ),
    "secrets": click.option(
        "--secret", "secrets", metavar="NAME=BLOCK", multiple=True, help="A variable from a Prefect Secret block."
    ),
    "results": click.option("--results", metavar="PLACE", help="Where records go; default: the worker's setting."),
    "work_pool": click.option(
        "--work-pool", metavar="POOL", help="The work pool that runs it; default: `dockercise`, created when needed."
    ),
    "job_variables": click.option(
        "--job-variable",
        "job_variables",
        metavar="NAME=VALUE",
        multiple=True,
        help="A job variable of the work pool, such as image=…",
    ),
    "concurrency": click.option(
        "--concurrency", type=click.IntRange(min=1), metavar="N", help="The maximum number of runs at once."
    ),
    "on_overlap": click.option(
        "--on-overlap",
        type=click.Choice(["wait", "skip"]),
        default="wait",
        show_default=True,
        help="Let runs above --concurrency wait, or skip them.",
    ),
    "paused": click.option("--paused", is_flag=True, help="Start no scheduled runs until you resume the deployment."),
    "submodules": click.option("--submodules", is_flag=True, help="Also check out submodules."),
    "lfs": click.option("--lfs", is_flag=True, help="Also fetch LFS files."),
    "untrusted": click.option(
        "--untrusted", is_flag=True, help="Do not trust the pipeline: refuse what could do harm, and limit the rest."
    ),
    "branches": click.option(
        "--push-branch", "branches", metavar="GLOB", multiple=True, help="Branches whose pushes start runs; default: --ref."
    ),
    "tags": click.option(
        "--push-tag", "tags", metavar="GLOB", multiple=True, help="Tags whose pushes start runs; default: none."
    ),
    "pull_requests": click.option(
        "--pull-requests",
        type=click.Choice([one.value for one in PullRequests]),
        default=PullRequests.NEVER.value,
        show_default=True,
        help="Also run pull requests: those of this repository, or those of forks too, which are never trusted.",
    ),
    "fork_approval": click.option(
        "--fork-approval/--no-fork-approval",
        default=True,
        show_default=True,
        help="Let pull requests of forks wait until you say yes.",
    ),
}
"""The options by the parameters that they set."""

_DEPLOYMENT_OPTION = click.option(
    "--deployment", "name", metavar="NAME", help="The deployment's name; default: the repository's."
)
"""For commands whose `--name` is something else."""

_OF_THE_STACK: dict[str, Any] = {
    "results": None,
    "work_pool": None,
    "job_variables": (),
    "values": (),
    "pull_requests": PullRequests.NEVER.value,
    "fork_approval": True,
}

_OPENING_OPTIONS = (
    click.option("--credentials", metavar="BLOCK", help="The Secret block with a token or deploy key for the repository."),
    click.option("--pushed-as", metavar="URL", help="The repository's address in pushes, if it is not SOURCE."),
    click.option("--webhook-secret", metavar="BLOCK", help="The Secret block with the secret that signs pushes."),
    click.option("--statuses", metavar="BLOCK", help="The Secret block with a token that can send commit statuses."),
)


def _request(
    source: str,
    *,
    ref: str | None,
    name: str | None,
    crons: Sequence[str],
    intervals: Sequence[str],
    rrules: Sequence[str],
    timezone: str,
    unscheduled: bool,
    targets: Sequence[str],
    variables: Sequence[str],
    values: Sequence[str],
    secrets: Sequence[str],
    results: str | None,
    work_pool: str | None,
    job_variables: Sequence[str],
    concurrency: int | None,
    on_overlap: str,
    paused: bool,
    credentials: str | None,
    submodules: bool,
    lfs: bool,
    untrusted: bool,
    branches: Sequence[str],
    tags: Sequence[str],
    pull_requests: str,
    fork_approval: bool,
    pushed_as: str | None,
    webhook_secret: str | None,
    statuses: str | None,
    host_keys: Sequence[str] = (),
) -> RegisterRequest:
    from dockercise_prefect.cli.env_options import parse_env_option
    from dockercise_prefect.cli.parameter_options import given_parameters
    from dockercise_prefect.orchestration.registrations.deployments import DEFAULT_POOL, NOT_IN_NAMES
    from dockercise_prefect.orchestration.registrations.register import RegisterRequest
    from dockercise_prefect.orchestration.registrations.registration import Registration
    from dockercise_prefect.orchestration.registrations.timetable import Timetable
    from dockercise_prefect.repository.address import parse_address
    from dockercise_prefect.repository.branches import check_globs

    check_globs(branches, "--push-branch", "branch")
    check_globs(tags, "--push-tag", "tag")
    address = parse_address(source, Path.cwd())
    if pull_requests != PullRequests.ALL and not fork_approval:
        raise UsageError("--no-fork-approval is only for pull requests of forks", "add `--pull-requests all`, or remove it")
    timetable = Timetable(tuple(crons), tuple(intervals), tuple(rrules), timezone)
    if unscheduled and (crons or intervals or rrules):
        raise UsageError("--no-cron cannot be used with --cron, --interval or --rrule", "use one of them")
    timetable.schedules()  # report a wrong timetable before any other work
    if name is not None and (not name.strip() or set(name) & NOT_IN_NAMES):
        hint = f"choose a name without {' '.join(sorted(NOT_IN_NAMES))}"
        raise UsageError(f"`{name}` cannot be the name of a deployment", hint)
    pairs = (parse_env_option(option, os.environ.get) for option in variables)
    return RegisterRequest(
        registration=Registration(
            url=address.url,
            ref=ref,
            credentials=credentials,
            host_keys=tuple(host_keys),
            secrets=dict(_named_block(option) for option in secrets),
            submodules=submodules,
            lfs=lfs,
            untrusted=untrusted,
            pushed_as=parse_address(pushed_as, Path.cwd()).url if pushed_as else None,
            branches=tuple(branches),
            webhook_secret=webhook_secret,
            statuses=statuses,
            tags=tuple(tags),
            pull_requests=PullRequests(pull_requests),
            runs_forks_unasked=not fork_approval,
        ),
        name=name,
        timetable=timetable,
        targets=tuple(targets),
        env=dict(pair for pair in pairs if pair is not None),
        results=read_settings(results=results).results if results else None,
        work_pool=work_pool or DEFAULT_POOL,
        job_variables=dict(_job_variable(option) for option in job_variables),
        concurrency=concurrency,
        skip_overlapping=on_overlap == "skip",
        paused=paused,
        unscheduled=unscheduled,
        values=given_parameters(values),
    )


_NAMES = [name for name in signature(_request).parameters if name not in {"source", "host_keys"}]
"""The parameters that options set. Host keys are set by a command that knows them."""

_OPENING_NAMES = ("credentials", "pushed_as", "webhook_secret", "statuses")


def _taking(
    command: Callable[..., None], options: Sequence[Callable[..., Any]], fixed: Mapping[str, object]
) -> Callable[..., None]:
    @wraps(command)
    def with_request(**given: Any) -> None:
        mine = {**fixed, **{name: given.pop(name) for name in _NAMES if name not in fixed}}
        command(request=lambda source, **others: _request(source, **(mine | others)), **given)

    for option in reversed(options):
        with_request = option(with_request)
    return with_request


def _named_block(option: str) -> tuple[str, str]:
    name, separator, block = option.partition("=")
    if not (name and separator and block):
        raise UsageError(
            f"--secret: `{name}` does not name a Secret block", "write NAME=BLOCK, such as AWS_SECRET_ACCESS_KEY=aws-key"
        )
    if name.upper() in RUN_VARIABLES:
        raise UsageError(f"--secret: the run itself sets {name.upper()}", "remove it, or use a variable with another name")
    return name, block


def _job_variable(option: str) -> tuple[str, Any]:
    """As in `prefect deploy --job-variable`: the value is JSON if it can be parsed, otherwise text."""
    name, separator, value = option.partition("=")
    if not (name and separator):
        raise UsageError(f"--job-variable: `{option}` has no value", "write NAME=VALUE, such as image=dockercise:1")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def summary(found: Found) -> str:
    """One line about a repository: `infra · 7 stages in 2 files · main at 0123456789ab`."""
    pipeline, files = found.compiled.pipeline, found.compiled.files
    counted = f"{len(pipeline)} {'stage' if len(pipeline) == 1 else 'stages'} in {files} {'file' if files == 1 else 'files'}"
    at = f" · {found.registration.ref} at {found.commit[:SHORT_COMMIT]}" if found.commit else ""
    return f"{pipeline.name} · {counted}{at}"


def _told(found: Found, deployed: Deployed, *, new: bool) -> Iterator[str]:
    yield summary(found)
    yield f"  {', '.join(stage.name for stage in found.compiled.pipeline)}"
    yield f"{'registered' if new else 'changed'} {deployed.name}{', paused' if deployed.paused else ''}"
    yield f"  schedules: {deployed.schedules}"
    if deployed.page:
        yield f"  {deployed.page}"
    yield "start a worker to run it:"
    yield f"  {worker_command(deployed)}"


def worker_command(deployed: Deployed) -> str:
    """The command that starts a worker for a deployment."""
    from dockercise_prefect.orchestration.prefect.api import worker_variables

    return f"{' '.join(worker_variables(read_settings().data))} prefect worker start --pool {deployed.work_pool}"
