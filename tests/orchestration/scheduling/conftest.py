"""What the tests of the scheduler share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.orchestration.run.secrecy import Secrecy
from dockercise_prefect.pipeline import Pipeline, Stage, StageName, stage, to_json
from dockercise_prefect.results.record.local_store import LocalStore
from tests.orchestration.scheduling.scheduler_world import Tasks, World


@pytest.fixture
def world(tmp_path: Path) -> Callable[..., World]:
    """Makes runs of pipelines, from a mapping of each stage's name to the names that it needs.

    Upper-case names are those of `when: always` stages. `rules` are further arguments of the pipeline.
    """

    def make(edges: dict[str, str], rules: Mapping[str, Any] | None = None, **how: Mapping[StageName, object]) -> World:
        stages: dict[StageName, Stage] = {}
        for name, needs in edges.items():
            when = "always" if name.isupper() else "success"
            stages[name] = stage(name, image="i", run="x", when=when, after=[stages[needed] for needed in needs])
        pipeline = Pipeline("p", list(stages.values()), **(rules or {}))
        store = LocalStore(tmp_path, "p", "run")
        store.start(to_json(pipeline))
        record = RunRecord(store, lambda _event: None, Secrecy(pipeline))
        return World(pipeline, record, Tasks(record, **how))  # type: ignore[arg-type]  # free keywords

    return make
