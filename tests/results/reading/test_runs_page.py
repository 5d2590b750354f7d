"""The page that lists the runs of a pipeline."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.places.objects import read
from dockercise_prefect.results.report.runs_page import Row, runs_page, update_runs_page
from dockercise_prefect.status import RunStatus, StageStatus
from tests.support.recorded_runs import Recorded, ran, run_id


def record(results: Path, number: int, status: RunStatus = RunStatus.PASSED) -> None:
    run = Recorded(results, number=number)
    run.stage(
        "check", ran(StageStatus.FAILED if status is RunStatus.FAILED else StageStatus.PASSED, 0, 1, message="exit code 1")
    )
    run.end(status)


class Counted(FolderObjects):
    """Remembers which objects are read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.read: list[str] = []

    def chunks(self, path: str, start: int = 0) -> Iterator[bytes]:
        self.read.append(path)
        return super().chunks(path, start)


def listed(results: Path) -> str:
    return read(FolderObjects(results), "shop/index.html").decode()


def test_runs_are_listed_newest_first_with_reasons(tmp_path: Path) -> None:
    """Each run has its state, a failed one also its reason, and a link to its own page."""
    record(tmp_path, 0)
    record(tmp_path, 1, RunStatus.FAILED)

    update_runs_page(FolderObjects(tmp_path), "shop")

    page = listed(tmp_path)
    assert page.index(run_id(1)) < page.index(run_id(0))
    assert f'href="{run_id(1)}/report.html"' in page
    assert "check (exit code 1)" in page


def test_only_what_is_new_is_read(tmp_path: Path) -> None:
    """Finished runs are taken from the page; a run that had not ended is read again."""
    record(tmp_path, 0)
    going_on = Recorded(tmp_path, number=1)
    update_runs_page(FolderObjects(tmp_path), "shop")
    assert "running, or interrupted" in listed(tmp_path)
    assert f'href="{run_id(1)}' not in listed(tmp_path)  # it has no page yet
    going_on.end()
    record(tmp_path, 2)
    objects = Counted(tmp_path)

    update_runs_page(objects, "shop")

    assert sorted(objects.read) == sorted(
        ["shop/index.html", *(f"shop/{run_id(number)}/{name}.json" for number in (1, 2) for name in ("index", "summary"))]
    )
    assert "running, or interrupted" not in listed(tmp_path)
    assert f'href="{run_id(1)}/report.html"' in listed(tmp_path)


def test_a_page_that_is_not_ours_is_written_anew(tmp_path: Path) -> None:
    """If another file has the name of the page, the runs are listed from their records."""
    record(tmp_path, 0)
    tag = b'<script type="application/json" id="runs">'
    for content in (b"", b"\xff", tag + b"[1]</script>", tag + b"{</script>", tag + b'{"stages":[],"runs":[{}]}</script>'):
        FolderObjects(tmp_path).put("shop/index.html", io.BytesIO(content))

        update_runs_page(FolderObjects(tmp_path), "shop")

        assert run_id(0) in listed(tmp_path)


def test_texts_cannot_leave_the_data(tmp_path: Path) -> None:
    """A reason that contains the end of a script is shown as text, in the table and in the data."""
    page = runs_page("shop", [Row(run_id(), "failed", None, None, "</script><script>alert(1)</script>")], more=3)

    assert "<script>alert" not in page
    assert "The newest 1 of 4." in page


def rows(count: int, names: list[str], failed: dict[int, str] | None = None) -> list[Row]:
    """Runs of these stages, newest first; in some of them, one stage failed."""
    blamed = failed or {}
    return [
        Row(
            run_id(count - number),
            "failed" if number in blamed else "passed",
            "2026-11-22T19:03:12+00:00",
            75.0,
            "",
            "0123456789abcdef",
            "main",
            "push",
            {name: StageStatus.FAILED if blamed.get(number) == name else StageStatus.PASSED for name in names},
        )
        for number in range(count)
    ]


def test_a_run_says_what_started_it(tmp_path: Path) -> None:
    """A row has commit, branch, event and duration, and the stage to blame is a link to its place on the page of the run."""
    page = runs_page("shop", rows(2, ["build", "test it"], {1: "test it"}), more=0)

    assert "0123456789ab · main · push · 75.0 s" in page
    assert f'<td class=failed><a href="{run_id(1)}/report.html#stage=test%20it">failed</a>' in page
    assert page.count("<td class=passed>passed") == 3


def test_what_the_page_knows_comes_back(tmp_path: Path) -> None:
    """The next run takes finished runs from the page as they were: commit, branch, event and all states."""
    record(tmp_path, 0, RunStatus.FAILED)
    update_runs_page(FolderObjects(tmp_path), "shop")
    first = listed(tmp_path)

    update_runs_page(FolderObjects(tmp_path), "shop")

    assert listed(tmp_path) == first
    assert "<td class=failed>" in first


def test_a_hundred_runs_of_a_hundred_stages_stay_small() -> None:
    """The page with ten thousand cells has fewer than 400 KB, and with far more of both not much more than a megabyte."""
    hundred = runs_page("shop", rows(100, [f"stage-{number}" for number in range(100)]), more=0)
    many = runs_page("shop", rows(500, [f"stage-{number}" for number in range(1_000)], {7: "stage-999"}), more=0)

    assert len(hundred) < 400_000
    assert len(many) < 2_000_000
    assert "920 more stages have no column" in many
    assert 'data-stage="stage-999"' in many
