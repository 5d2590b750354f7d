"""Runs git on untrusted repositories: nothing in them can start a program or read other places."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from dockercise_prefect.errors import RepositoryError
from dockercise_prefect.frontend.discover import OF_ANOTHER_REPOSITORY

LONGEST_SECONDS = 30 * 60
"""Seconds that one command may take: a first fetch of a big repository over a slow line."""

TRUSTED = {
    "safe.bareRepository": "all",  # the mirror is one
    "safe.directory": "*",  # a data folder may be a volume that another user made; git does not tell a host's own git so
}
"""What lets git read mirrors and checkouts of ours, whatever the user's settings are."""

_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "gc.autoDetach": "false",  # nothing goes on when the command has ended
    "maintenance.autoDetach": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "http.lowSpeedLimit": "100",  # bytes a second …
    "http.lowSpeedTime": "60",  # … for so many seconds: the host has gone silent
    "core.askPass": "",
    "advice.detachedHead": "false",
    "core.autocrlf": "false",  # a tree is what the commit says, whatever the user's own git makes of line ends
    **TRUSTED,
    "protocol.allow": "never",
}

NO_LFS = {"filter.lfs.process": "", "filter.lfs.smudge": "", "filter.lfs.required": "false"}
"""Files in LFS stay the small texts that stand for them."""

REMOTE = ("https", "http", "ssh")
"""Ways to a repository that may be taken on behalf of another repository."""

_HIDDEN = ("GIT_ASKPASS", "SSH_ASKPASS", "GIT_ALLOW_PROTOCOL", "GIT_CURL_VERBOSE", "GIT_EXTERNAL_DIFF", "GIT_TEMPLATE_DIR")


class GitError(RepositoryError):
    """Git said no.

    Attributes:
        said: the last lines that it wrote, without secrets.
    """

    def __init__(self, message: str, hint: str | None, said: str) -> None:
        super().__init__(message, hint)
        self.said = said


def git(
    folder: Path,
    *arguments: str,
    protocols: Sequence[str] = (),
    settings: Mapping[str, str] = NO_LFS,
    environment: Mapping[str, str] | None = None,
    hidden: Sequence[str] = (),
    lock: int | None = None,
) -> bytes:
    """What git prints.

    Args:
        folder: where it runs.
        arguments: the command and its arguments.
        protocols: ways to other repositories that it may take: `https`, `ssh`, `file`.
        settings: of git, for this command.
        environment: variables besides this process's own.
        hidden: texts that become `***` in what git says.
        lock: descriptor of a lock that is held as long as git runs, even if this process is killed before.

    Raises:
        GitError: git says no, is not installed, or does not come to an end.
    """
    chosen = _SETTINGS | {f"protocol.{name}.allow": "always" for name in protocols} | dict(settings)
    command = ["git", *(word for name, value in chosen.items() for word in ("-c", f"{name}={value}")), *arguments]
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(folder, environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=() if lock is None else (lock,),
            start_new_session=True,  # Ctrl-C is for us, and what git has started ends with it
        )
    except OSError as error:
        if isinstance(error, FileNotFoundError) and error.filename == "git":
            raise GitError("git is not installed", "install git", "") from error
        raise GitError(f"git cannot be started in {folder}: {error.strerror}", None, "") from error
    try:
        output, errors = process.communicate(timeout=LONGEST_SECONDS)
    except subprocess.TimeoutExpired as error:
        message = f"git {arguments[0]} took more than {LONGEST_SECONDS // 60} minutes"
        raise GitError(message, "is the connection to the host slow, or the repository very big?", "") from error
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode != 0:
        said = errors.decode("utf-8", "replace")
        for text in hidden:
            said = said.replace(text, "***")
        said = "\n".join(line for line in said.strip().splitlines()[-5:] if line.strip())
        raise GitError(f"git {arguments[0]}: {said or f'exit status {process.returncode}'}", None, said)
    return output


def configured(*settings: tuple[str, str]) -> dict[str, str]:
    """Git settings as variables, after those that the user has set so.

    Args:
        settings: each a name and its value; a name may come several times.
    """
    given = os.environ.get("GIT_CONFIG_COUNT", "0")
    first = int(given) if given.isdecimal() else 0
    variables = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (key, value) in enumerate(settings, first):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


def _environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """The user's, without what would lead git elsewhere, make it ask questions, or have it write down what it sends."""
    here_only = {"GIT_CEILING_DIRECTORIES": str(folder.parent)}  # a repository above a broken mirror is another one
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in OF_ANOTHER_REPOSITORY and name not in _HIDDEN and not name.startswith("GIT_TRACE")
    }
    return kept | here_only | {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "LC_ALL": "C.UTF-8", **more}
