"""The environment that `make` sets up."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scripts.environment import DEV_LOCK, ROOT, RUNTIME_LOCK, count_pins, fingerprint, is_usable, satisfied_by

VENV = Path("/home/someone/project/.venv")
PACKAGES = f"{VENV}/lib/python3.11/site-packages/pip"


@pytest.mark.parametrize(
    ("lock", "project", "python"),
    [(b"other", b"project", "python"), (b"lock", b"other", "python"), (b"lock", b"project", "other")],
    ids=["lock", "project", "python"],
)
def test_any_change_asks_for_an_installation(lock: bytes, project: bytes, python: str) -> None:
    """Another lock, other metadata of the project, or another Python gives another fingerprint."""
    assert fingerprint(lock, project, python) != fingerprint(b"lock", b"project", "python")


def test_an_environment_of_ours_is_usable() -> None:
    """An environment whose pip is inside it, on a Python that is new enough, is kept."""
    assert is_usable(f"pip 23.0.1 from {PACKAGES} (python 3.11)\n", VENV)


@pytest.mark.parametrize(
    "pip_version",
    [
        "",
        f"pip 23.0.1 from {PACKAGES} (python 3.10)",
        "pip 23.0.1 from /home/someone/elsewhere/.venv/lib/python3.11/site-packages/pip (python 3.11)",
    ],
    ids=["no pip", "Python too old", "moved from elsewhere"],
)
def test_an_environment_that_would_not_work_is_made_anew(pip_version: str) -> None:
    """An environment that is broken, has an older Python, or was moved is not kept."""
    assert not is_usable(pip_version, VENV)


def test_the_developers_environment_serves_the_demo() -> None:
    """The packages for the tests include those for the demo, but not the other way round."""
    assert satisfied_by(RUNTIME_LOCK) == (RUNTIME_LOCK, DEV_LOCK)
    assert satisfied_by(DEV_LOCK) == (DEV_LOCK,)


def test_packages_of_a_lock_are_counted() -> None:
    """Only pins count, not comments, hashes or continued lines."""
    lock = "# a==1\nclick==8.1 \\\n    --hash=sha256:00\n    # via x==2\n\nrich==13 ; sys_platform == 'win32'\n"

    assert count_pins(lock) == 2


def test_a_python_that_does_not_exist_is_named() -> None:
    """If no Python is new enough, the message shows which ones were tried and what to do."""
    done = subprocess.run(
        [ROOT / "scripts/find-python"],
        env={"PYTHON": "no-such-python", "PATH": "/bin:/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stdout == ""
    assert "looked for no-such-python" in done.stderr
    assert "next:" in done.stderr


def test_the_python_that_the_user_names_is_used() -> None:
    """`PYTHON=…` has priority over every other installed Python."""
    done = subprocess.run(
        [ROOT / "scripts/find-python"], env={"PYTHON": "sh", "PATH": "/bin:/usr/bin"}, capture_output=True, check=False
    )

    assert done.returncode == 2
