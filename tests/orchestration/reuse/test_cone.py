"""After a change, the stages run that can see it, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from dockercise_prefect.pipeline import Pipeline
from tests.compiler.sources import compiled
from tests.engines.scripted import BUSYBOX
from tests.orchestration.reuse.compared_runs import IN_MEMORY, run_with_reuse

STAGES = 300
COLUMNS = 20

Edges = list[dict[int, str]]
"""For each stage, the earlier stages that it needs, and whether it mounts their volume or gets their value."""


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder, in memory if possible."""
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        yield Path(folder)


def edges_of(seed: int) -> Edges:
    """Each stage needs up to three of the twenty before it. The first ones read a file of the code each."""
    random = Random(seed)  # noqa: S311  nothing secret
    found: Edges = [{} for _ in range(COLUMNS)]
    for number in range(COLUMNS, STAGES):
        needed = random.sample(range(number - COLUMNS, number), random.randint(1, 3))
        found.append({one: random.choice(["vol", "vol", "env"]) for one in needed})
    return found


def pipeline_of(edges: Edges) -> Pipeline:
    """The volume of each stage follows from all that the stage sees. What the stages print is always the same."""
    lines = [f"meta: {{name: p, defaults: {{img: '{BUSYBOX}', cache: true}}}}"]
    for number, needed in enumerate(edges):
        volumes = [f"s{one}" for one, how in needed.items() if how == "vol"] or [f"code/d{number % COLUMNS}:/src"]
        values = [f"s{one}" for one, how in needed.items() if how == "env"]
        lines.append(f"s{number}: {{run: says0 ends0 leaves2, vol: [{', '.join(volumes)}], env: [{', '.join(values)}]}}")
    return compiled(a="\n".join(lines))


def cone_of(column: int, edges: Edges) -> set[str]:
    """The stages that read the file of a column, and those that can see what is different then: through volumes only."""
    cone: set[int] = set()
    for number, needed in enumerate(edges):
        volumes = {one for one, how in needed.items() if how == "vol"}
        if (not volumes and number % COLUMNS == column) or volumes & cone:
            cone.add(number)
    return {f"s{number}" for number in cone}


@pytest.mark.parametrize("seed", [2, 10])
def test_after_a_change_the_stages_run_that_can_see_it(in_memory: Path, seed: int) -> None:
    """One file changes under hundreds of stages: its cone runs and no other stage, and a change back runs none."""
    edges = edges_of(seed)
    pipeline, root = pipeline_of(edges), in_memory / "root"
    for column in range(COLUMNS):
        (root / f"d{column}").mkdir(parents=True)
        (root / f"d{column}/file").write_text(f"{column}\n")
    every = {stage.name for stage in pipeline}

    def ran(number: int) -> set[str]:
        return every - run_with_reuse(pipeline, root, in_memory / "results", f"20261130T00000{number}Z-0000").reused

    first, again = ran(1), ran(2)
    (root / f"d{seed}/file").write_text("changed\n")
    then = ran(3)
    (root / f"d{seed}/file").write_text(f"{seed}\n")
    back = ran(4)

    assert (first, again) == (every, set())
    assert then == cone_of(seed, edges)
    assert COLUMNS < len(then) < STAGES / 2
    assert back == set()
