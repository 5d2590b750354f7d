"""Turns accepted deliveries into flow runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.webhook.payload.fields import shown
from dockercise_prefect.webhook.payload.pull_request import PullRequest
from dockercise_prefect.webhook.receiver.backoff import Backoff
from dockercise_prefect.webhook.receiver.directory import Directory
from dockercise_prefect.webhook.receiver.hub import Hub, HubDownError, PushRefusedError, Registered
from dockercise_prefect.webhook.receiver.orders import Order, Orders, Told

AT_ONCE = 8
"""Orders that are processed in parallel, each of a different deployment."""

MOST_SURPRISES = 5
"""Attempts for an order that fails with an unexpected error. After them it is refused, so that other orders can follow."""


class Dispatcher:
    """One step: take an order that is due, ask what the push touches, start a run, and store that it was started.

    If the hub does not answer, only time is lost: the order stays the first of its deployment, and is tried for as long as the
    error of the hub says. The key of an order is the same for all attempts, so Prefect makes one run of them.
    """

    def __init__(
        self,
        *,
        hub: Hub,
        directory: Directory,
        orders: Orders,
        say: Callable[[str], None],
        count: Callable[[str], None],
        submitted: Callable[[], None],
        backoff: Backoff,
    ) -> None:
        """Make the dispatcher.

        Args:
            hub: starts runs.
            directory: knows the registrations.
            orders: the orders to process.
            say: called with a line that says what became of an order.
            count: called with the same in one word: started, untouched, refused, later.
            submitted: called when a run was started, or when a status is to be sent to a host.
            backoff: how long to wait after a failure.
        """
        self._hub = hub
        self._directory = directory
        self._orders = orders
        self._say = say
        self._count = count
        self._submitted = submitted
        self._backoff = backoff
        self._surprises: Counter[int] = Counter()

    def step(self) -> float:
        """Process one order; returns the seconds until there may be another."""
        order = self._orders.claim(time.time())
        if order is None:
            due = self._orders.next_due()
            return float("inf") if due is None else max(0.0, due - time.time())
        try:
            self._work_on(order)
        finally:
            self._orders.release(order)
        return 0.0

    def _work_on(self, order: Order) -> None:
        registered = self._directory.get(order.deployment_id)
        if registered is None:
            self._refuse(order, None, "the deployment is no longer registered")
            return
        try:
            self._start(order, registered)
        except PushRefusedError as error:
            self._refuse(order, registered, error.message)
        except HubDownError as error:
            if time.time() - order.received < error.patience:
                self._put_off(order, error.message)
            else:
                self._refuse(order, registered, error.message)
        except DockerciseError as error:
            self._surprise(order, registered, error.message)
        except Exception as error:  # noqa: BLE001  an unexpected error of one order must not stop all others
            # The text of an unexpected error may hold anything, so only its type is shown.
            self._surprise(order, registered, type(error).__name__)

    def _start(self, order: Order, registered: Registered) -> None:
        event = order.event
        if isinstance(event, PullRequest):
            cancelled = self._hub.withdraw(registered, event, order.key)
            if cancelled:
                self._say(f"{_what(order)}: {cancelled} earlier run{'' if cancelled == 1 else 's'} cancelled")
            if event.is_closed:
                self._nothing(order, "closed")
                return
            event = self._hub.settled(registered, event, time.time() - order.received)
        touched = self._hub.touched(registered, event)
        if touched.targets == ():
            self._nothing(order, touched.why)
            return
        started = self._hub.submit(registered, event, touched.targets, order.key)
        self._orders.submitted(order, started, _told(registered, order), time.time())
        self._count("started")
        targets = "all" if touched.targets is None else ", ".join(touched.targets)
        did = "waits for a maintainer's yes to start" if started.waits_for_yes else "started"
        self._say(f"{_what(order)}: {did} {targets}: {started.url or started.flow_run_id}")
        self._submitted()

    def _nothing(self, order: Order, why: str) -> None:
        self._orders.done(order, "untouched")
        self._count("untouched")
        self._say(f"{_what(order)}: {why}")

    def _refuse(self, order: Order, registered: Registered | None, reason: str) -> None:
        line = shown(reason.partition("\n")[0], 200)
        self._orders.refused(order, line, _told(registered, order) if registered else None, time.time())
        self._count("refused")
        self._say(f"{_what(order)}: refused: {line}")
        self._submitted()

    def _put_off(self, order: Order, reason: str) -> None:
        pause = self._backoff.pause(order.attempts)
        self._orders.later(order, time.time() + pause, shown(reason, 200))
        self._count("later")
        if order.attempts == 0:
            self._say(f"{_what(order)}: waits: {shown(reason, 200)}")

    def _surprise(self, order: Order, registered: Registered, what: str) -> None:
        self._surprises[order.seq] += 1
        if self._surprises[order.seq] < MOST_SURPRISES:
            self._put_off(order, what)
        else:
            del self._surprises[order.seq]
            self._refuse(order, registered, f"dockercise failed: {what}")


def _told(registered: Registered, order: Order) -> Told | None:
    """Where commit statuses are sent, and with which token.

    This comes from the registration, never from a payload. If the payload calls the repository by another name, nothing is
    sent.
    """
    site = registered.site_of(order.event.repository)
    return None if registered.token is None or site is None else Told(site, registered.token)


def _what(order: Order) -> str:
    event = order.event
    return f"{shown(event.repository)} {shown(event.name)} {event.after[:7]} {order.name}"
