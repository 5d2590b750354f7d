"""What a plan says before a run is what the run does. The engine is scripted."""

from __future__ import annotations

import pytest

from dockercise_prefect.cli.outlook import Given, decisions
from dockercise_prefect.pipeline.run_context import RunContext
from dockercise_prefect.status import StageStatus
from tests.compiler.sources import compiled
from tests.engines.scripted import BUSYBOX
from tests.orchestration.reuse.reuse_world import ReuseWorld, whys

pytestmark = pytest.mark.docker  # for the Prefect server: the engine is scripted

TEXT = """\
make: {run: make, vol: 'code/src:/src', cache: true}
use: {run: use, env: make, vol: make, cache: true}
all: {after: [make, use]}
last: {run: x, after: all, env: [A=1], cache: true}
plain: {run: x}
"""


def planned(world: ReuseWorld, text: str) -> dict[str, str]:
    """What a plan says of a pipeline in this world."""
    pipeline = compiled(a=f"meta: {{name: p, defaults: {{img: '{BUSYBOX}'}}}}\n{text}")
    given = Given(flags={}, file_variables={}, results=world.settings.results)
    return {name: str(said) for name, said in decisions(pipeline, (), world.root, RunContext(), given).items()}


def test_a_run_does_what_the_plan_says(world: ReuseWorld) -> None:
    """Stages that are planned to be reused are, the others run for the reason that the plan gave, or were left open."""
    world.write(src__a="1")
    world.run(TEXT)
    texts = [TEXT, TEXT.replace("A=1", "A=2"), TEXT.replace("run: make", "run: make it"), TEXT]
    for number, text in enumerate(texts):
        world.write(src__a=f"{number // 2}")

        plan = planned(world, text)
        ran = world.run(text)

        for name, said in plan.items():
            why = next((line.partition(": ")[2] for line in whys(ran) if line.startswith(f"{name} is")), None)
            if said.startswith("decided when"):
                continue
            if ran.summary.stages[name].status is StageStatus.CACHED:
                assert said == f"reused from {ran.summary.stages[name].reused_from}, if the image {BUSYBOX} has not moved"
            else:
                assert said == f"runs, because {why}"
        assert plan.keys() == {"make", "use", "last"}
