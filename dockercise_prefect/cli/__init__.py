"""The command `dockercise`. Only this room prints, or sets an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import click

from dockercise_prefect.collector import collector_paused
from dockercise_prefect.errors import DefinitionError, DockerciseError, ExitStatus, did_you_mean
from dockercise_prefect.signals import OF_THE_COMMAND


class _Entry(NamedTuple):
    """Where a command is, and its line in the list of commands. So the list is printed without importing the commands.

    Attributes:
        holds: whether signals are held back when it starts, since it also prints something if it is interrupted.
    """

    where: str
    summary: str
    holds: bool = False


_COMMANDS = {
    "compile": _Entry("dockercise_prefect.cli.compile:compile_command", "Turn *.dockercise.yaml into a Prefect flow file."),
    "lint": _Entry("dockercise_prefect.cli.lint:lint", "Check the pipeline and list what is wrong."),
    "graph": _Entry("dockercise_prefect.cli.graph:graph", "Draw the pipeline."),
    "explain": _Entry("dockercise_prefect.cli.explain:explain", "Explain a stage, or the code of a finding."),
    "plan": _Entry("dockercise_prefect.cli.plan:plan", "Show what a change does to the pipeline, and what would run."),
    "run": _Entry("dockercise_prefect.cli.run:run", "Run the pipeline now, in containers.", holds=True),
    "watch": _Entry("dockercise_prefect.cli.watch:watch", "Run the pipeline, and again whenever its code changes."),
    "cancel": _Entry("dockercise_prefect.cli.cancel:cancel", "Cancel a run, wherever it runs."),
    "register": _Entry("dockercise_prefect.cli.register:register", "Register a repository as a Prefect deployment."),
    "login": _Entry("dockercise_prefect.cli.login:login", "Log in with your GitHub account."),
    "logout": _Entry("dockercise_prefect.cli.login:logout", "Remove your login to GitHub from this machine."),
    "connect": _Entry("dockercise_prefect.cli.connect:connect", "Connect a GitHub repository, so that pushes start runs."),
    "disconnect": _Entry("dockercise_prefect.cli.connect:disconnect", "Undo what `connect` did."),
    "runs": _Entry("dockercise_prefect.cli.runs:runs", "List runs, newest first."),
    "show": _Entry("dockercise_prefect.cli.show:show", "Show how a run went."),
    "logs": _Entry("dockercise_prefect.cli.logs:logs", "Print the logs of a run, even while it is running."),
    "shell": _Entry("dockercise_prefect.cli.shell:shell", "Open a shell in a stage of a run, as the stage had it."),
    "fetch": _Entry("dockercise_prefect.cli.fetch:fetch", "Unpack the files that a stage left in its volume."),
    "package": _Entry("dockercise_prefect.cli.package:package", "Build an image with a folder's stages, for other pipelines."),
    "results": _Entry("dockercise_prefect.cli.results:results", "Send records of runs that did not reach the bucket."),
    "gc": _Entry("dockercise_prefect.cli.gc:gc", "End runs that died, and remove what nobody needs any more."),
    "webhook": _Entry("dockercise_prefect.cli.webhook:webhook", "Receive pushes and start runs for them."),
    "aws": _Entry("dockercise_prefect.cli.aws:aws", "Run pipelines in an account of AWS."),
    "doctor": _Entry("dockercise_prefect.cli.doctor:doctor", "Examine the engine, Prefect and this machine."),
    "init": _Entry("dockercise_prefect.cli.init:init", "Write a first pipeline."),
    "schema": _Entry("dockercise_prefect.cli.schema:schema", "Print the JSON Schema of the language, for editors."),
    "completion": _Entry("dockercise_prefect.cli.completion:completion", "Print the completion script for bash, zsh or fish."),
    "up": _Entry("dockercise_prefect.cli.server:up", "Start the local Prefect server and its UI."),
    "down": _Entry("dockercise_prefect.cli.server:down", "Stop the local Prefect server."),
    "status": _Entry("dockercise_prefect.cli.server:status", "Show whether the local Prefect server runs, and where."),
}


class _ReaderLeftError(Exception):
    """The reader has closed standard output. This is not an OSError, since click would then exit with status 1."""


class _LazyGroup(click.Group):
    """Imports a command when it is called, so that `compile` and `--help` do not import Prefect and Docker."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderLeftError from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        entry = _COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, attribute = entry.where.split(":")
        with collector_paused():
            command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.where} is not a command")
        if not entry.holds:
            OF_THE_COMMAND.release()
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _COMMANDS and not args[0].startswith("-"):
            meant = did_you_mean(args[0], list(_COMMANDS))
            ctx.fail(f"there is no command `{args[0]}`" + (f"; did you mean `{meant}`?" if meant else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in _COMMANDS.items()])


def _print_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"dockercise {version('dockercise-prefect')}")
    except PackageNotFoundError:
        click.echo("dockercise, run from its source")
    ctx.exit()


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
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
