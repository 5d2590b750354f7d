"""The page on services: everything that it shows really happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.compiler.sources import compiled
from tests.e2e.conftest import Dockercise
from tests.test_user_pages import blocks

PAGE = (Path(__file__).resolve().parents[3] / "docs/services.md").read_text()
DATABASE, SHOP = blocks(PAGE, "yaml")
RAN, LOG, SHOWN = blocks(PAGE, "console")


def timeless(text: str) -> list[str]:
    """The lines, with any duration."""
    return [re.sub(r"\s+[\d.]+ s", " … s", line).rstrip() for line in text.strip("\n").splitlines()]


def test_the_first_example_compiles() -> None:
    """The stage of the first example has two services, one of them with a check."""
    services = compiled(page=DATABASE).by_name["test"].services

    assert [(service.name, service.ready.run) for service in services] == [("cache", None), ("db", "pg_isready -U app")]


@pytest.mark.docker
def test_the_run_is_what_is_shown(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """Every line of the page is printed, and logs and messages of services are in the record."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p/p.dockercise.yaml").write_text(SHOP)

    said = dockercise_run("-C", tmp_path / "p", "--results", tmp_path / "results")

    (record,) = (tmp_path / "results/shop").glob("2*")
    printed, shown = timeless(said.stderr), timeless(RAN.partition("\n")[2])
    assert said.exit_status == 1
    assert [line for line in shown if line not in printed] == []
    assert (record / "test.web.log").read_text().startswith(LOG.partition("\n")[2])
    assert '"service db ended with exit code 2 before it was ready\\nservice db (ended' in (record / "migrate.json").read_text()
    assert "  no config file" in SHOWN
