"""The page on `matrix`: its pipelines compile, and the commands that only read them print what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from dockercise_prefect.cli import dockercise
from dockercise_prefect.compiler import compile_folder
from tests.test_user_pages import blocks

PAGE = (Path(__file__).resolve().parents[3] / "docs/matrix.md").read_text()
PIPELINES = blocks(PAGE, "yaml")
(WRONG,) = blocks(PAGE, "yaml wrong")
FIRST_GRAPH, _, SECOND_GRAPH, FINDINGS = (block.partition("\n")[2] for block in blocks(PAGE, "console"))


def _said(folder: Path, pipeline: str, command: str) -> tuple[int, str]:
    (folder / "shop.dockercise.yaml").write_text(pipeline)
    result = CliRunner().invoke(dockercise, [command, str(folder)])
    return result.exit_code, result.stdout + result.stderr


@pytest.mark.parametrize(("pipeline", "shown"), [(PIPELINES[0], FIRST_GRAPH), (PIPELINES[1], SECOND_GRAPH)])
def test_graphs(tmp_path: Path, pipeline: str, shown: str) -> None:
    """`graph` prints the instances that the page lists."""
    assert _said(tmp_path, pipeline, "graph") == (0, shown)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_pipelines(tmp_path: Path, pipeline: str) -> None:
    """Every pipeline on the page compiles without a warning."""
    (tmp_path / "shop.dockercise.yaml").write_text(pipeline)

    assert compile_folder(tmp_path).warnings == ()


def test_findings(tmp_path: Path) -> None:
    """`lint` prints the findings that the page shows."""
    assert _said(tmp_path, WRONG, "lint") == (2, FINDINGS)
