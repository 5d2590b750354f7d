"""Make `.venv` hold exactly what a lock names, and the package itself, editable.

Runs on the system's Python with nothing but its standard library: `python3 -m scripts.environment requirements.lock`. A second
run with the same lock costs nothing: a stamp in `.venv` remembers what was installed.
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
PYTHON = VENV / "bin" / "python"
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


def ensure(lock: str) -> None:
    """Make or bring up to date `.venv` for the lock.

    Raises:
        SetUpError: Python cannot make environments here, or pip cannot get a package.
    """
    if _works() and any(_is_installed(name) for name in satisfied_by(lock)):
        return
    if not _works():
        _create()
    text = (ROOT / lock).read_text(encoding="utf-8")
    say(f"installing {count_pins(text)} packages from {lock} into .venv (a minute or two the first time)")
    _stamp(lock).unlink(missing_ok=True)
    # The lock is complete. Looking for dependencies, pip would want newer versions of what is asked for with extras.
    _pip("install", "--no-deps", "--require-hashes", "--requirement", str(ROOT / lock))
    # The build back end is in the lock too, so nothing unlocked is fetched to build the package.
    _pip("install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    _stamp(lock).write_text(_fingerprint(lock), encoding="ascii")


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


def _works() -> bool:
    try:
        done = subprocess.run([VENV / "bin" / "pip", "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return is_usable(done.stdout, VENV)


def _create() -> None:
    if subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode:
        debian.install([f"python3.{sys.version_info.minor}-venv"], "an environment for Python")
    say(f"making .venv with {sys.executable}, Python {sys.version.split()[0]}")
    done = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", VENV],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SetUpError(f"{sys.executable} could not make .venv:\n{done.stdout}", "try another Python: make demo PYTHON=…")


def _pip(*arguments: str) -> None:
    # Twice quiet: errors only.
    command = [str(PYTHON), "-m", "pip", "-qq", "--disable-pip-version-check", "--no-input", *arguments]
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode != 0:
        raise SetUpError(
            f"pip could not do `pip {' '.join(arguments)}`",
            "see pip's own words above; it needs a package index (PIP_INDEX_URL names another one than the usual)",
        )


def _stamp(lock: str) -> Path:
    return VENV / f"installed-{lock}.sha256"


def _is_installed(lock: str) -> bool:
    stamp = _stamp(lock)
    return stamp.exists() and stamp.read_text(encoding="ascii") == _fingerprint(lock)


def _fingerprint(lock: str) -> str:
    python = str(PYTHON.readlink()) if PYTHON.is_symlink() else str(PYTHON)
    return fingerprint((ROOT / lock).read_bytes(), (ROOT / "pyproject.toml").read_bytes(), python)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make `.venv` for the lock named by the first argument."""
    lock = (sys.argv[1:] if arguments is None else arguments)[0]
    ensure(lock)


if __name__ == "__main__":
    run_script(main)
