"""The command `dockercise`. Only this room prints, or sets an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import click

from dockercise_prefect.cli.lazy_group import Entry, LazyGroup
from dockercise_prefect.errors import DefinitionError, DockerciseError, ExitStatus
from dockercise_prefect.signals import OF_THE_COMMAND

_COMMANDS = {
    "compile": Entry("dockercise_prefect.cli.compile:compile_command", "Turn *.dockercise.yaml into a Prefect flow file."),
    "lint": Entry("dockercise_prefect.cli.lint:lint", "Check the pipeline and list what is wrong."),
    "graph": Entry("dockercise_prefect.cli.graph:graph", "Draw the pipeline."),
    "explain": Entry("dockercise_prefect.cli.explain:explain", "Explain a stage, or the code of a finding."),
    "plan": Entry("dockercise_prefect.cli.plan:plan", "Show what a change does to the pipeline, and what would run."),
    "run": Entry("dockercise_prefect.cli.run:run", "Run the pipeline now, in containers.", holds=True),
    "watch": Entry("dockercise_prefect.cli.watch:watch", "Run the pipeline, and again whenever its code changes."),
    "cancel": Entry("dockercise_prefect.cli.cancel:cancel", "Cancel a run, wherever it runs."),
    "approve": Entry("dockercise_prefect.cli.approve:approve", "Answer a run that waits for an approval."),
    "register": Entry("dockercise_prefect.cli.register:register", "Register a repository as a Prefect deployment."),
    "login": Entry("dockercise_prefect.cli.login:login", "Log in with your GitHub account."),
    "logout": Entry("dockercise_prefect.cli.login:logout", "Remove your login to GitHub from this machine."),
    "connect": Entry("dockercise_prefect.cli.connect:connect", "Connect a GitHub repository, so that pushes start runs."),
    "disconnect": Entry("dockercise_prefect.cli.connect:disconnect", "Undo what `connect` did."),
    "aws": Entry("dockercise_prefect.cli.aws:aws", "Run pipelines in your own account of AWS, started by pushes."),
    "runs": Entry("dockercise_prefect.cli.runs:runs", "List runs, newest first."),
    "show": Entry("dockercise_prefect.cli.show:show", "Show how a run went."),
    "tests": Entry("dockercise_prefect.cli.tests:tests", "Show which tests fail, which flicker and which got slower."),
    "logs": Entry("dockercise_prefect.cli.logs:logs", "Print the logs of a run, even while it is running."),
    "shell": Entry("dockercise_prefect.cli.shell:shell", "Open a shell in a stage of a run, as the stage had it."),
    "fetch": Entry("dockercise_prefect.cli.fetch:fetch", "Unpack the files that a stage left in its volume."),
    "package": Entry("dockercise_prefect.cli.package:package", "Build an image with a folder's stages, for other pipelines."),
    "results": Entry("dockercise_prefect.cli.results:results", "Send records of runs that did not reach the bucket."),
    "gc": Entry("dockercise_prefect.cli.gc:gc", "End runs that died, and remove what nobody needs any more."),
    "webhook": Entry("dockercise_prefect.cli.webhook:webhook", "Receive pushes and start runs for them."),
    "host": Entry("dockercise_prefect.cli.host:host", "Run the Docker host of a stack in AWS."),
    "doctor": Entry("dockercise_prefect.cli.doctor:doctor", "Examine the engine, Prefect and this machine."),
    "import": Entry("dockercise_prefect.cli.import_file:import_file", "Turn a file of another CI system into a first draft."),
    "init": Entry("dockercise_prefect.cli.init:init", "Write a first pipeline."),
    "schema": Entry("dockercise_prefect.cli.schema:schema", "Print the JSON Schema of the language, for editors."),
    "completion": Entry("dockercise_prefect.cli.completion:completion", "Print the completion script for bash, zsh or fish."),
    "up": Entry("dockercise_prefect.cli.server:up", "Start the local Prefect server and its UI."),
    "down": Entry("dockercise_prefect.cli.server:down", "Stop the local Prefect server."),
    "status": Entry("dockercise_prefect.cli.server:status", "Show whether the local Prefect server runs, and where."),
}


class _ReaderLeftError(Exception):
    """The reader has closed standard output. This is not an OSError, since click would then exit with status 1."""


class _Commands(LazyGroup):
    """All commands."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderLeftError from error


def _print_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"dockercise {version('dockercise-prefect')}")
    except PackageNotFoundError:
        click.echo("dockercise, run from its source")
    ctx.exit()


@click.command(cls=_Commands, entries=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="Show the version.")
def dockercise() -> None:
    """Container pipelines in a few lines of YAML, run as Prefect flows.

    A pipeline is every *.dockercise.yaml below a folder; each stage in it is a shell command in a container.
    """


def main() -> None:
    """Run the command that the arguments of the process name, and exit with its status."""
    sys.exit(command())


def command() -> int:
    """Run the command that the arguments of the process name, and return its exit status."""
    status: int = ExitStatus.DONE
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the process was started with `>&-`: no other file may get that number
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  until the process ends
    try:
        status = _status_of(sys.argv[1:])
        sys.stdout.flush()
    except (BrokenPipeError, _ReaderLeftError):
        # The reader has left. Buffered output must not cause another error when the interpreter ends.
        _forget(sys.stdout)
    return status


def _forget(stream: TextIO) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _explain(show: Callable[[], object]) -> None:
    """Print the error on stderr. If stderr is closed, only the exit status shows the error."""
    try:
        show()
    except BrokenPipeError:
        _forget(sys.stderr)


def _status_of(arguments: list[str]) -> int:
    try:
        result = dockercise.main(arguments, prog_name="dockercise", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        return ExitStatus.INTERRUPTED
    except click.ClickException as error:
        _explain(error.show)
        return ExitStatus.WRONG_INPUT
    except DefinitionError as error:
        from dockercise_prefect.cli.findings import show_findings

        _explain(partial(show_findings, error.diagnostics))
        return error.exit_status
    except DockerciseError as error:
        _explain(partial(click.echo, error, err=True))
        return error.exit_status
    except Exception:
        if not OF_THE_COMMAND.has_come:
            raise
        return ExitStatus.INTERRUPTED  # libraries, among them pydantic, turn a KeyboardInterrupt into their own error
    return result if isinstance(result, int) else ExitStatus.DONE
