"""Whole scripts, and what each of them needs of other stages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dockercise_prefect.pipeline import CodeSnapshot, Stage
from tests.compiler.sources import compiled

STAGES = ("build", "build-x", "test", "api", "app", "data", "version", "get-token", "node", "src")
"""The other stages of the pipeline."""

ROWS: list[dict[str, Any]] = [
    row for name in ("scripts", "more_scripts") for row in json.loads(Path(__file__).with_name(f"{name}.json").read_text())
]
"""`expected` is the result that a user expects. If the `found` result differs, `why` gives the reason."""


def _edges(script: str) -> list[str]:
    """The needs of a stage with this script, as `kind:stage`; the code as `code`."""
    others = "".join(f"{name}: {{img: x}}\n" for name in STAGES)
    stage: Stage = compiled(f=f"{others}last:\n  img: x\n  run: {json.dumps(script)}\n").by_name["last"]
    code = ["code"] if any(isinstance(mount.source, CodeSnapshot) for mount in stage.mounts) else []
    return sorted([*code, *(f"{edge.kind.value}:{edge.stage}" for edge in stage.depends_on)])


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_what_a_script_says(row: dict[str, Any]) -> None:
    """A script gives its stage the edges that its author expects, or other ones for which the table has a reason."""
    assert _edges(row["script"]) == row.get("found", row["expected"])


def test_exceptions_are_few_and_explained() -> None:
    """At most three in a hundred scripts differ from the expectation, each with its reason."""
    others = [row for row in ROWS if row.get("found", row["expected"]) != row["expected"]]

    assert len(others) <= 0.03 * len(ROWS)
    assert all(row["why"] for row in others)
