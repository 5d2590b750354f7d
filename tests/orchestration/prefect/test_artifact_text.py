"""How Prefect's UI shows stages and runs."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from dockercise_prefect.orchestration.prefect.artifact_text import (
    MOST_ROWS,
    run_headline,
    run_key,
    run_text,
    stage_headline,
    stage_key,
    stage_text,
)
from dockercise_prefect.pipeline import Pipeline, stage
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.status import RunStatus, StageStatus
from tests.support.recorded_runs import SHOP, ran, run_id

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=60)


def in_folder(file: str) -> str:
    return f"file:///home/me/results/shop/{run_id()}/{file}"


def in_bucket(file: str) -> str:
    return f"https://bucket.example/{file}?X-Amz-Signature=abc&x=(1)"


def test_a_stage_says_how_it_ended() -> None:
    """State, duration, exit code, image, the end of the log and the place of the record are shown."""
    text = stage_text(
        "check",
        ran(StageStatus.FAILED, 0, 2.5, 3, "exit code 3\nno"),
        ["looking", "no"],
        ["check.log", "check.out", "check.json"],
        in_folder,
    )

    assert (
        text
        == f"""\
## check

| state | ✗ failed |
|---|---|
| took | 2.5 s |
| exit code | 3 |
| message | exit code 3 |
| image | `sha256:aa` |
| log | `/home/me/results/shop/{run_id()}/check.log` |
| output | `/home/me/results/shop/{run_id()}/check.out` |
| JSON | `/home/me/results/shop/{run_id()}/check.json` |

The last 2 lines of its log:

```text
looking
no
```
"""
    )


def test_links_into_a_bucket_can_be_followed() -> None:
    """A signed address is a link, whatever characters it has."""
    text = stage_text("a", ran(StageStatus.PASSED, 0, 1), [], ["a.tar.zst"], in_bucket)

    assert "| volume | [a.tar.zst](<https://bucket.example/a.tar.zst?X-Amz-Signature=abc&x=(1)>) |" in text


def test_a_volume_that_is_not_whole_says_where_the_rest_is() -> None:
    """The text next to the link warns that files are missing in the archive."""
    text = stage_text("a", ran(StageStatus.PASSED, 0, 1), [], ["a.tar.zst"], lambda name: f"/x/{name}", "build")

    assert "| volume | `/x/a.tar.zst`: files that build also has are only in the archive of build |" in text


def test_a_run_shows_failures_first_and_its_critical_path() -> None:
    """The stages that caused the failure come first, then those that never started; the critical path is bold and explained."""
    stages = {
        "greet": ran(StageStatus.PASSED, 0, 1),
        "hush": ran(StageStatus.PASSED, 0, 1),
        "check": ran(StageStatus.FAILED, 1, 2, 1, "exit code 1\nlooking\nno `x`"),
        "deliver": StageSummary(StageStatus.NOT_STARTED, message="not started: check failed"),
    }

    summary = RunSummary(run_id(), "shop", RunStatus.FAILED, stages=stages)
    text = run_text(summary, SHOP, ["report.html"], in_bucket)

    rows = [line.split(" | ")[1] for line in text.splitlines() if line.startswith(("| ✗", "| ✓", "| ·"))]
    page = "(<../../runs/task-run/task-1>)"
    assert rows == [f"**[check]{page}**", "deliver", f"**[greet]{page}**", f"[hush]{page}"]
    assert "**check** printed last:\n\n```text\nlooking\nno `x`\n```\n" in text
    assert "**Critical path** (3.0 s): greet → check" in text
    assert f"dockercise show {run_id()}" in text


def test_a_run_of_thousands_of_stages_shows_the_first_and_counts_the_others() -> None:
    """The table has a limit. Failures are in it wherever they are in the pipeline, and the other stages are counted."""
    names = [f"s{number}" for number in range(10_000)]
    known = {name: StageSummary(StageStatus.CACHED, 0, message="reused from a") for name in names}
    known |= {"s9998": ran(StageStatus.FAILED, 0, 1, 3, "exit code 3"), "s9999": ran(StageStatus.PASSED, 0, 1)}
    pipeline = Pipeline("shop", [stage(name, image="bb:1", run="x") for name in names])

    text = run_text(RunSummary(run_id(), "shop", RunStatus.FAILED, stages=known), pipeline, [], in_folder)

    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert "✗ failed | **[s9998](" in rows[1]
    assert len(rows) == 1 + MOST_ROWS + 1  # with the heads of both tables
    assert "And 9,500 more stages: 9,499 cached, 1 passed. All of them are in the record." in text
    assert len(text) < 50_000


def test_a_long_critical_path_is_cut() -> None:
    """The critical path of a run of thousands of stages does not fill the page."""
    names = [f"s{number}" for number in range(3_000)]
    stages = [stage(names[0], image="bb:1", run="x")]
    for name in names[1:]:
        stages.append(stage(name, image="bb:1", run="x", after=[stages[-1]]))
    known = {name: ran(StageStatus.PASSED, number, 1) for number, name in enumerate(names)}

    text = run_text(RunSummary(run_id(), "shop", RunStatus.PASSED, stages=known), Pipeline("shop", stages), [], in_folder)

    assert f"{names[MOST_ROWS - 1]} → …" in text
    assert names[MOST_ROWS] not in text


def test_a_run_leads_to_its_stages() -> None:
    """A stage that has a task run is a link to it in every UI; a stage without a task run is not a link."""
    stages = {"greet": ran(StageStatus.PASSED, 0, 1), "hush": StageSummary(StageStatus.NOT_STARTED)}

    text = run_text(RunSummary(run_id(), "shop", RunStatus.ERROR, stages=stages), SHOP, [], in_bucket)

    assert "| **[greet](<../../runs/task-run/task-1>)** |" in text
    assert "| hush |" in text


def test_names_in_links_are_as_they_are() -> None:
    """A name in a link has no backslashes, which Prefect would show; a name that needs them is next to its link."""
    stages = {name: ran(StageStatus.PASSED, 0, 1) for name in ("x]y", "unit-tests", "a_b")}

    text = run_text(RunSummary(run_id(), "shop", RunStatus.PASSED, stages=stages), SHOP, [], in_bucket)

    assert "| [unit-tests](<" in text
    assert "| [a_b](<" in text
    assert r"x\]y [↗](<" in text


def test_headlines_say_it_in_one_line() -> None:
    """Prefect's list of artifacts shows how a stage and a run ended, and no message can harm it."""
    failed = ran(StageStatus.FAILED, 0, 2.5, 3, "exit code 3\n<b>no</b>")
    began, ended = failed.started, failed.finished
    run = RunSummary(run_id(), "shop", RunStatus.FAILED, None, began, ended, stages={"a_b": failed})

    assert stage_headline(failed) == "✗ failed in 2.5 s: exit code 3"
    assert stage_headline(StageSummary(StageStatus.SKIPPED, message="*")) == r"\- skipped: \*"
    assert run_headline(run) == r"**failed** in 2.5 s: a\_b \(exit code 3\)"


