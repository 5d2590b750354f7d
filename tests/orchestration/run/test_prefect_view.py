"""Which artifacts show a run and its stages, without Prefect."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from dockercise_prefect.errors import StorageError
from dockercise_prefect.orchestration.run.prefect_view import PrefectView
from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.orchestration.run.secrecy import Secrecy
from dockercise_prefect.pipeline import Pipeline, stage, to_json
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.runtime.stage.job import JobResult, OwnVolume, Stdout
from dockercise_prefect.status import RunStatus, StageStatus

NOW = datetime(2026, 11, 29, tzinfo=UTC)

BUILD = stage("build", image="busybox", run="x")
PIPELINE = Pipeline("shop", [BUILD, stage("test", image="busybox", run="x", on=BUILD, after=[BUILD])])


RESULT = JobResult(
    stage="test",
    attempt=1,
    status=StageStatus.FAILED,
    exit_code=3,
    message="exit code 3",
    started=NOW,
    finished=NOW,
    stdout=Stdout(4, "sha256:aa", file="test.out"),
    volume=OwnVolume("v", written=True, digest="sha256:bb", file="test.tar.zst", base="build"),
)


@dataclass
class Shown:
    """The artifacts that were to be shown (`prefect_view.ArtifactQueue`).

    Attributes:
        artifacts: key to headline, text and task run.
    """

    artifacts: dict[str, tuple[str, str, str | None]] = field(default_factory=dict)
    closed: bool = False

    def add(self, key: str, headline: str, text: str, task_run_id: str | None = None) -> None:
        """See `ArtifactQueue`."""
        assert not self.closed
        self.artifacts[key] = (headline, text, task_run_id)

    def close(self) -> None:
        """See `ArtifactQueue`."""
        self.closed = True


def view(record: RunRecord, store: LocalStore, shown: Shown) -> PrefectView:
    """What is tested, of a Prefect that has a flow run of each earlier run."""
    return PrefectView(PIPELINE, record, store, shown, lambda run_ids: {run_id: UUID(int=7) for run_id in run_ids})


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A record that has begun."""
    store = LocalStore(tmp_path, "shop", "run")
    store.start(to_json(PIPELINE))
    return store


@pytest.fixture
def record(store: LocalStore) -> RunRecord:
    """A record whose stage `test` printed a line and failed, with a log."""
    record = RunRecord(store, lambda _event: None, Secrecy(PIPELINE))
    log = store.log("test")
    log.write(b"why\n")
    log.close()
    record.stage_ended(PIPELINE.by_name["test"], RESULT, Kept(), "task-1")
    return record


def test_a_stage_shows_its_end_and_its_files(store: LocalStore, record: RunRecord) -> None:
    """The stage's artifact belongs to its task run, and has its last lines and links to its files."""
    shown = Shown()

    view(record, store, shown).stage(PIPELINE.by_name["test"], RESULT, ["why"])

    headline, text, task_run_id = shown.artifacts["shop-stage-test"]
    assert "failed" in headline
    assert task_run_id == "task-1"
    assert "exit code 3" in text
    assert "why" in text
    for name in ("test.log", "test.out", "test.json", "test.tar.zst"):
        assert f"`{store.folder}/{name}`" in text
    assert "build" in text


def test_a_stage_without_a_volume_links_none(store: LocalStore, record: RunRecord) -> None:
    """A volume that is not in the record is not linked."""
    shown = Shown()

    view(record, store, shown).stage(PIPELINE.by_name["test"], replace(RESULT, volume=OwnVolume("v", written=True)), [])

    assert "tar.zst" not in shown.artifacts["shop-stage-test"][1]


@pytest.mark.parametrize("stdout", [None, Stdout(4, None)])
def test_a_stage_whose_output_is_not_in_the_record_links_none(
    store: LocalStore, record: RunRecord, stdout: Stdout | None
) -> None:
    """The output of a stage with `noLog`, and of one whose output is lost, is not linked."""
    shown = Shown()

    view(record, store, shown).stage(PIPELINE.by_name["test"], replace(RESULT, stdout=stdout), [])

    assert "test.out" not in shown.artifacts["shop-stage-test"][1]


def test_a_run_shows_all_its_stages(store: LocalStore, record: RunRecord) -> None:
    """The run's artifact belongs to no task run, lists its stages, and comes last."""
    shown = Shown()

    view(record, store, shown).run(RunSummary("run", "shop", RunStatus.FAILED, stages=record.stages()))

    _, text, task_run_id = shown.artifacts["shop-run"]
    assert (task_run_id, shown.closed) == (None, True)
    assert "test" in text
    assert f"`{store.folder}/report.html`" in text


class Expired(LocalStore):
    """A record in a place whose credentials have expired."""

    def link(self, name: str) -> str:
        """See `RunStore`."""
        raise StorageError(f"no link to {name}")


def test_what_cannot_be_linked_is_named(record: RunRecord, tmp_path: Path) -> None:
    """If no link can be made, the file's place is shown."""
    shown = Shown()
    store = Expired(tmp_path / "other", "shop", "run")
    store.start(to_json(PIPELINE))

    view(record, store, shown).stage(PIPELINE.by_name["test"], RESULT, [])

    assert f"`{store.folder}/test.json`" in shown.artifacts["shop-stage-test"][1]


def test_a_reused_stage_leads_to_the_run_that_it_is_from(store: LocalStore) -> None:
    """In the table of the run, and on the page of its task run if it has one."""
    record = RunRecord(store, lambda _event: None, Secrecy(PIPELINE))
    shown = Shown()
    volume = OwnVolume("", written=True, digest="sha256:bb", reused_from="earlier")
    stdout = Stdout(4, "sha256:aa", file="test.out", reused_from="earlier")
    reused = replace(RESULT, status=StageStatus.CACHED, message="reused from earlier", stdout=stdout, volume=volume)
    for name in ("build", "test"):
        record.stage_reused(PIPELINE.by_name[name], replace(reused, stage=name))
    record.reused_shown(BUILD, "task-2")

    view(record, store, shown).run(RunSummary("run", "shop", RunStatus.PASSED, stages=record.stages()))

    link = "reused from [earlier](<../../runs/flow-run/00000000-0000-0000-0000-000000000007>)"
    _, table, _ = shown.artifacts["shop-run"]
    assert table.count(link) == 2
    assert "[build](<../../runs/task-run/task-2>)" in table
    assert {key for key in shown.artifacts if link in shown.artifacts[key][1]} == {"shop-run", "shop-stage-build"}
    assert shown.artifacts["shop-stage-build"][2] == "task-2"
    assert json.loads((store.folder / "build.json").read_text())["task_run_id"] == "task-2"
