"""Tests on each engine, the newest Python and the oldest Prefect. `make acceptance` also runs the long tests.

Needs root and Debian.

Runs on `.venv`'s Python: `.venv/bin/python -m scripts.acceptance [ENGINE]… [python] [prefect]`. Without arguments, it runs all.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from packaging.requirements import Requirement

from scripts.console import SetUpError, run_script, say
from scripts.environment import DEV_LOCK, ROOT
from scripts.other_engine import ENGINES, client_configuration, other_engine

TESTS_OF_ENGINES = ("tests/runtime", "tests/e2e/test_hello.py", "tests/e2e/test_images.py")
DOCKER = [name for name, engine in ENGINES.items() if engine.program == "dockerd"]
TESTS_OF_PREFECT = ("tests/orchestration", "tests/e2e/test_hello.py", "tests/e2e/test_registered_runs.py")
PYTHON = "python"
PREFECT = "prefect"
MINORS = range(11, 30)


def check_engine(name: str) -> bool:
    """Whether the engine's tests pass on another engine."""
    with other_engine(name) as url:
        variables = {"DOCKER_HOST": url, "DOCKER_CONFIG": str(client_configuration(name))}
        return _passes(name, [sys.executable, "-m", "pytest", "-m", "docker", *TESTS_OF_ENGINES], **variables)


def check_podman() -> bool:
    """Whether a real Podman is refused."""
    with other_engine("podman") as url, tempfile.TemporaryDirectory() as data:
        done = subprocess.run(
            [sys.executable, "-m", "dockercise_prefect", "run", "-C", "flows/hello"],
            cwd=ROOT,
            env={**os.environ, "DOCKER_HOST": url, "DOCKERCISE_DATA": data},
            capture_output=True,
            text=True,
            check=False,
        )
    say(f"podman: exit status {done.returncode}, {done.stderr.strip()}")
    return done.returncode == 3 and "is Podman" in done.stderr  # noqa: PLR2004  there is no usable engine


def check_newest_python() -> bool:
    """Whether the tests that need no engine pass on the newest Python, in a separate environment."""
    python = newest(versions(_candidates()))
    if python is None:
        say(f"this machine has no newer Python than {sys.version.split()[0]}")
        return True
    folder = f".venv-{Path(python).name}"
    subprocess.run([python, "-m", "scripts.environment", DEV_LOCK, folder], cwd=ROOT, check=True)
    return _passes(python, [str(ROOT / folder / "bin/python"), "-m", "pytest", "-m", "not docker"])


def check_oldest_prefect() -> bool:
    """Whether the tests that use Prefect pass on the oldest allowed version, in a separate environment."""
    oldest = lower_bound("prefect", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folder = f".venv-prefect-{oldest}"
    python = str(ROOT / folder / "bin/python")
    subprocess.run([sys.executable, "-m", "scripts.environment", DEV_LOCK, folder], cwd=ROOT, check=True)
    subprocess.run([python, "-m", "uv", "pip", "install", "-q", "--python", python, f"prefect=={oldest}"], check=True)
    return _passes(f"Prefect {oldest}", [python, "-m", "pytest", *TESTS_OF_PREFECT])


def lower_bound(package: str, project: str) -> str:
    """The oldest version of a package that pyproject.toml allows.

    Args:
        package: its name in pyproject.toml.
        project: the text of pyproject.toml.
    """
    asked = (Requirement(line) for line in tomllib.loads(project)["project"]["dependencies"])
    (wanted,) = (one for one in asked if one.name == package)
    return next(one.version for one in wanted.specifier if one.operator == ">=")


def newest(found: Mapping[str, tuple[int, int]], ours: tuple[int, int] = sys.version_info[:2]) -> str | None:
    """The newest of the given Pythons; None if none is newer than ours.

    Args:
        found: each command and its version, major and minor.
        ours: the version that the tests already run on.
    """
    newer = {command: version for command, version in found.items() if version > ours}
    return max(newer, key=lambda command: newer[command], default=None)


def versions(commands: Iterable[str]) -> dict[str, tuple[int, int]]:
    """The version of each command. A command that does not run, for example a shim of pyenv, is left out."""
    found = {}
    for command in commands:
        try:
            done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
        except OSError:
            continue
        if version := re.fullmatch(r"Python (\d+)\.(\d+)\S*\s*", done.stdout):
            found[command] = int(version[1]), int(version[2])
    return found


def _candidates() -> list[str]:
    """Commands that may be a Python: those on the path with a version in their name, and all of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    of_pyenv = [str(path) for minor in MINORS for path in sorted(pyenv.glob(f"versions/3.{minor}.*/bin/python3.{minor}"))]
    return [*(f"python3.{minor}" for minor in MINORS), *of_pyenv]


def _passes(what: str, command: Sequence[str], **environment: str) -> bool:
    say(f"tests on {what}")
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False).returncode == 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all checks that the command line names, even if one fails. At the end, print which failed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.acceptance", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "what", nargs="*", metavar="WHAT", help=f"{', '.join([*ENGINES, PYTHON, PREFECT])}; all where none is named"
    )
    checks = {name: lambda name=name: check_engine(name) for name in DOCKER} | {
        "podman": check_podman,
        PYTHON: check_newest_python,
        PREFECT: check_oldest_prefect,
    }
    chosen = parser.parse_args(arguments).what or list(checks)
    if unknown := sorted(set(chosen) - set(checks)):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(checks)}")
    if failed := [name for name in chosen if not checks[name]()]:
        raise SetUpError(f"tests failed on: {', '.join(failed)}", "see their own words above")


if __name__ == "__main__":
    run_script(main)
