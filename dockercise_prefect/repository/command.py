"""Runs git on untrusted repositories. Nothing in them can start a program or read files outside of them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from dockercise_prefect.errors import RepositoryError
from dockercise_prefect.git.run import own_environment

LONGEST_SECONDS = 30 * 60
"""Seconds that one command may take. It is enough for the first fetch of a big repository over a slow connection."""

TRUSTED = {
    "safe.bareRepository": "all",  # the mirror is a bare repository
    "safe.directory": "*",  # a data folder may be a volume that another user made; git does not pass this to a host's own git
}
"""The settings that let git read Dockercise's mirrors and checkouts, whatever the user's settings are."""

_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "gc.autoDetach": "false",  # nothing runs on after the command has ended
    "maintenance.autoDetach": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "http.lowSpeedLimit": "100",  # bytes a second …
    "http.lowSpeedTime": "60",  # … for this many seconds: the host no longer answers
    "core.askPass": "",
    "advice.detachedHead": "false",
    "core.autocrlf": "false",  # files have the line ends of the commit, whatever the user's own setting is
    **TRUSTED,
    "protocol.allow": "never",
}

NO_LFS = {"filter.lfs.process": "", "filter.lfs.smudge": "", "filter.lfs.required": "false"}
"""The settings that leave files in LFS as their small pointer files."""

REMOTE = ("https", "http", "ssh")
"""The protocols that git may use for a repository that another repository names."""

_HIDDEN = ("GIT_ASKPASS", "SSH_ASKPASS", "GIT_ALLOW_PROTOCOL", "GIT_CURL_VERBOSE", "GIT_EXTERNAL_DIFF", "GIT_TEMPLATE_DIR")


class GitError(RepositoryError):
    """A git command failed.

    Attributes:
        said: the last lines that git wrote, without secrets.
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
    given: bytes | None = None,
) -> bytes:
    """Run git and return what it prints.

    Args:
        folder: the folder in which git runs.
        arguments: the command and its arguments.
        protocols: the protocols that it may use for other repositories: `https`, `ssh`, `file`.
        settings: git's settings for this command.
        environment: variables in addition to this process's own.
        hidden: texts that become `***` in git's messages.
        lock: descriptor of a lock that is held as long as git runs, even if this process is killed before.
        given: the standard input of git; None for none.

    Raises:
        GitError: git fails, is not installed, or takes too long.
    """
    chosen = _SETTINGS | {f"protocol.{name}.allow": "always" for name in protocols} | dict(settings)
    command = ["git", *(word for name, value in chosen.items() for word in ("-c", f"{name}={value}")), *arguments]
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(folder, environment or {}),
            stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=() if lock is None else (lock,),
            start_new_session=True,  # git does not get Ctrl-C, and the processes that git started can be ended with it
        )
    except OSError as error:
        if isinstance(error, FileNotFoundError) and error.filename == "git":
            raise GitError("git is not installed", "install git", "") from error
        raise GitError(f"git cannot be started in {folder}: {error.strerror}", None, "") from error
    try:
        output, errors = process.communicate(given, timeout=LONGEST_SECONDS)
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
    """Git settings as environment variables, after those that the user has set in this way.

    Args:
        settings: pairs of a name and its value; a name may occur several times.
    """
    given = os.environ.get("GIT_CONFIG_COUNT", "0")
    first = int(given) if given.isdecimal() else 0
    variables = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (key, value) in enumerate(settings, first):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


def _environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """The user's environment, without variables that change git's repository, make it prompt, or make it log what it sends."""
    here_only = {"GIT_CEILING_DIRECTORIES": str(folder.parent)}  # a repository above a broken mirror must not be used
    kept = {
        name: value for name, value in own_environment().items() if name not in _HIDDEN and not name.startswith("GIT_TRACE")
    }
    return kept | here_only | {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "LC_ALL": "C.UTF-8", **more}
