"""`show`: how a run went."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.pipeline import ImageReference, Pipeline, Stage, instance, stage
from dockercise_prefect.results.summary import AuditSummary, StageSummary
from dockercise_prefect.status import RunStatus, StageStatus
from tests.support.command import Command
from tests.support.recorded_runs import FIRST, Recorded, failed_run, ran, run_id


def test_it_looks_like_the_end_of_run(command: Command, tmp_path: Path) -> None:
    """Every stage has a line as in `run`, a failure has its whole message, and the critical path and the links follow."""
    run = failed_run(tmp_path / "results")
    run.store.bundle_outputs([])
    run.store.keep_report("<p>")

    outcome = command("show", "last", "--results", "results")

    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == (
        f"shop · {run_id()} · 4 stages · started 2026-11-22 19:03:12 UTC\n"
        "http://127.0.0.1:4200/runs/flow-run/f10\n"
        "  ✓ greet     0.4 s\n"
        "  ✓ hush      0.2 s\n"
        "  ✗ check     1.2 s   exit code 1\n"
        "      grep: no match\n"
        "  · deliver           not started: check failed\n"
        f"failed in 2.0 s: check (exit code 1) · results in {run.folder}\n"
        "\n"
        "critical path  greet 0.4 s, check 1.2 s\n"
        f"report         {run.folder}/report.html\n"
        f"outputs        {run.folder}/out.zip\n"
    )


def test_many_instances(command: Command, tmp_path: Path) -> None:
    """From 20 instances on, one line counts them, and those that failed follow, with the ends of their logs."""
    which = [instance("test", NUMBER=str(number)) for number in range(20)]
    pipeline = Pipeline("many", [stage(one.name, instance=one, image="x") for one in which])
    run = Recorded(tmp_path, pipeline)
    for one in which:
        run.stage(one.name, ran(StageStatus.PASSED, 0, 1))
    run.stage("test(7)", ran(StageStatus.FAILED, 0, 1, 3, "exit code 3\nwhy"))
    run.end(RunStatus.FAILED)

    outcome = command("show", run.run_id, "--results", str(tmp_path))

    assert outcome.out.splitlines()[2:5] == [
        "  ✗ test              20 instances: 19 passed, 1 failed",
        "  ✗ test(7)   1.0 s   exit code 3",
        "      why",
    ]


def test_a_run_that_goes_on_or_was_killed(command: Command, tmp_path: Path) -> None:
    """A run without an end shows what is known of its stages, and that it is unknown whether the run still goes on."""
    run = Recorded(tmp_path)
    run.stage("greet", ran(StageStatus.PASSED, 0, 1))
    run.store.stage_started("check", StageSummary(StageStatus.RUNNING, started=FIRST.isoformat()))

    outcome = command("show", run_id(), "--results", str(tmp_path))

    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines()[1:6] == [
        "  ✓ greet     1.0 s",
        "    hush              waiting",
        "  ▸ check             running, or interrupted",
        "    deliver           waiting",
        f"not finished: running, or interrupted · results in {run.folder}",
    ]


def test_json_is_the_summary_and_more(command: Command, tmp_path: Path) -> None:
    """The object is the one of `run --json`, with the needs of stages, the critical path, links, and broken parts."""
    run = failed_run(tmp_path)
    run.store.keep_report("<p>")
    summary = json.loads((run.folder / "summary.json").read_text())

    printed = json.loads(command("show", "last", "--results", str(tmp_path), "--json").out)

    assert list(printed) == [*summary, "critical_path", "links", "problems"]
    assert printed["stages"].pop("check") == {**summary["stages"].pop("check"), "needs": ["greet"]}
    assert printed["stages"]["deliver"]["needs"] == ["check"]
    assert (printed["status"], printed["results"]) == ("failed", run.folder.as_uri())
    assert printed["critical_path"] == ["greet", "check"]
    assert printed["links"] == {"report": f"{run.folder}/report.html"}
    assert printed["problems"] == []


def test_json_of_a_run_without_an_end(command: Command, tmp_path: Path) -> None:
    """The keys are the same; unknown values are null, and waiting stages are marked as waiting."""
    run = Recorded(tmp_path)
    run.stage("greet", ran(StageStatus.PASSED, 0, 1))
    whole = failed_run(tmp_path, number=1)

    printed = json.loads(command("show", run_id(), "--results", str(tmp_path), "--json").out)

    assert list(printed)[:-3] == list(json.loads((whole.folder / "summary.json").read_text()))
    assert (printed["status"], printed["finished"], printed["started"]) == ("unfinished", None, FIRST.isoformat())
    assert printed["stages"]["greet"]["status"] == "passed"
    assert printed["stages"]["hush"] == {"status": "waiting", "needs": []}


def test_a_record_that_was_moved_says_where_it_is_now(command: Command, tmp_path: Path) -> None:
    """Links lead to the present place of the record, not to the place where the run once put it."""
    failed_run(tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")

    outcome = command("show", "last", "--results", "new")

    assert f"results in {tmp_path}/new/shop/{run_id()}\n" in outcome.out
    assert "/old/" not in outcome.out


def test_what_is_broken_is_said(command: Command, tmp_path: Path) -> None:
    """A record whose index and summary are lost still gives a page, with notes and without a traceback."""
    run = failed_run(tmp_path)
    (run.folder / "summary.json").write_text("{")
    (run.folder / "index.json").unlink()

    outcome = command("show", "last", "--results", str(tmp_path))

    assert outcome.status == 0
    assert len(re.findall(r"^note: .*(?:summary|index)\.json is broken: ", outcome.out, re.MULTILINE)) == 2
    assert "0 stages" in outcome.out


def test_messages_cannot_drive_the_terminal(command: Command, tmp_path: Path) -> None:
    """Control sequences in a message of a record are not printed."""
    run = Recorded(tmp_path)
    run.stage("check", ran(StageStatus.FAILED, 0, 1, 1, "exit\x1b[2J code 1\nlast\x1b]0;title\x07 line"))
    run.end(RunStatus.ERROR, error="lost\x1b[2J")

    outcome = command("show", "last", "--results", str(tmp_path))

    assert "\x1b" not in outcome.out
    assert "exit code 1" in outcome.out
    assert "last line" in outcome.out


def test_an_unknown_run(command: Command, tmp_path: Path) -> None:
    """A run that does not exist is wrong usage."""
    failed_run(tmp_path)

    outcome = command("show", "1999", "--results", str(tmp_path))

    assert outcome.status == ExitStatus.WRONG_INPUT
    assert outcome.err == (
        f"there is no run whose id is or begins with `1999` in {tmp_path}\n  hint: `dockercise runs` lists all runs\n"
    )


def test_last_is_that_of_the_pipeline_here(command: Command, tmp_path: Path) -> None:
    """In the folder of a pipeline, `last` is the last run of that pipeline; if it has no run, the last run of any pipeline."""
    other = Pipeline("other", [Stage(name="s", image=ImageReference("x"))])
    Recorded(tmp_path / "results", number=1)
    Recorded(tmp_path / "results", other, number=2)
    file = tmp_path / "a.dockercise.yaml"

    elsewhere = command("show", "last", "--results", "results").out
    file.write_text("meta: {name: shop}\na: {img: x}\n")
    here = command("show", "last", "--results", "results").out
    file.write_text("meta: {name: never-run}\na: {img: x}\n")
    never = command("show", "last", "--results", "results").out

    assert elsewhere.startswith("other · ")
    assert here.startswith("shop · ")
    assert never.startswith("other · ")


def test_stages_that_were_compared_are_counted(command: Command, tmp_path: Path) -> None:
    """A stage that left something else than what could have been reused says so, and a line counts all that were compared."""
    run = Recorded(tmp_path)
    run.stage("greet", replace(ran(StageStatus.PASSED, 0, 1), audit=AuditSummary(run_id(1))))
    run.stage("hush", replace(ran(StageStatus.PASSED, 0, 1), audit=AuditSummary(run_id(1), "its volume differs")))
    run.end()

    outcome = command("show", "last", "--results", str(tmp_path))

    assert re.search(rf"✓ hush .* differs from {run_id(1)}\n", outcome.out)
    assert "audit          2 stages that could be reused were run and compared; 1 left something else\n" in outcome.out
