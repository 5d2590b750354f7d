"""Packages of Debian and Ubuntu. As root, missing packages are installed. Other users get a message that names them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from scripts.console import SetUpError, say

OS_RELEASE = Path("/etc/os-release")
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
"""Daemons are in folders that are not in the search path of a user, or of root after `su`."""


def which(command: str) -> str | None:
    """The path of a command or a daemon; None if it does not exist or is a broken link."""
    return shutil.which(command, path=SEARCH_PATH)


def parse_os_release(text: str) -> dict[str, str]:
    """The variables of an os-release file (freedesktop's os-release(5): shell-like assignments)."""
    assignments = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): "".join(shlex.split(value)) for name, _, value in assignments}


def is_debian_like(os_release: Mapping[str, str]) -> bool:
    """Whether the system is Debian, Ubuntu or derived from them."""
    return bool({os_release.get("ID"), *os_release.get("ID_LIKE", "").split()} & {"debian", "ubuntu"})


def missing_packages(needed: Mapping[str, str], find: Callable[[str], str | None] = which) -> list[str]:
    """The packages of the missing commands, each once.

    Args:
        needed: each command and its package.
        find: returns the path of a command.
    """
    return list(dict.fromkeys(package for command, package in needed.items() if find(command) is None))


def install(packages: Iterable[str], purpose: str) -> None:
    """Install packages, and print a message. Do nothing if there are no packages.

    Raises:
        SetUpError: we are not root, this is neither Debian nor Ubuntu, or apt failed.
    """
    names = list(packages)
    if not names:
        return
    if not OS_RELEASE.exists() or not is_debian_like(parse_os_release(OS_RELEASE.read_text(encoding="utf-8"))):
        raise SetUpError(
            f"missing for {purpose}: what Debian and Ubuntu have in {', '.join(names)}",
            "install it with this system's own package manager, then try again",
        )
    command = f"apt-get install --no-install-recommends {' '.join(names)}"
    if os.geteuid() != 0:
        raise SetUpError(f"missing for {purpose}: {', '.join(names)}", f"as root: {command}")
    say(f"installing {', '.join(names)} for {purpose}")
    # The package lists may be missing (in a container) or old. `install` reports whether the packages are available.
    _apt("update")
    done = _apt("install", "--yes", "--no-install-recommends", *names)
    if done.returncode != 0:
        raise SetUpError(f"apt-get could not install {', '.join(names)}:\n{_tail(done.stdout)}", f"try it by hand: {command}")


def download(package: str, folder: Path) -> Path:
    """Download a package's file into a folder. This works for any user if apt has package lists.

    Raises:
        SetUpError: apt cannot download it.
    """
    if os.geteuid() == 0:
        _apt("update")
    # For a download, apt drops its privileges if the other user can write to the folder. Otherwise, it prints a long warning.
    done = _apt("-o", "APT::Sandbox::User=root", "download", package, cwd=folder)
    files = sorted(folder.glob(f"{package}_*.deb"))
    if done.returncode != 0 or not files:
        raise SetUpError(f"apt-get could not download {package}:\n{_tail(done.stdout)}", "as root: apt-get update, then again")
    return files[0]


def _apt(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PATH": SEARCH_PATH},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


def _tail(text: str, lines: int = 15) -> str:
    return "\n".join(f"  | {line}" for line in text.splitlines()[-lines:])
