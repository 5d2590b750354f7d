"""Ticks of the door: the host is started while there is something to do, and stopped when it has hung."""

from __future__ import annotations

import pytest

from tests.aws.stack.door_world import SILENT_HOURS, DoorWorld
from tests.webhook.payloads import github_push, github_sent

pytestmark = pytest.mark.docker  # for the server

HOUR = 3600


def test_nothing_to_do_leaves_the_host_asleep(world: DoorWorld) -> None:
    """A tick starts nothing if nothing waits."""
    done = world.door.tick()

    assert (done, world.host_state) == ("as it was", "stopped")


def test_waiting_push_wakes_the_host(world: DoorWorld) -> None:
    """A push that came while the host could not start wakes it at the next tick."""
    world.send(github_sent(github_push()))
    world.client("ec2").stop_instances(InstanceIds=[world.names.host])

    done = world.door.tick()

    assert (done, world.host_state) == ("woken", "running")


def test_taken_push_wakes_the_host(world: DoorWorld) -> None:
    """A push that was taken and not deleted counts: whoever took it may be gone."""
    world.send(github_sent(github_push()))
    world.client("ec2").stop_instances(InstanceIds=[world.names.host])
    world.client("sqs").receive_message(QueueUrl=world.names.queue, VisibilityTimeout=600)

    world.door.tick()

    assert world.host_state == "running"


@pytest.mark.parametrize(("offset", "state"), [(-HOUR, "running"), (0, "running"), (1, "stopped")])
def test_schedule_wakes_the_host_when_it_is_due(world: DoorWorld, offset: int, state: str) -> None:
    """The moment in `wake-at` starts the host when it has come, and not before."""
    world.parameters.save_wake_at(int(world.clock()) + offset)

    world.door.tick()

    assert world.host_state == state


@pytest.mark.parametrize(("offset", "state"), [(HOUR, "running"), (0, "stopped"), (-HOUR, "stopped")])
def test_host_is_awake_as_long_as_somebody_wants(world: DoorWorld, offset: int, state: str) -> None:
    """The host is started as long as `awake-until` is in the future."""
    world.parameters.save_awake_until(int(world.clock()) + offset)

    world.door.tick()

    assert world.host_state == state


@pytest.mark.parametrize("name", ["wake-at", "awake-until", "report"])
def test_damaged_parameter_breaks_nothing(world: DoorWorld, name: str) -> None:
    """A parameter that somebody has overwritten with something else counts as empty."""
    world.send(github_sent(github_push()))
    world.client("ec2").stop_instances(InstanceIds=[world.names.host])
    parameter = f"{world.names.parameters}/{name}"
    world.client("ssm").put_parameter(Name=parameter, Value="[1]", Type="String", Overwrite=True)

    world.door.tick()

    assert world.host_state == "running"


def test_silent_host_is_stopped(world: DoorWorld) -> None:
    """Dead man's switch: a host that runs for hours without a sign of work is stopped."""
    world.start_host()
    world.report(worked_at=world.clock() - 100 * HOUR)
    world.clock.now += SILENT_HOURS * HOUR + 1

    done = world.door.tick()

    assert (done, world.host_state) == ("stopped", "stopped")


def test_host_that_never_reported_is_stopped(world: DoorWorld) -> None:
    """A host whose first boot hangs is stopped as well."""
    world.start_host()
    world.clock.now += SILENT_HOURS * HOUR + 1

    world.door.tick()

    assert world.host_state == "stopped"


def test_working_host_is_left_alone(world: DoorWorld) -> None:
    """A host that reported work not long ago goes on, however long it has been awake."""
    world.start_host()
    world.clock.now += 100 * HOUR
    world.report(worked_at=world.clock() - SILENT_HOURS * HOUR + 60)

    world.door.tick()

    assert world.host_state == "running"


def test_host_that_was_just_started_is_left_alone(world: DoorWorld) -> None:
    """An old report does not stop a host that has just been started."""
    world.report(worked_at=1)
    world.start_host()
    world.clock.now += 60

    world.door.tick()

    assert world.host_state == "running"


def test_host_that_is_wanted_is_not_stopped(world: DoorWorld) -> None:
    """Somebody who looks at Prefect's page for a day is no sign of work, and yet the host is not stopped."""
    world.start_host()
    world.clock.now += SILENT_HOURS * HOUR + 1
    world.parameters.save_awake_until(int(world.clock()) + HOUR)

    world.door.tick()

    assert world.host_state == "running"


def test_host_that_hangs_with_work_is_started_anew(world: DoorWorld) -> None:
    """Waiting pushes do not keep a host awake that has hung: it is stopped, and the tick after that starts it."""
    world.send(github_sent(github_push()))
    world.start_host()
    world.clock.now += SILENT_HOURS * HOUR + 1

    done = [world.door.tick(), world.door.tick()]

    assert done == ["stopped", "woken"]
    assert world.host_state == "running"
