"""The options of `run` that take up a recorded run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.cli.resuming import how_to_resume, resume_of
from dockercise_prefect.errors import UsageError
from dockercise_prefect.pipeline import Pipeline, to_json
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.settings import Settings, read_settings
from dockercise_prefect.status import RunStatus, StageStatus
from tests.compiler.sources import compiled

RUN_ID = "20261130T094910Z-eb51"


@pytest.fixture
def pipeline() -> Pipeline:
    """A chain of three, and one beside it."""
    text = "a: {img: x, run: x}\nb: {img: x, run: x, after: a}\nc: {img: x, run: x, after: b}\nd: {img: x, run: x}\n"
    return replace(compiled(a=text), name="shop")


@pytest.fixture
def settings(tmp_path: Path, pipeline: Pipeline) -> Settings:
    """The place of results has one run of the pipeline, and one of another pipeline."""
    for folder in (f"shop/{RUN_ID}", "other/20261130T094911Z-0001"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "index.json").write_text(json.dumps(to_json(pipeline)))
    return replace(read_settings(), results=str(tmp_path))


def test_without_options_nothing_is_resumed(pipeline: Pipeline, settings: Settings) -> None:
    """A run of its own."""
    assert resume_of(pipeline, settings, (), None, None) is None


def test_a_run_is_found_among_those_of_the_pipeline(pipeline: Pipeline, settings: Settings) -> None:
    """`last` is the last run of this pipeline, whatever other pipelines have run since."""
    resume = resume_of(pipeline, settings, ("last",), None, None)

    assert resume is not None
    assert ([run.run_id for run in resume.runs], resume.as_it_was, resume.afresh) == ([RUN_ID], frozenset(), frozenset())


def test_several_runs_can_be_resumed(pipeline: Pipeline, settings: Settings) -> None:
    """A stage is looked for in them in the order of the options."""
    other = Path(settings.results) / "shop" / "20261130T094800Z-0002"
    other.mkdir()
    (other / "index.json").write_text(json.dumps(to_json(pipeline)))

    resume = resume_of(pipeline, settings, ("last", other.name), None, None)

    assert resume is not None
    assert [run.run_id for run in resume.runs] == [RUN_ID, other.name]


@pytest.mark.parametrize(("begin", "only", "as_it_was"), [("b", None, {"a", "d"}), (None, "b", {"a", "c", "d"})])
def test_a_stage_can_be_chosen(
    begin: str | None, only: str | None, as_it_was: set[str], pipeline: Pipeline, settings: Settings
) -> None:
    """`--from` leaves what comes after the stage to be compared, `--only` does not."""
    resume = resume_of(pipeline, settings, (RUN_ID,), begin, only)

    assert resume is not None
    assert resume.as_it_was == as_it_was
    assert resume.afresh == {"b"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (((), "a", None), "need --resume"),
        (((), None, "a"), "need --resume"),
        ((("last",), "a", "b"), "both choose what runs"),
        ((("last",), "e", None), "the pipeline has no stage `e`"),
        ((("2025",), None, None), "there is no run of shop"),
        ((("20261130T094911Z-0001",), None, None), "there is no run of shop"),
    ],
)
def test_what_does_not_fit_is_refused(
    options: tuple[tuple[str, ...], str | None, str | None], message: str, pipeline: Pipeline, settings: Settings
) -> None:
    """Each error says what is wrong."""
    with pytest.raises(UsageError, match=message):
        resume_of(pipeline, settings, *options)


@pytest.mark.parametrize(
    ("status", "ends", "root", "command"),
    [
        (RunStatus.FAILED, ["passed", "failed"], None, f"to resume: dockercise run --resume {RUN_ID}"),
        (RunStatus.FAILED, ["cached", "failed"], None, f"to resume: dockercise run --resume {RUN_ID}"),
        (RunStatus.CANCELLED, ["passed", "cancelled"], "my shop", f"to resume: dockercise run -C 'my shop' --resume {RUN_ID}"),
        (RunStatus.FAILED, ["skipped", "failed"], None, None),
        (RunStatus.ERROR, ["passed", "passed"], None, None),
        (RunStatus.PASSED, ["passed", "tolerated"], None, None),
    ],
)
def test_a_run_says_how_to_resume_it(status: RunStatus, ends: list[str], root: str | None, command: str | None) -> None:
    """Only if it did not pass, something in it did, and something is left to run."""
    stages = {str(number): StageSummary(StageStatus(end)) for number, end in enumerate(ends)}

    assert how_to_resume(RunSummary(RUN_ID, "shop", status, stages=stages), root) == command
