"""The summary at the end of a run."""

import json

import pytest

from dockercise_prefect.results.summary import AuditSummary, RunSummary, StageSummary
from dockercise_prefect.status import RunStatus, StageStatus


def test_the_object_has_the_keys_that_others_rely_on() -> None:
    """`summary.json` has exactly the keys that DESIGN section 3 lists, as plain JSON."""
    summary = RunSummary("r", "hello", RunStatus.FAILED, stages={"a": StageSummary(StageStatus.TIMED_OUT)})

    printed = json.loads(json.dumps(summary.to_json()))

    assert printed == {
        "run_id": "r",
        "pipeline": "hello",
        "status": "failed",
        "error": None,
        "started": None,
        "finished": None,
        "flow_run_id": None,
        "flow_run_url": None,
        "results": None,
        "code_digest": None,
        "stages": {
            "a": {
                "status": "timed_out",
                "exit_code": None,
                "started": None,
                "finished": None,
                "image_digest": None,
                "task_run_id": None,
                "message": None,
                "attempts": None,
                "because": None,
                "reused_from": None,
                "audit": None,
            }
        },
    }


@pytest.mark.parametrize(
    ("started", "finished", "seconds"),
    [
        ("2026-11-22T19:03:12.500000+00:00", "2026-11-22T19:03:14+00:00", 1.5),
        ("2026-11-22T19:03:12Z", "2026-11-22T19:03:12Z", 0),
        ("2026-11-22T19:03:12Z", "2026-11-22T19:03:11Z", 0),
        ("2026-11-22T19:03:12Z", None, None),
        (None, "2026-11-22T19:03:12Z", None),
    ],
)
def test_durations_come_from_the_times(started: str | None, finished: str | None, seconds: float | None) -> None:
    """The duration of a stage or a run is calculated from its times; if the clock was set back, it is zero, never negative."""
    stage = StageSummary(StageStatus.PASSED, started=started, finished=finished)
    run = RunSummary("r", "hello", RunStatus.PASSED, started=started, finished=finished)

    assert (stage.seconds, run.seconds) == (seconds, seconds)


def test_the_reasons_are_the_stages_to_blame() -> None:
    """Failed stages are named with the first line of their message; tolerated stages and those that did not start are not."""
    stages = {
        "a": StageSummary(StageStatus.FAILED, 1, message="exit code 1\nlast line of its log"),
        "b": StageSummary(StageStatus.TOLERATED, 3),
        "c": StageSummary(StageStatus.NOT_STARTED, message="not started: a failed"),
        "d": StageSummary(StageStatus.TIMED_OUT, message=" \n"),
    }

    assert RunSummary("r", "hello", RunStatus.FAILED, stages=stages).reasons == ("a (exit code 1)", "d (timed out)")


def test_what_went_wrong_outside_the_stages_is_the_reason() -> None:
    """An error of ours is shown instead of the stages that failed because of it."""
    stages = {"a": StageSummary(StageStatus.ERROR, message="the engine is gone")}

    summary = RunSummary("r", "hello", RunStatus.ERROR, error="no engine answers\nat all", stages=stages)

    assert summary.reasons == ("no engine answers",)


def test_a_comparison_comes_back() -> None:
    """How a stage compares with what could have been reused is plain JSON, and is read again."""
    stage = StageSummary(StageStatus.PASSED, audit=AuditSummary("20261130T091022Z-4212", "its volume differs"))

    printed = json.loads(json.dumps(stage.to_json()))

    assert printed["audit"] == {"run_id": "20261130T091022Z-4212", "difference": "its volume differs"}
    assert StageSummary.from_json(printed) == stage
