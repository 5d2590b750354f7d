"""The page on secrets: everything that it shows really happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dockercise_prefect.emit.explain import explanation
from dockercise_prefect.runtime.secrets.masking import Masker
from tests.compiler.sources import compiled
from tests.e2e.conftest import Dockercise
from tests.test_user_pages import blocks

PAGE = (Path(__file__).resolve().parents[3] / "docs/secrets.md").read_text()
PIPELINE, WITH_A_FILE = blocks(PAGE, "yaml")
RAN, RAN_WITH_A_FILE, EXPLAINED = (block.partition("\n")[2] for block in blocks(PAGE, "console"))


def test_the_explanation_is_what_is_printed() -> None:
    """`explain` shows why a stage is sensitive, in the words of the page."""
    assert EXPLAINED in explanation(compiled(page=PIPELINE), "deploy")


def test_the_forms_of_the_table_are_masked() -> None:
    """Each example of a form is found, for the secret that the first example shows."""
    rows = re.findall(r"^\| .* \| `([^`…]+)` \|$", PAGE, re.MULTILINE)
    masker = Masker()
    masker.add(rows[0].encode())

    assert [masker.text(f"a {form} b") for form in rows] == ["a *** b"] * len(rows)
    assert len(rows) == 5


@pytest.mark.docker
def test_the_run_prints_what_is_shown(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """Every line of the page is printed, except for the durations of stages."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p/p.dockercise.yaml").write_text(PIPELINE)

    said = dockercise_run("-C", tmp_path / "p", "--env", "DB_PASSWORD", DB_PASSWORD="correct horse battery")

    assert said.exit_status == 0, said.stderr
    assert sorted(timeless(RAN)) == sorted(line for line in timeless(said.stderr) if line in timeless(RAN))
    assert "correct horse" not in said.stderr
    assert "tok-" not in said.stderr


@pytest.mark.docker
def test_the_secret_file_is_what_is_shown(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """The stage finds the file of the page, with the mode and the owner that the page shows."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p/p.dockercise.yaml").write_text(WITH_A_FILE)

    said = dockercise_run("-C", tmp_path / "p", "--env", "NETRC", NETRC="machine example.com\nlogin me password 1234567")

    assert said.exit_status == 0, said.stderr
    assert [line for line in timeless(said.stderr) if line in timeless(RAN_WITH_A_FILE)] == timeless(RAN_WITH_A_FILE)


def timeless(lines: str) -> list[str]:
    return [re.sub(r"\s+[\d.]+ s", " … s", line).rstrip() for line in lines.splitlines()]
