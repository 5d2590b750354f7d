"""Keeps an instance in the state that EC2 says, and EC2 informed of it, as AWS's own machines do."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.aws.instance import Instance

_PAUSE = 0.3


class Hypervisor:
    """Starts the machine when EC2 says that it runs. A machine that powers itself off is stopped for EC2, and an event says so.

    Args:
        client: makes a client for a service.
        known: the id of the instance.
        machine: the machine behind it.
        first_boot: called when the machine has booted for the first time.
    """

    def __init__(
        self, client: Callable[[str], Any], known: str, machine: Instance, first_boot: Callable[[Instance], None]
    ) -> None:
        self._ec2, self._events = client("ec2"), client("events")
        self._known = known
        self._machine = machine
        self._first_boot = first_boot
        self._is_on = False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.boots = 0
        self.failure: BaseException | None = None

    @property
    def state(self) -> str:
        """The state of the instance, as EC2 says it."""
        answer = self._ec2.describe_instances(InstanceIds=[self._known])
        return str(answer["Reservations"][0]["Instances"][0]["State"]["Name"])

    def _work(self) -> None:
        try:
            while not self._ending.wait(_PAUSE):
                self._step()
        except BaseException as error:
            self.failure = error
            raise

    def _step(self) -> None:
        is_running, state = self._machine.is_running(), self.state
        if self._is_on and not is_running:
            self._is_on = False
            self._ec2.stop_instances(InstanceIds=[self._known])
            self._tell_that_it_stopped()
        elif state == "running" and not is_running:
            self._machine.start()
            self._is_on = True
            self.boots += 1
            if self.boots == 1:
                self._first_boot(self._machine)
        elif state == "stopped" and is_running:
            self._machine.run("systemctl", "poweroff")
            self._machine.wait_until_stopped()

    def _tell_that_it_stopped(self) -> None:
        detail = {"instance-id": self._known, "state": "stopped"}
        kind = "EC2 Instance State-change Notification"
        self._events.put_events(Entries=[{"Source": "aws.ec2", "DetailType": kind, "Detail": json.dumps(detail)}])

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Inside, the machine follows EC2."""
        self._thread.start()
        try:
            yield
        finally:
            self._ending.set()
            self._thread.join()
