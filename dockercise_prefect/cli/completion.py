"""`completion`: helps shells to complete commands, options, stages and runs."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

_WHERE = {"bash": "~/.bashrc", "zsh": "~/.zshrc", "fish": "~/.config/fish/completions/dockercise.fish"}

_PROGRAM = "dockercise"

_VARIABLE = "_DOCKERCISE_COMPLETE"
"""The variable that tells click that a shell asks for completions, and for which."""


@click.command
@click.argument("shell", type=click.Choice(list(_WHERE)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that completes commands, options, stages and runs in SHELL.

    bash and zsh: `eval "$(dockercise completion bash)"` in ~/.bashrc, or with zsh in ~/.zshrc. fish: write it to
    ~/.config/fish/completions/dockercise.fish.
    """
    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"this version of click does not support {shell}")
    click.echo(made(context.find_root().command, {}, _PROGRAM, _VARIABLE).source())


def complete_stages(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The pipeline's stages that begin with the given text; none if the pipeline does not compile."""
    from dockercise_prefect.cli.package_sources import kept_packages
    from dockercise_prefect.compiler import compile_folder
    from dockercise_prefect.errors import DockerciseError

    try:
        pipeline = compile_folder(context.params.get("root") or Path(), packages=kept_packages()).pipeline
    except DockerciseError:
        return []
    return _beginning(incomplete, [*pipeline.instances, *pipeline.by_name])


def complete_runs(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`last`, and the runs with a record in a folder of this machine, newest first. Buckets are not read."""
    from dockercise_prefect.errors import DockerciseError
    from dockercise_prefect.results.opening import open_objects
    from dockercise_prefect.results.reading.records import LAST, Records
    from dockercise_prefect.settings import read_settings

    settings = read_settings()
    if settings.results.startswith("s3:"):
        return _beginning(incomplete, [LAST])
    try:
        known = [run.run_id for run in Records(open_objects(settings.results, settings)).runs()]
    except DockerciseError:
        known = []
    return _beginning(incomplete, [LAST, *known])


def _beginning(incomplete: str, words: list[str]) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]
