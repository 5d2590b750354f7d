"""The tables of docs/outcomes.md, as data for tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dockercise_prefect.pipeline import RunsOn
from dockercise_prefect.status import StageStatus

PAGE = Path(__file__).parents[3] / "docs" / "outcomes.md"

EDGES = ("after", "env", "vol", "on", "out", "img", "if", "unless")


class Row(NamedTuple):
    """One combination: what becomes of a stage with this `when` and this edge to a stage that ended like this."""

    when: RunsOn
    ended: StageStatus
    edge: str
    outcome: str


def rows() -> list[Row]:
    """All combinations of the page, with one row for each kind of edge."""
    tables = PAGE.read_text(encoding="utf-8").split("## What runs then")[1].split("`B` has ")[1:]
    return [row for table in tables for row in _rows(_when(table), table)]


def _when(table: str) -> RunsOn:
    return RunsOn(re.findall(r"`when: (\w+)`", table.partition("\n")[0])[-1])


def _rows(when: RunsOn, table: str) -> Iterator[Row]:
    head, _, *lines = [line for line in table.splitlines() if line.startswith("|")]
    columns = [re.findall(r"`/?(\w+)`", cell) for cell in head.strip("|").split("|")[1:]]
    for line in lines:
        name, *outcomes = (cell.strip() for cell in line.strip("|").split("|"))
        for edges, outcome in zip(columns, outcomes, strict=True):
            for edge in edges:
                yield Row(when, StageStatus(name.replace(" ", "_")), edge, outcome)
