"""Sends commit statuses to git hosts, without delaying other work. A status that cannot be sent is dropped after some time."""

from __future__ import annotations

import time
from collections.abc import Callable

from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.hosts.statuses import OpenStatuses, StatusLaterError
from dockercise_prefect.webhook.payload.fields import shown
from dockercise_prefect.webhook.receiver.backoff import Backoff
from dockercise_prefect.webhook.receiver.hub import Hub, HubDownError
from dockercise_prefect.webhook.receiver.notices import Notice, Notices

TRIED_SECONDS = 3600
"""Seconds during which the sending of a status is tried."""


class Notifier:
    """One step: take a status that is due and send it."""

    def __init__(
        self,
        *,
        hub: Hub,
        notices: Notices,
        open_statuses: OpenStatuses,
        say: Callable[[str], None],
        count: Callable[[str], None],
        backoff: Backoff,
    ) -> None:
        """Make the notifier.

        Args:
            hub: knows the tokens, which are not stored anywhere else.
            notices: the statuses to send.
            open_statuses: makes senders.
            say: called with a line for each status that is given up.
            count: called with the result of each attempt, in one word: sent, later, lost.
            backoff: how long to wait after a failure.
        """
        self._hub = hub
        self._notices = notices
        self._open = open_statuses
        self._say = say
        self._count = count
        self._backoff = backoff

    def step(self) -> float:
        """Send one status; returns the seconds until there may be another."""
        notice = self._notices.claim(time.time())
        if notice is None:
            due = self._notices.next_due()
            return float("inf") if due is None else max(0.0, due - time.time())
        try:
            self._send(notice)
        finally:
            self._notices.release(notice)
        return 0.0

    def _send(self, notice: Notice) -> None:
        try:
            token = self._hub.secret(notice.token)
            if token is None:
                self._lose(notice, f"there is no Secret block {notice.token}, or it is empty")
                return
            self._open(notice.kind, notice.site, token).send(notice.status)
        except (StatusLaterError, HubDownError) as error:
            self._put_off(notice, error.message)
        except DockerciseError as error:
            self._lose(notice, error.message)
        except Exception as error:  # noqa: BLE001  an unexpected error of one status must not stop all others
            # The text of an unexpected error may hold the token, so only its type is shown.
            self._put_off(notice, type(error).__name__)
        else:
            self._notices.settled(notice)
            self._count("sent")

    def _put_off(self, notice: Notice, reason: str) -> None:
        now = time.time()
        if now - notice.since > TRIED_SECONDS:
            self._lose(notice, reason)
            return
        self._notices.later(notice, now + self._backoff.pause(notice.attempts))
        self._count("later")

    def _lose(self, notice: Notice, reason: str) -> None:
        status = notice.status
        self._notices.settled(notice)
        self._count("lost")
        self._say(f"{shown(status.repository)} {status.commit[:7]}: the status `{status.state}` is lost: {shown(reason, 200)}")
