"""The golden cases: YAML in, the files and output of `compile` out (`cases.py` explains how they are rewritten)."""

from __future__ import annotations

import pytest

from dockercise_prefect.pipeline import from_json, to_json
from tests.compiler.cases import CASES, case_names, expected, present


@pytest.mark.parametrize("name", case_names())
def test_case_gives_what_its_folder_holds(name: str) -> None:
    """Compiling a case gives, byte for byte, the files in its folder, and none of them is missing or left over."""
    folder = CASES / name

    assert present(folder) == expected(folder)


def test_there_are_cases() -> None:
    """The golden cases are found, so that a wrong path cannot make them vanish."""
    names = case_names()

    assert len(names) >= 40


@pytest.mark.parametrize("name", [name for name in case_names() if (CASES / name / "pipeline.json").exists()])
def test_case_survives_json(name: str) -> None:
    """A golden pipeline that is read from its JSON prints as the same JSON."""
    import json

    printed = json.loads((CASES / name / "pipeline.json").read_text())

    assert to_json(from_json(printed), printed["targets"]) == printed
