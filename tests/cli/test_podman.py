"""Podman, whose socket speaks Docker's API: every command refuses it before anything runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.engines.podman import podman

PIPELINE = """\
meta: {name: p, subgraphs: [acme/checks]}
a: {img: busybox, run: echo a}
"""


@pytest.fixture
def asked() -> list[str]:
    """The requests that the engine received."""
    return []


@pytest.fixture
def address(asked: list[str]) -> Iterator[str]:
    """The address of Podman."""
    with podman(asked) as address:
        yield address


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "-C", "flows/hello"),
        pytest.param(("package", "flows/hello", "-t", "acme/hello"), marks=pytest.mark.acceptance),
        ("compile", "{folder}"),
        pytest.param(("run", "-C", "{folder}"), marks=pytest.mark.acceptance),
    ],
    ids=["run", "package", "compile with packages", "run with packages"],
)
def test_podman_is_refused(address: str, asked: list[str], tmp_path: Path, arguments: Sequence[str]) -> None:
    """Exit status 3, a message with the reason and an alternative, and no request except for the engine's identity."""
    (tmp_path / "p.dockercise.yaml").write_text(PIPELINE)
    words = [word.format(folder=tmp_path) for word in arguments]

    done = subprocess.run(
        [sys.executable, "-m", "dockercise_prefect", *words],
        env={**os.environ, "DOCKER_HOST": address, "DOCKERCISE_DATA": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 3, done.stderr
    assert "is Podman 5.8.6, which cannot run pipelines" in done.stderr
    assert "use Docker 20.10 or later" in done.stderr
    assert set(asked) <= {"/version"}
