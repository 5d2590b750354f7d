"""Make `.venv` hold exactly what a lock names, and the package itself, editable.

Runs on the system's Python with nothing but its standard library: `python3 -m scripts.environment requirements.lock`. A second
run with the same lock costs nothing: a stamp in `.venv` remembers what was installed. A second argument names another folder.
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
    """What an environment depends on, as one hash: the lock, the project's own metadata, the Python."""
    parts = (hashlib.sha256(part).hexdigest() for part in (lock, project, python.encode()))
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def satisfied_by(lock: str) -> tuple[str, ...]:
    """The locks whose installation gives all that `lock` names: `make lock` makes the developers' a superset."""
    return (lock, DEV_LOCK) if lock == RUNTIME_LOCK else (lock,)


def count_pins(lock: str) -> int:
    """How many packages a lock names."""
    return sum("==" in line and not line[0].isspace() and not line.startswith("#") for line in lock.splitlines() if line)


def ensure(lock: str, venv: Path = VENV) -> None:
    """Make or bring up to date an environment for the lock.

    Args:
        lock: its name.
        venv: the environment's folder.

    Raises:
        SetUpError: Python cannot make environments here, or pip cannot get a package.
    """
    if _works(venv) and any(_is_installed(name, venv) for name in satisfied_by(lock)):
        return
    if not _works(venv):
        _create(venv)
    text = (ROOT / lock).read_text(encoding="utf-8")
    say(f"installing {count_pins(text)} packages from {lock} into {venv.name} (a minute or two the first time)")
    _stamp(lock, venv).unlink(missing_ok=True)
    # The lock is complete. Looking for dependencies, pip would want newer versions of what is asked for with extras.
    _pip(venv, "install", "--no-deps", "--require-hashes", "--requirement", str(ROOT / lock))
    # The build back end is in the lock too, so nothing unlocked is fetched to build the package.
    _pip(venv, "install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    _stamp(lock, venv).write_text(_fingerprint(lock, venv), encoding="ascii")


def is_usable(pip_version: str, venv: Path) -> bool:
    """Whether an environment is one of ours that works, by what its own `pip --version` prints.

    The commands of an environment hold its path, so one that was moved or copied is none. The form is pip's:
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
    # Twice quiet: errors only.
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
    """Make an environment for the lock named by the first argument: `.venv`, or the folder that the second one names."""
    lock, *folder = sys.argv[1:] if arguments is None else arguments
    ensure(lock, *(ROOT / name for name in folder))


if __name__ == "__main__":
    run_script(main)
