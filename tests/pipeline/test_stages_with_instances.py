"""Pipelines with instances of a stage."""

from __future__ import annotations

import pytest

from dockercise_prefect.errors import DefinitionError
from dockercise_prefect.pipeline import (
    Pipeline,
    Stage,
    StageValues,
    from_json,
    instance,
    stage,
    to_json,
    values_of,
)


def _instance(of: str, **values: str) -> Stage:
    which = instance(of, **values)
    return stage(which.name, instance=which, image="busybox", run="true")


OLD, NEW = (_instance("test", PYTHON=version) for version in ("3.10", "3.11"))
REPORT = stage("report", image="busybox", env={"TEST": values_of(OLD, NEW)}, volumes=[OLD.volume, NEW.volume])
SAME = instance("check", PYTHON="3.11", DB="pg")
CHECK = stage(SAME.name, instance=SAME, image="busybox", after=[NEW], reads=[OLD])
PIPELINE = Pipeline("p", [OLD, NEW, REPORT, CHECK])


def test_round_trip() -> None:
    """A pipeline with instances is the same after it was written as JSON and read back."""
    assert from_json(to_json(PIPELINE)) == PIPELINE


def test_target() -> None:
    """The name of a stage with instances is a target that means all of them, and an instance can be a target too."""
    assert list(PIPELINE.only(["test"]).by_name) == ["test(3.10)", "test(3.11)"]
    assert list(PIPELINE.only(["test(3.11)"]).by_name) == ["test(3.11)"]


def test_unknown_target() -> None:
    """An unknown target that is similar to the name of a stage with instances gets a hint."""
    with pytest.raises(DefinitionError) as caught:
        PIPELINE.only(["tset"])

    assert caught.value.diagnostics[0].hint == "did you mean `test`?"


def test_folder() -> None:
    """All instances have the folder of their stage as their own volume, and others see them in folders below it."""
    assert NEW.folder == "/test"
    assert NEW.volume.target == "/test/3.11"


def test_paths() -> None:
    """An edge leads to the folder of the instance; one to the counterpart, which has the same values, to that of the stage."""
    assert {edge.stage: edge.path for edge in PIPELINE.by_name["report"].depends_on} == {
        "test(3.10)": "test/3.10",
        "test(3.11)": "test/3.11",
    }
    assert {edge.stage: edge.path for edge in PIPELINE.by_name[CHECK.name].depends_on} == {
        "test(3.11)": "test",
        "test(3.10)": "test/3.10",
    }


def test_values() -> None:
    """A variable with the values of several stages waits for all of them."""
    assert REPORT.env["TEST"] == StageValues(("test(3.10)", "test(3.11)"))
    assert REPORT.needs == ("test(3.10)", "test(3.11)")
