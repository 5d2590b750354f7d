"""A group of commands that are imported when they are called. So `compile` and `--help` do not import Prefect and Docker."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click

from dockercise_prefect.collector import collector_paused
from dockercise_prefect.errors import did_you_mean
from dockercise_prefect.signals import OF_THE_COMMAND


class Entry(NamedTuple):
    """Where a command is, and its line in the list of commands. So the list is printed without importing the commands.

    Attributes:
        where: `module:attribute`.
        holds: whether signals are held back when it starts, since it also prints something if it is interrupted.
    """

    where: str
    summary: str
    holds: bool = False


class LazyGroup(click.Group):
    """Imports a command when it is called.

    Args:
        entries: the commands by their names, in the order of the list.
        options: as of `click.Group`.
    """

    def __init__(self, *arguments: Any, entries: Mapping[str, Entry], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        entry = self._entries.get(cmd_name)
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
        if args[0] not in self._entries and not args[0].startswith("-"):
            before = " ".join(ctx.command_path.split()[1:])  # `aws` in a group, nothing at the top
            said, meant = f"{before} {args[0]}".strip(), did_you_mean(args[0], list(self._entries))
            ctx.fail(f"there is no command `{said}`" + (f"; did you mean `{f'{before} {meant}'.strip()}`?" if meant else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self._entries.items()])
