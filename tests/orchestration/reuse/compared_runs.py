"""Runs of a pipeline by the real scheduler on a scripted engine, with reuse, in threads and without Prefect."""

from __future__ import annotations

import json
import logging
import re
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import product
from pathlib import Path

from dockercise_prefect.orchestration.groups.printed_lines import PrintedLines
from dockercise_prefect.orchestration.reuse.kept_results import KeptResults
from dockercise_prefect.orchestration.reuse.run_reuse import ReuseOptions, RunAccess, RunReuse
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.orchestration.run.outputs import RunOutputs
from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.orchestration.run.secrecy import Secrecy
from dockercise_prefect.orchestration.run.stage_runner import StageRunner
from dockercise_prefect.orchestration.scheduling.approvals import AsksNobody
from dockercise_prefect.orchestration.scheduling.scheduler import Scheduler
from dockercise_prefect.orchestration.scheduling.turns import NoTurns
from dockercise_prefect.pipeline import Pipeline, StageName, to_json
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.runtime.cleanup.labels import RunIdentity
from dockercise_prefect.runtime.options import RuntimeOptions
from dockercise_prefect.runtime.stage.environment import Outside, VariableTexts
from dockercise_prefect.runtime.workspace import Workspace
from dockercise_prefect.settings import read_settings
from dockercise_prefect.status import StageStatus
from tests.engines.container import Behaviour, ScriptedContainer
from tests.engines.files import Entry
from tests.engines.scripted import ScriptedEngine
from tests.orchestration.run.stage_world import FakeTask
from tests.orchestration.scheduling.scheduled_run import ThreadRuns, WorkspaceControl

IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where files never reach a disk, if there is such a place. A stage that runs waits for the disk several times."""


@dataclass(frozen=True)
class Left:
    """What a stage has left: whether it succeeded, its exit code, and the digests of its output and its volume."""

    succeeded: bool
    exit_code: int | None
    output: str | None
    volume: str | None


@dataclass(frozen=True)
class Compared:
    """A run: what each of its stages has left, and which of them were reused."""

    left: dict[StageName, Left]
    reused: set[StageName]


def honest_engine() -> ScriptedEngine:
    """An engine whose stages leave what follows from all that they see. Scripts are `says0 ends1 leaves2`, and so on.

    `says` is what they print, `ends` their exit code. They leave nothing (0), the same each time (1), or a digest of every file
    and variable that they see (2).
    """
    engine = ScriptedEngine()

    def leave(what: int, container: ScriptedContainer) -> None:
        seen = sha256(repr((sorted(_variables(container).items()), container.spec.user, container.spec.image)).encode())
        for mount in sorted(container.spec.mounts, key=lambda mount: mount.target):
            for name, entry in container.below(mount.target):
                seen.update(repr((mount.target, name, entry.kind, entry.mode, entry.uid, entry.data, entry.target)).encode())
        if what:
            content = b"the same" if what == 1 else seen.hexdigest().encode()
            container.write(f"{_variables(container)['OUT']}/seen", Entry("file", 0o644, data=content))

    for says, ends, leaves in product(range(2), range(2), range(3)):
        behaviour = Behaviour(stdout=f"{says}\n".encode(), exit_code=ends, action=partial(leave, leaves))
        engine.script(f"says{says} ends{ends} leaves{leaves}", behaviour)
    return engine


def _variables(container: ScriptedContainer) -> dict[str, str]:
    unseen = re.sub("[0-9a-f]{32}", "", container.stdin.decode("utf-8", "replace"))  # without the mark, which is random
    texts = {**container.spec.env, "unseen": unseen}
    return {name: text for name, text in texts.items() if not name.endswith("RUN_ID")}


def run_with_reuse(pipeline: Pipeline, root: Path, results: Path, run_id: str) -> Compared:
    """Run all stages of a pipeline, with what earlier runs have left in the place of results.

    Args:
        pipeline: the pipeline.
        root: has the code.
        results: the place of results.
        run_id: of this run. Later runs have greater ids.
    """
    store = LocalStore(results, pipeline.name, run_id)
    store.start(to_json(pipeline))
    secrecy = Secrecy(pipeline)
    secrecy.begin(Outside({}, {}))
    record = RunRecord(store, lambda _event: None, secrecy)
    kept = KeptResults(store.objects, pipeline.name, logging.warning)
    lines: dict[StageName, str] = {}
    texts = VariableTexts(pipeline, {}, lines)
    options = RuntimeOptions(root, 4, aws=False, masker=secrecy.masker, kept_volume=kept.volume)
    identity = RunIdentity(run_id, pipeline.name, "f")
    engine = honest_engine()
    with Workspace(engine, pipeline, identity, options, logging.warning) as workspace:
        workspace.prepare()
        volumes = workspace.output_volumes
        with closing(RunOutputs(pipeline, store, secrecy, volumes, failed=record.failed, kept=kept.output)) as outputs:
            access = RunAccess(
                pipeline=pipeline,
                seen=workspace,
                texts=texts,
                secret={},
                sensitive=secrecy.because,
                store=store,
                opened=outputs.open,
                find_key=lambda: b"key",
                note=record.note_made_from,
                audited=record.stage_audited,
                notify=logging.warning,
            )
            reuse = RunReuse(access, ReuseOptions())
            runner = StageRunner(
                workspace=workspace,
                record=record,
                outputs=outputs,
                options=RunOptions(settings=read_settings()),
                texts=texts,
                secrecy=secrecy,
                current_task=lambda: FakeTask([]),
                shipping=lambda _stage: lambda _line: None,
                reuse=reuse,
                volume_read=lambda result: scheduler.volume_read(result),  # noqa: PLW0108  the scheduler is made below
                show=lambda *_: None,
            )
            scheduler = Scheduler(
                pipeline,
                skipped={},
                tasks=ThreadRuns(runner),
                record=record,
                reuse=reuse.finding,
                members=PrintedLines(
                    pipeline=pipeline,
                    opened=outputs.open,
                    because=secrecy.because,
                    mask=secrecy.masker.add,
                    lines=lines,
                ),
                asking=AsksNobody(),
                taking=NoTurns(),
                jobs=4,
                fail_fast=False,
                control=WorkspaceControl(workspace),
            )
            scheduler.execute()
    reuse.close()
    assert engine.leftovers() == []
    return _compared(record, store.folder)


def _compared(record: RunRecord, folder: Path) -> Compared:
    left: dict[StageName, Left] = {}
    for name, summary in record.stages().items():
        entry = json.loads((folder / f"{name}.json").read_text())
        left[name] = Left(summary.status.succeeded, summary.exit_code, entry["output_digest"], entry["volume_digest"])
    return Compared(left, {name for name, summary in record.stages().items() if summary.status is StageStatus.CACHED})
