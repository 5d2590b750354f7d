"""Where people see who has approved a stage: in the terminal, in the report, in Prefect."""

from __future__ import annotations

import pytest

from dockercise_prefect.cli.present.lines import UNICODE, stage_lines
from dockercise_prefect.orchestration.prefect.artifact_text import stage_text
from dockercise_prefect.pipeline import stage
from dockercise_prefect.results.summary import ApprovalSummary, StageSummary
from dockercise_prefect.status import StageStatus

AT = "2026-11-30T22:00:00+00:00"
PASSED = StageSummary(StageStatus.PASSED, exit_code=0, attempts=1, approval=ApprovalSummary("yes", AT, "ann"))


def test_the_terminal_shows_who_approved() -> None:
    """The line of a stage that passed ends with who has approved it."""
    (line,) = stage_lines(stage("deploy", image="x"), PASSED, 8, UNICODE)

    assert line.plain.endswith("approved by ann (not verified)")


def test_prefect_shows_who_approved() -> None:
    """The artifact of the stage has a row for the answer."""
    text = stage_text("deploy", PASSED, [], [], lambda file: file)

    assert "| approval | approved by ann \\(not verified\\) |" in text


@pytest.mark.parametrize(
    ("approval", "said"),
    [
        (ApprovalSummary("yes", AT, "ann"), "approved by ann (not verified)"),
        (ApprovalSummary("no", AT, "ann"), "refused by ann (not verified)"),
        (ApprovalSummary("no", AT), "refused by somebody who gave no name"),
        (ApprovalSummary("none", AT), "nobody answered in time"),
    ],
)
def test_answers_in_words(approval: ApprovalSummary, said: str) -> None:
    """Each answer has words for people."""
    assert approval.in_words == said


def test_a_record_of_an_earlier_version_has_no_answer() -> None:
    """Entries without an answer stay as they were, and an entry with one can be read back."""
    without = StageSummary(StageStatus.PASSED)

    assert not {"approval", "approved_by"} & without.to_json().keys()
    assert StageSummary.from_json(without.to_json()) == without
    assert StageSummary.from_json(PASSED.to_json()) == PASSED
    assert PASSED.to_json()["approved_by"] == "ann"