def test_what_steers_a_terminal_is_left_out() -> None:
    """Colours, cursor movements and earlier states of a progress bar are not shown; entities stay plain text."""
    text = stage_text("a", ran(StageStatus.PASSED, 0, 1), ["\x1b[31mred\x1b[0m", "10%\r100%"], [], in_folder)

    assert text.endswith("```text\nred\n100%\n```\n")
    assert r"a\&lt;b" in stage_headline(ran(StageStatus.ERROR, 0, 1, message="a&lt;b\x1b[2J"))


@given(first=NAMES, second=NAMES)
def test_keys_are_what_prefect_takes_and_distinct(first: str, second: str) -> None:
    """Any name makes a key of lower-case letters, digits and dashes, and two names never make the same key."""
    keys = {run_key(first), stage_key(first, second), stage_key(first, first)}

    assert all(re.fullmatch(r"[a-z0-9-]+", key) for key in keys)
    assert len(keys) == (2 if first == second else 3)


@example(name="a", tail=["``\x1b[31m`", "# live"])
@given(name=NAMES, tail=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=40), max_size=4))
def test_nothing_that_is_shown_breaks_the_page(name: str, tail: list[str]) -> None:
    """Names and lines stay text: a fence is longer than any in the log, and no text breaks a cell of a table."""
    one = stage(name, image="bb:1", run="x") if "/" not in name else stage("a", image="bb:1", run="x")
    summary = ran(StageStatus.FAILED, 0, 1, 1, f"{name} | `x` <b>")

    page = stage_text(one.name, summary, tail, [], in_folder)
    summaries = {one.name: summary}
    run = run_text(RunSummary(run_id(), name, RunStatus.FAILED, stages=summaries), Pipeline("p", [one]), [], in_folder)

    if tail:
        fence = next(line for line in page.splitlines() if line.endswith("`text")).removesuffix("text")
        assert page.split("\n").count(fence) == 1
    for row in (line for line in (*page.split("\n"), *run.split("\n")) if line.startswith("| ✗")):
        assert len(re.findall(r"(?<!\\)\|", row.replace("\\\\", ""))) == 6
