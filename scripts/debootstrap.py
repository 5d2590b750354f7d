"""Makes a small Debian system in a folder, with debootstrap, from the archive that this system's apt uses."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from scripts import debian
from scripts.console import NeedsRootError, SetUpError

_TARGETS = "$(CODENAME)\t$(COMPONENT)\t$(REPO_URI)"


def bootstrap(tree: Path, suite: str, packages: Sequence[str], purpose: str) -> None:
    """Make a small Debian system in a folder. This takes a minute or two.

    Args:
        tree: the folder, which need not exist.
        suite: the release, for example `trixie`.
        packages: the packages to install in addition to the minimum.
        purpose: its purpose, for messages.

    Raises:
        NeedsRootError: we are not root.
        SetUpError: a package is not available.
    """
    if os.geteuid() != 0:
        raise NeedsRootError(f"debootstrap, which makes {purpose},")
    debian.install(debian.missing_packages({"debootstrap": "debootstrap"}), purpose)
    components, mirror = archive(run("apt-get", "indextargets", "--format", _TARGETS, "Created-By: Packages"), codename())
    chosen = (f"--components={','.join(components)}", f"--include={','.join(packages)}")
    run("debootstrap", "--variant=minbase", *chosen, suite, str(tree), mirror)
    run("chroot", str(tree), "apt-get", "clean")


def archive(targets: str, release: str) -> tuple[Sequence[str], str]:
    """The components and the address of the archive that apt uses for a release.

    Args:
        targets: the output of `apt-get indextargets`: code name, component and address in each line, separated by tabs.
        release: the code name of the release.

    Raises:
        SetUpError: apt has no archive for it.
    """
    rows = [line.split("\t") for line in targets.splitlines()]
    found = [(component, address) for name, component, address in rows if name == release]
    if not found:
        raise SetUpError("apt names no archive of this system's release", "as root: apt-get update, then again")
    address = found[0][1]
    return _each_once(component for component, other in found if other == address), address


def codename() -> str:
    """The code name of this system's release."""
    return debian.parse_os_release(debian.OS_RELEASE.read_text(encoding="utf-8")).get("VERSION_CODENAME", "")


def run(*command: str) -> str:
    """Run a command, and return its output.

    Raises:
        SetUpError: it failed.
    """
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, "PATH": debian.SEARCH_PATH, "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": ""},
    )
    if done.returncode != 0:
        raise SetUpError(f"`{' '.join(command)}` failed:\n{done.stdout[-2000:]}", "see its own words above")
    return done.stdout


def _each_once(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))
