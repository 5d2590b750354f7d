"""`--param`: the values of parameters on the command line, and where they are shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dockercise_prefect.cli.parameter_options import given_parameters
from dockercise_prefect.errors import ExitStatus, UsageError
from dockercise_prefect.pipeline import Pipeline, bound, parameter, stage
from dockercise_prefect.results.report.run_page import Head, run_page
from dockercise_prefect.results.report.source import FolderSource
from dockercise_prefect.status import StageStatus
from tests.support.command import Command
from tests.support.recorded_runs import Recorded, ran

PIPELINE = """\
meta:
  parameters:
    tag: {choices: ["1", "2"], default: "1"}
    level: {type: integer}
one: {img: "x:$TAG", run: "echo $LEVEL"}
"""

BOUND = bound(
    Pipeline(
        "shop",
        [stage("greet", image="x", run="true")],
        parameters=[parameter("tag", default="1"), parameter("loud", type="boolean")],
    ),
    {"loud": "true"},
)


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """The folder of the pipeline."""
    (tmp_path / "a.dockercise.yaml").write_text(PIPELINE)
    return tmp_path


def test_everything_behind_the_first_equals_sign_is_the_value() -> None:
    """A value may be empty, and may have `=`."""
    assert given_parameters(["a=b=c", "empty=", "a=b=c"]) == {"a": "b=c", "empty": ""}


@pytest.mark.parametrize("options", [["a"], ["=b"], ["a=1", "a=2"]])
def test_wrong_options_are_refused(options: list[str]) -> None:
    """An option without a name or a value is refused, and so are two values for one name."""
    with pytest.raises(UsageError, match="--param"):
        given_parameters(options)


@pytest.mark.parametrize("verb", [["compile", "--format", "text"], ["graph"], ["explain", "one"]])
def test_commands_that_read_a_pipeline_take_values(command: Command, pipeline: Path, verb: list[str]) -> None:
    """A value is checked by every command that compiles, and a parameter without a value is no problem for them."""
    right = command(*verb, "-C", str(pipeline), "--param", "tag=2")
    wrong = command(*verb, "-C", str(pipeline), "--param", "tag=3")

    assert (right.status, wrong.status) == (0, ExitStatus.WRONG_INPUT)
    assert "x:3" not in right.out
    assert "DK055 the parameter `tag`: `3` is not one of its choices" in wrong.err


@pytest.mark.parametrize("verb", ["run", "plan"])
def test_a_run_needs_a_value_for_each_parameter(command: Command, pipeline: Path, verb: str) -> None:
    """Without a value, nothing begins: the finding has the place of the parameter."""
    outcome = command(verb, "-C", str(pipeline))

    assert outcome.status == ExitStatus.WRONG_INPUT
    assert "a.dockercise.yaml:4:5: DK054 the parameter `level` has no value" in outcome.err


def test_a_plan_knows_the_values(command: Command, pipeline: Path) -> None:
    """A plan with all values says what a run would do."""
    outcome = command("plan", "-C", str(pipeline), "--param", "level=3", "--results", str(pipeline / "results"))

    assert (outcome.status, outcome.err) == (0, "")


def test_the_listing_shows_parameters(command: Command, pipeline: Path) -> None:
    """`compile --format text` lists the parameters, and which variables come from them."""
    outcome = command("compile", "--format", "text", str(pipeline), "--param", "tag=2")

    assert 'parameter tag: string, default "2", one of 1, 2\nparameter level: integer, no default\n' in outcome.out
    assert "image     x:2" in outcome.out
    assert "LEVEL = the parameter level" in outcome.out


def test_a_recorded_run_shows_its_values(command: Command, tmp_path: Path) -> None:
    """`show` and the report have the values with which a run was made."""
    run = Recorded(tmp_path / "results", BOUND)
    run.stage("greet", ran(StageStatus.PASSED, 0, 1))
    run.end()
    head = Head("shop", run.run_id, "passed", None)

    shown = command("show", "last", "--results", "results")
    printed = json.loads(command("show", "last", "--results", "results", "--json").out)
    page = run_page(FolderSource(run.folder), head, BOUND, {}, graph=None, commit=None)

    assert "parameters     tag=1, loud=true" in shown.out
    assert printed["parameters"] == {"tag": "1", "loud": True}
    assert "<li>tag=1, loud=true</li>" in page
