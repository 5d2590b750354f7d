"""GPUs for stages: what the engine is asked for, and what happens if it has none."""

from __future__ import annotations

import pytest

from dockercise_prefect.errors import DefinitionError, EngineError, Place
from dockercise_prefect.runtime.docker.arguments import container_config
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.engine import ContainerSpec
from tests.engines.scripted import ScriptedEngine
from tests.runtime.workspaces import run_all, sh, workspace

ASKED = [
    ("all", {"Count": -1, "Capabilities": [["gpu"]]}),
    ("2", {"Count": 2, "Capabilities": [["gpu"]]}),
    ("device=0,GPU-3a", {"DeviceIDs": ["0", "GPU-3a"], "Capabilities": [["gpu"]]}),
]


@pytest.mark.parametrize(("gpus", "expected"), ASKED)
def test_what_the_engine_is_asked_for(gpus: str, expected: dict[str, object]) -> None:
    """It is what `docker run --gpus` asks for."""
    spec = ContainerSpec(name="a", image="sha256:1", command=("x",), labels={}, gpus=gpus)

    assert container_config(spec, init=True)["HostConfig"]["DeviceRequests"] == [expected]


def test_the_container_of_the_stage_gets_them(scripted: ScriptedEngine) -> None:
    """Only the stage that asks for GPUs gets them. They were tried before, in a container that is gone."""
    run_all(scripted, sh("a", "x", gpus="all"), sh("b", "x"))

    assert [spec.gpus for spec in scripted.specs if "dockercise.stage" in spec.labels] == ["all", "all", None]


def test_an_engine_without_gpus(scripted: ScriptedEngine) -> None:
    """Nothing starts, and every stage that asked for GPUs is named with its place and the engine's reason."""
    scripted.fail("run", EngineError("could not select device driver"), times=2)
    stages = [sh("a", "x", gpus="all", at="a.dockercise.yaml:1:1"), sh("b", "x", gpus="2"), sh("c", "x")]

    with pytest.raises(DefinitionError) as caught, workspace(scripted, *stages):
        pass

    first, second = caught.value.diagnostics
    assert first.message == "a cannot have `gpus: all`: could not select device driver"
    assert first.place == Place("a.dockercise.yaml", 1, 1)
    assert second.message.startswith("b cannot have `gpus: 2`")
    assert scripted.leftovers() == []


@pytest.mark.docker
def test_a_real_engine_without_gpus(docker_engine: DockerEngine, run_id: str) -> None:
    """The engine of a machine without GPUs refuses, and nothing is left."""
    with (
        pytest.raises(DefinitionError, match="device driver"),
        workspace(docker_engine, sh("a", "x", gpus="all"), run_id=run_id),
    ):
        pass

    assert [left for left in docker_engine.leftovers() if left.labels["dockercise.run"] == run_id] == []
