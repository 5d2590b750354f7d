"""Checks of this machine: dockercise, Python and git."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from dockercise_prefect.git.run import own_environment
from dockercise_prefect.orchestration.doctor.check import Check, CheckStatus

_OLDEST_PYTHON = (3, 11)

GIT_SECONDS = 5.0
"""How long each question to git may take."""


def dockercise_check() -> Iterator[Check]:
    """The version of dockercise, and the Python that runs it."""
    try:
        own = version("dockercise-prefect")
    except PackageNotFoundError:
        own = "run from its source"
    python = platform.python_version()
    old = sys.version_info[:2] < _OLDEST_PYTHON
    yield Check("dockercise", CheckStatus.OK, own, facts={"version": own})
    yield Check(
        "python",
        CheckStatus.PROBLEM if old else CheckStatus.OK,
        f"{python} · {sys.executable} · {platform.platform(terse=True)}",
        "dockercise needs Python 3.11 or later" if old else None,
        {"version": python, "executable": sys.executable},
    )


def git_check() -> Iterator[Check]:
    """The version of git, and whether it can fetch submodules and large files."""
    said = _git("--version")
    if said is None:
        hint: str | None = "install git: pipelines in a git repository, and registered repositories, need it"
        yield Check("git", CheckStatus.WARNING, "it is not installed, or does not start", hint)
        return
    own = said.removeprefix("git version ")
    submodules = _git("submodule", "-h") is not None
    large_files = _git("lfs", "version")
    found = f"{own}, {'with' if submodules else 'without'} submodules, {'with' if large_files else 'without'} LFS"
    hint = None if large_files else "files in LFS stay pointer files unless git-lfs is installed"
    yield Check(
        "git",
        CheckStatus.OK if submodules else CheckStatus.WARNING,
        found,
        hint,
        {"version": own, "submodules": submodules, "lfs": large_files is not None},
    )


def _git(*arguments: str) -> str | None:
    """What git prints; None if it fails."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            env=own_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_SECONDS,
            check=False,
            cwd="/",
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None
