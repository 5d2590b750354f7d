"""Many deliveries at the same time: a third is forged, a tenth repeated, and Prefect is down for a third of the time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.webhook.prefect_world import PrefectWorld
from tests.webhook.receiver_process import ReceiverProcess
from tests.webhook.scripted_world import ScriptedWorld
from tests.webhook.storm import assert_all_is_right, brew, rage
from tests.webhook.world import World

SIZES = [50, pytest.param(500, marks=pytest.mark.acceptance)]


RARELY_SCRIPTED = pytest.param("scripted", marks=pytest.mark.acceptance)
PREFECT = pytest.param("prefect", marks=pytest.mark.docker)
RARELY_PREFECT = pytest.param("prefect", marks=[pytest.mark.docker, pytest.mark.acceptance])


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """The scripted world, and a real Prefect server with real repositories."""
    if request.param == "scripted":
        yield ScriptedWorld(tmp_path / "world.sqlite")
        return
    world = PrefectWorld(tmp_path)
    try:
        yield world
    finally:
        world.close()


@pytest.fixture
def process(world: World, tmp_path: Path) -> Iterator[ReceiverProcess]:
    """A receiver in a separate process."""
    process = ReceiverProcess(world.elsewhere, tmp_path / "data")
    process.start()
    yield process
    process.kill()


@pytest.mark.parametrize("world", ["scripted", RARELY_PREFECT], indirect=True)
@pytest.mark.parametrize("count", SIZES)
def test_every_genuine_delivery_runs_once(world: World, process: ReceiverProcess, count: int) -> None:
    """Every genuine delivery becomes exactly one run, every forged one is refused; the process ends in order."""
    storm = brew(world, count)

    answers = rage(process.url, world, storm)

    assert_all_is_right(world, storm, answers)
    assert answers[202, "queued"] == len(storm.expected)
    assert process.stop() == 0


@pytest.mark.parametrize("world", [RARELY_SCRIPTED, PREFECT], indirect=True)
@pytest.mark.parametrize("count", SIZES)
def test_the_same_with_a_receiver_that_is_killed(world: World, process: ReceiverProcess, count: int) -> None:
    """The same is true if the receiver is killed again and again, before, while and after Prefect is down."""
    storm = brew(world, count)

    def kill_and_start() -> None:
        process.kill()
        process.start()

    answers = rage(process.url, world, storm, kill_and_start)

    assert_all_is_right(world, storm, answers)
