"""Makes `.venv` contain exactly the packages of a lock file, and the package itself as editable.

Runs on the system's Python and needs only the standard library: `python3 -m scripts.environment requirements.lock`. A second
run with the same lock file does nothing, since a stamp in `.venv` records what was installed. A second argument names another
folder.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts import debian
from scripts.console import SetUpError, run_script, say

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
RUNTIME_LOCK = "requirements.lock"
DEV_LOCK = "requirements-dev.lock"
OLDEST_PYTHON = (3, 11)


def fingerprint(lock: bytes, project: bytes, python: str) -> str:
    """One hash of everything that an environment depends on: the lock file, the project's metadata, the Python."""
    parts = (hashlib.sha256(part).hexdigest() for part in (lock, project, python.encode()))
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def satisfied_by(lock: str) -> tuple[str, ...]:
    """The lock files that contain all packages of `lock`. `make lock` makes the developers' lock file a superset."""
    return (lock, DEV_LOCK) if lock == RUNTIME_LOCK else (lock,)


def count_pins(lock: str) -> int:
    """How many packages a lock file names."""
    return sum("==" in line and not line[0].isspace() and not line.startswith("#") for line in lock.splitlines() if line)


def ensure(lock: str, venv: Path = VENV) -> None:
    """Create or update an environment for the lock file.

    Args:
        lock: the name of the lock file.
        venv: the environment's folder.

    Raises:
        SetUpError: Python cannot create environments here, or pip cannot download a package.
    """
    if _works(venv) and any(_is_installed(name, venv) for name in satisfied_by(lock)):
        return
    if not _works(venv):
        _create(venv)
    text = (ROOT / lock).read_text(encoding="utf-8")
    say(f"installing {count_pins(text)} packages from {lock} into {venv.name} (a minute or two the first time)")
    _stamp(lock, venv).unlink(missing_ok=True)
    # The lock file is complete. If pip looked for dependencies, it would want newer versions of packages with extras.
    _pip(venv, "install", "--no-deps", "--require-hashes", "--requirement", str(ROOT / lock))
    # The build back end is in the lock file too, so the build downloads only locked packages.
    _pip(venv, "install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    _stamp(lock, venv).write_text(_fingerprint(lock, venv), encoding="ascii")


def is_usable(pip_version: str, venv: Path) -> bool:
    """Whether the environment is ours and works, according to the output of its `pip --version`.

    The commands of an environment contain its path, so a moved or copied environment does not work. Example of the output:
    `pip 23.0 from /folder/lib/python3.11/site-packages/pip (python 3.11)`.
    """
    found = re.search(r" from (?P<place>.+) \(python (?P<major>\d+)\.(?P<minor>\d+)\)", pip_version)
    if found is None:
        return False
    version = int(found["major"]), int(found["minor"])
    return Path(found["place"]).is_relative_to(venv) and version >= OLDEST_PYTHON


def _works(venv: Path) -> bool:
    try:
        done = subprocess.run([venv / "bin" / "pip", "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return is_usable(done.stdout, venv)


def _create(venv: Path) -> None:
    if subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode:
        debian.install([f"python3.{sys.version_info.minor}-venv"], "an environment for Python")
    say(f"making {venv.name} with {sys.executable}, Python {sys.version.split()[0]}")
    done = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", venv],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SetUpError(
            f"{sys.executable} could not make {venv.name}:\n{done.stdout}", "try another Python: make demo PYTHON=…"
        )


def _pip(venv: Path, *arguments: str) -> None:
    # `--quiet` twice: only errors are printed.
    command = [str(_python(venv)), "-m", "pip", "-qq", "--disable-pip-version-check", "--no-input", *arguments]
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode != 0:
        raise SetUpError(
            f"pip could not do `pip {' '.join(arguments)}`",
            "see pip's own words above; it needs a package index (PIP_INDEX_URL names another one than the usual)",
        )


def _stamp(lock: str, venv: Path = VENV) -> Path:
    return venv / f"installed-{lock}.sha256"


def _is_installed(lock: str, venv: Path = VENV) -> bool:
    stamp = _stamp(lock, venv)
    return stamp.exists() and stamp.read_text(encoding="ascii") == _fingerprint(lock, venv)


def _fingerprint(lock: str, venv: Path = VENV) -> str:
    python = _python(venv)
    name = str(python.readlink() if python.is_symlink() else python)
    return fingerprint((ROOT / lock).read_bytes(), (ROOT / "pyproject.toml").read_bytes(), name)


def _python(venv: Path) -> Path:
    return venv / "bin" / "python"


def main(arguments: Sequence[str] | None = None) -> None:
    """Create the environment for the lock file in the first argument. Its folder is the second argument, or `.venv`."""
    lock, *folder = sys.argv[1:] if arguments is None else arguments
    ensure(lock, *(ROOT / name for name in folder))


if __name__ == "__main__":
    run_script(main)
