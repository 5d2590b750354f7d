"""A push that comes while the host goes to sleep: a model of EC2 and SQS with times of its own, and the real door.

Nothing on loopback has an instance that is stopping, a queue whose counts lag, or a zone without capacity.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.stack.door import Door, Names
from tests.support.aws.function_url import event_of
from tests.webhook.payloads import SECRET, Sent, github_push, github_sent

MOMENTS = 1000
STOPPING = 40.0
"""Seconds from the host's last look at the queue until it is stopped."""

TICK = 300.0
BOOTING = 60.0
END = 4 * 3600.0
"""Seconds after which a push that the host has not taken counts as lost."""


@dataclass
class Model:
    """One host that goes to sleep at 0, and its queue.

    Args:
        chance: what happens by chance.
        lagging: the share of looks at the queue's counts that miss what has just come.
        without_capacity: the share of starts that fail because the zone has no capacity.
    """

    chance: random.Random
    lagging: float
    without_capacity: float
    now: float = 0.0
    awake_since: float | None = None
    queue: list[str] = field(default_factory=list)

    @property
    def is_stopped(self) -> bool:
        """Whether the host is asleep by now."""
        return self.now >= STOPPING and self.awake_since is None

    def client(self, service: str) -> Any:
        """The part of AWS that the door uses."""
        return {"ec2": self, "sqs": self, "ssm": self, "s3": None}[service]

    def start_instances(self, **_: Any) -> None:
        """EC2: refuses while the instance is stopping, and now and then has no capacity."""
        if self.awake_since is None and not self.is_stopped:
            raise _refusal("IncorrectInstanceState")
        if self.awake_since is None and self.chance.random() < self.without_capacity:
            raise _refusal("InsufficientInstanceCapacity")
        self.awake_since = self.now if self.awake_since is None else self.awake_since

    def stop_instances(self, **_: Any) -> None:
        """EC2: the dead man's switch has no reason to stop this host."""
        raise AssertionError("stopped a host that has just slept")

    def describe_instances(self, **_: Any) -> Mapping[str, Any]:
        """EC2: the instance is not running, as far as the dead man's switch is concerned."""
        return (
            {"Reservations": [{"Instances": [{"State": {"Name": "stopped"}, "LaunchTime": None}]}]}
            if self.is_stopped
            else {"Reservations": []}
        )

    def send_message(self, **message: Any) -> None:
        """SQS."""
        self.queue.append(message["MessageBody"])

    def get_queue_attributes(self, **wanted: Any) -> Mapping[str, Any]:
        """SQS: the counts are approximate."""
        seen = 0 if self.chance.random() < self.lagging else len(self.queue)
        return {
            "Attributes": {name: str(seen if name == "ApproximateNumberOfMessages" else 0) for name in wanted["AttributeNames"]}
        }

    def get_parameters(self, **_: Any) -> Mapping[str, Any]:
        """SSM: no schedule, nobody who looks."""
        return {"Parameters": []}

    def get_paginator(self, _: str) -> Model:
        """SSM: the folder of secrets has one page."""
        return self

    def paginate(self, **_: Any) -> list[Mapping[str, Any]]:
        """SSM: one repository."""
        return [{"Parameters": [{"Name": "/dockercise/dockercise/secrets/acme-infra", "Value": SECRET}]}]


def _refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "not now"}}, "StartInstances")


def is_lost(model: Model, moment: float, sent: Sent, *, by_rule: bool, by_schedule: bool) -> bool:
    """Whether a push at a moment is still in the queue in the end.

    Args:
        model: the host and its queue.
        moment: when the push comes, in seconds after the host's last look at the queue.
        sent: the push.
        by_rule: whether a tick comes when the host has stopped.
        by_schedule: whether a tick comes every five minutes.
    """
    door = Door(Names("i-1", "queue", "bucket", "/dockercise/dockercise", 12), model.client, lambda: model.now)
    ticks = [moment for moment in [STOPPING + model.chance.uniform(0, 5)] if by_rule]
    ticks += [model.chance.uniform(0, TICK) + TICK * number for number in range(int(END / TICK))] if by_schedule else []
    steps: list[tuple[float, Callable[[], object]]] = [(at, door.tick) for at in ticks]
    steps.append((moment, lambda: _checked(door, sent)))
    for model.now, step in sorted(steps, key=lambda one: one[0]):
        step()
        if model.awake_since is not None and model.now >= model.awake_since + BOOTING:
            model.queue.clear()
    return bool(model.queue) and model.awake_since is None


def _checked(door: Door, sent: Sent) -> None:
    answer = door.receive(event_of("POST", sent.headers, sent.body), "request")
    assert answer.status == 202


@pytest.mark.parametrize(
    ("by_rule", "by_schedule", "lagging", "without_capacity", "fewest", "most"),
    [
        pytest.param(False, False, 0.0, 0.0, MOMENTS, MOMENTS, id="push-alone-loses-all"),
        pytest.param(True, False, 0.0, 0.0, 0, 0, id="rule"),
        pytest.param(True, False, 0.05, 0.0, 1, MOMENTS - 1, id="rule-alone-loses-some-if-counts-lag"),
        pytest.param(True, True, 0.05, 0.0, 0, 0, id="rule-and-schedule"),
        pytest.param(True, True, 0.05, 0.5, 0, 0, id="rule-and-schedule-without-capacity"),
        pytest.param(False, True, 0.05, 0.5, 0, 0, id="schedule"),
    ],
)
def test_no_push_is_lost_while_the_host_goes_to_sleep(
    *, by_rule: bool, by_schedule: bool, lagging: float, without_capacity: float, fewest: int, most: int
) -> None:
    """Of 1,000 pushes at any moment between the host's last look at the queue and its stop, the stack loses none."""
    chance = random.Random(20261130)  # noqa: S311  a model
    sent = github_sent(github_push())

    lost = sum(
        is_lost(
            Model(chance, lagging, without_capacity),
            chance.uniform(0, STOPPING),
            sent,
            by_rule=by_rule,
            by_schedule=by_schedule,
        )
        for _ in range(MOMENTS)
    )

    assert fewest <= lost <= most
