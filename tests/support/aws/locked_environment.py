"""Python environments for programs that do not fit into ours, each made once for all tests on this machine from a lock."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

import platformdirs
from filelock import FileLock

_CACHE = platformdirs.user_cache_path("dockercise-tests") / "environments"


def locked_environment(lock: Path) -> Path:
    """The folder `bin` of an environment with exactly what a lock names. It is made if there is none for this Python.

    Args:
        lock: the file, with hashes.
    """
    name = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = _CACHE / f"{lock.stem}-{name}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "complete").exists():
            venv.create(folder, clear=True, with_pip=True)
            command = [str(folder / "bin/python"), "-m", "pip", "-qq", "--disable-pip-version-check", "install"]
            command += ["--require-hashes", "--requirement", str(lock)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            (folder / "complete").touch()
    return folder / "bin"
