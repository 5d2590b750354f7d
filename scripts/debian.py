"""Debian's and Ubuntu's packages: what is missing is installed as root, and named to everyone else."""

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
"""Daemons lie in folders that the search path of a user, and of a root who came by `su`, does not hold."""


def which(command: str) -> str | None:
    """Where the command is, daemons included; None when it is not, or is a link to nothing."""
    return shutil.which(command, path=SEARCH_PATH)


def parse_os_release(text: str) -> dict[str, str]:
    """The variables of an os-release file (freedesktop's os-release(5): shell-like assignments)."""
    assignments = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): "".join(shlex.split(value)) for name, _, value in assignments}


def is_debian_like(os_release: Mapping[str, str]) -> bool:
    """Whether the system is Debian, Ubuntu or one made from them."""
    return bool({os_release.get("ID"), *os_release.get("ID_LIKE", "").split()} & {"debian", "ubuntu"})


def missing_packages(needed: Mapping[str, str], find: Callable[[str], str | None] = which) -> list[str]:
    """The packages of those commands that are not there, each once.

    Args:
        needed: command to the package that holds it.
        find: tells where a command is.
    """
    return list(dict.fromkeys(package for command, package in needed.items() if find(command) is None))


def install(packages: Iterable[str], purpose: str) -> None:
    """Install packages, saying so; nothing is done when there are none.

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
    # Lists may be missing (a container) or old; whether the packages are to be had is for the install to say.
    _apt("update")
    done = _apt("install", "--yes", "--no-install-recommends", *names)
    if done.returncode != 0:
        raise SetUpError(f"apt-get could not install {', '.join(names)}:\n{_tail(done.stdout)}", f"try it by hand: {command}")


def download(package: str, folder: Path) -> Path:
    """Fetch a package's file into a folder; works for any user where apt has lists.

    Raises:
        SetUpError: apt cannot get it.
    """
    if os.geteuid() == 0:
        _apt("update")
    # apt drops its privileges for a download where it may write as another user, and warns at length where it may not.
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
