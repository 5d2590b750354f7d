"""The rule about writing to read-only places."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from dockercise_prefect.compiler.lint.subject import Subject
from dockercise_prefect.compiler.shell.commands import Command
from dockercise_prefect.compiler.shell.words import Known
from dockercise_prefect.errors import Diagnostic
from dockercise_prefect.frontend.findings import warning
from dockercise_prefect.pipeline import CODE, Code, CodeSnapshot, Mount, Stage, StageVolume

_OUT = "/out"

_EACH = {"tee": "", "touch": "drt", "mkdir": "mZ", "rm": "", "rmdir": "", "mv": "S"}
"""Commands that write to each of their operands (`mv` removes its sources), with the letters of options that take a value."""

_LAST = {"cp": "S", "ln": "S"}
"""Commands that write to the last of their operands, with the letters of options that take a value."""

_MOVING = frozenset({"cd", "pushd", "popd"})


def writes_read_only(subject: Subject) -> Iterator[Diagnostic]:
    """DK106: `run` writes to a path below a read-only mount; only paths that are known before the run are checked."""
    for stage in subject.pipeline:
        commands = subject.commands(stage) or ()
        folder = None if any(command.name in _MOVING for command in commands) else stage.working_dir
        mounts = _Mounts(stage)
        for command, word, text in ((each, *found) for each in commands for found in _written(each)):
            path = _absolute(text, folder)
            target = mounts.read_only(path) if path else None
            if path is not None and target is not None and not (path == target and _makes_if_missing(command)):
                yield warning(
                    Code.WRITES_READ_ONLY,
                    f"{stage.name}: `run` writes to `{text}`, but `{target}` is read-only",
                    subject.script_place(stage, word.start),
                    hint=mounts.hint(target),
                )


class _Mounts:
    """What is mounted in one stage, including its own volume and `/out`."""

    def __init__(self, stage: Stage) -> None:
        self._mounts: dict[str, Mount] = {mount.target: mount for mount in stage.mounts}
        self._writable = {mount.target: mount.mode == "rw" and not _is_sealed(mount) for mount in stage.mounts}
        self._writable[stage.folder] = True
        if stage.depends_on:
            self._writable[_OUT] = False

    def read_only(self, path: str) -> str | None:
        """The target of the read-only mount that contains a path; None if the path can be written."""
        while path != "/":
            if path in self._writable:
                return None if self._writable[path] else path
            path = posixpath.dirname(path)
        return None

    def hint(self, target: str) -> str:
        """What to do instead."""
        mount = self._mounts.get(target)
        if mount is None:
            return "`/out` holds what earlier stages printed; write files below `$OUT`, this stage's own volume"
        match mount.source:
            case StageVolume(stage):
                return f"write below `$OUT`, or work in a copy: `on: {stage}`"
            case CodeSnapshot():
                return f"write below `$OUT`, or work in a copy: `on: {CODE}`"
            case _:
                return "write below `$OUT`, or mount it without `:ro`"


def _is_sealed(mount: Mount) -> bool:
    return isinstance(mount.source, StageVolume | CodeSnapshot)


def _absolute(path: str, folder: str | None) -> str | None:
    """The path without `.` and `..`; None if it is relative and the folder is not known."""
    if not path or (folder is None and not path.startswith("/")):
        return None
    return posixpath.normpath(posixpath.join(folder or "/", path)).replace("//", "/")


def _written(command: Command) -> Iterator[tuple[Known, str]]:
    """The words that name what a command writes, as far as they are known before it runs."""
    for redirection in command.redirections:
        if redirection.writes and redirection.target is not None and redirection.target.text is not None:
            yield redirection.target, redirection.target.text
    name = command.name or ""
    if name in _EACH:
        yield from _known(_operands(command, _EACH[name]))
    elif name in _LAST:
        into = [word for word in command.words[1:] if (word.text or "").startswith(("-t", "--t"))]
        operands = _operands(command, _LAST[name])
        if not into and len(operands) > 1:
            yield from _known(operands[-1:])


def _makes_if_missing(command: Command) -> bool:
    """Whether the command does nothing to an existing folder, like `mkdir -p`."""
    options = [word.text for word in command.words[1:] if word.text is not None and word.text.startswith("-")]
    return command.name == "mkdir" and any(
        option == "--parents" or (not option.startswith("--") and "p" in option) for option in options
    )


def _operands(command: Command, with_value: str) -> list[Known]:
    """A command's words without its name, its options and their values."""
    operands: list[Known] = []
    words = iter(command.words[1:])
    for word in words:
        if word.text == "--":
            return operands + list(words)
        if word.text is None or not word.text.startswith("-") or word.text == "-":
            operands.append(word)
        elif not word.text.startswith("--") and word.text[-1] in with_value:
            next(words, None)
    return operands


def _known(words: list[Known]) -> Iterator[tuple[Known, str]]:
    return ((word, word.text) for word in words if word.text is not None)
