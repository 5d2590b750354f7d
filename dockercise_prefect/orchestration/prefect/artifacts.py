"""The artifacts of a run in Prefect. They are sent in the background, so that no stage waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.exceptions import PrefectException, PrefectHTTPStatusError

from dockercise_prefect.orchestration.client.settings import asking_once

SENDING_SECONDS = 30.0
"""How many seconds the end of a run waits for the artifacts."""

AGAIN_SECONDS = 2.0
"""How many seconds after a failure an artifact is sent again."""

_REFUSALS = frozenset({400, 401, 403, 404, 409, 413, 422})
"""The HTTP statuses after which another try does not help."""


class Artifacts:
    """Sends the artifacts of one flow run. Every method may be called from any thread.

    While Prefect does not answer, artifacts wait, and are sent when it answers again. If it refuses an artifact, or does not
    answer until the end, the user gets one notice. Nothing is lost, because the record has all the content.

    Args:
        flow_run_id: the id of the flow run.
        notify: called with a message if Prefect fails.
        patience: how many seconds `close` waits for Prefect.
    """

    def __init__(self, flow_run_id: UUID, notify: Callable[[str], None], patience: float = SENDING_SECONDS) -> None:
        self._flow_run_id = flow_run_id
        self._notify = notify
        self._patience = patience
        self._given_up = threading.Event()
        self._has_told = False
        self._queue: SimpleQueue[ArtifactCreate | None] = SimpleQueue()
        # A thread that Prefect did not start has neither the flow run nor its API in its context.
        context = copy_context()
        self._thread = threading.Thread(target=lambda: context.run(self._work), name="artifacts", daemon=True)
        self._thread.start()

    def add(self, key: str, headline: str, text: str, task_run_id: str | None = None) -> None:
        """Send an artifact soon.

        Args:
            key: the key: lower-case letters, digits and dashes.
            headline: one line of Markdown. Prefect shows it in lists of artifacts, and on the page above the text.
            text: the text, in Markdown.
            task_run_id: the task run of the artifact; None for an artifact of the flow run.
        """
        artifact = ArtifactCreate(key=key, type="markdown", description=headline, data=text, flow_run_id=self._flow_run_id)
        if task_run_id is not None:
            artifact.task_run_id = UUID(task_run_id)
        self._queue.put(artifact)

    def close(self) -> None:
        """Wait until all artifacts have been sent, but not forever. If Prefect does not answer, the rest is not sent."""
        self._queue.put(None)
        self._thread.join(self._patience)
        if self._thread.is_alive():
            self._given_up.set()
            self._notify(f"Prefect does not show all artifacts of this run: it did not accept them within {self._patience:g} s")

    def _work(self) -> None:
        # Prefect's own client would try for a minute, with long pauses, and then give up.
        with asking_once(), get_client(sync_client=True) as client:
            while (artifact := self._queue.get()) is not None and not self._given_up.is_set():
                self._send(client, artifact)

    def _send(self, client: SyncPrefectClient, artifact: ArtifactCreate) -> None:
        """Send one artifact, and try again until Prefect has answered."""
        while not self._given_up.is_set():
            try:
                client.create_artifact(artifact)
            except (httpx.HTTPError, PrefectException) as error:
                if isinstance(error, PrefectHTTPStatusError) and error.response.status_code in _REFUSALS:
                    self._refused(error)
                    return
                self._given_up.wait(AGAIN_SECONDS)
            else:
                return

    def _refused(self, error: PrefectHTTPStatusError) -> None:
        if not self._has_told:
            self._has_told = True
            status = error.response.status_code
            self._notify(f"Prefect does not show all artifacts of this run: it refuses them (HTTP status {status})")
