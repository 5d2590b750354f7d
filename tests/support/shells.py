"""`dockercise shell` as a user's process, for tests on the real engine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from dockercise_prefect.runtime.docker.engine import DockerEngine

SHELL = [sys.executable, "-m", "dockercise_prefect", "shell"]

PATIENCE = 300
"""Seconds that the command may take."""


def piped(
    environment: Mapping[str, str], root: Path, typed: str, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """A shell whose input is a pipe.

    Args:
        environment: of the command.
        root: its working folder.
        typed: the input of the shell.
        arguments: of the command.
        variables: more variables of its environment.
    """
    done = subprocess.run(
        [*SHELL, *arguments],
        input=typed,
        capture_output=True,
        text=True,
        cwd=root,
        env={**environment, **variables},
        timeout=PATIENCE,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def left_of(run_id: object) -> list[str]:
    """What the engine still has of a run and its shells: containers, volumes, networks and images."""
    with closing(DockerEngine.connect()) as engine:
        return [each.id for each in engine.leftovers() if each.labels.get("dockercise.run") == run_id]
