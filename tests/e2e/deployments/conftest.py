"""Fixtures that the tests of `deployments/` share: the images that it names, made here, and commands as a user types them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import deploy_images

PREFECT = (sys.executable, "-m", "prefect", "--no-prompt")


def command(*words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """The output of a command on stdout; a failure shows all its output."""
    done = subprocess.run([*map(str, words)], check=False, capture_output=True, text=True, env=env, cwd=cwd, timeout=300)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def our_image() -> str:
    """The image of `deployments/docker/Dockerfile`."""
    return deploy_images.our_image()


@pytest.fixture(scope="session")
def postgres_image() -> str:
    """A replacement for the official Postgres image."""
    return deploy_images.postgres_image()
