"""Artifacts of a run in Prefect: made in the background, so that no stage waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.exceptions import PrefectException

SENDING_SECONDS = 30.0
"""Seconds that the end of a run waits for them."""


class Artifacts:
    """Sends the artifacts of one flow run; every method may be called from any thread.

    A Prefect that does not take one costs a notice and the artifacts that follow, and nothing else: the record has it all.

    Args:
        flow_run_id: whose they are.
        notify: told when Prefect fails.
        patience: seconds that `close` waits for it.
    """

    def __init__(self, flow_run_id: UUID, notify: Callable[[str], None], patience: float = SENDING_SECONDS) -> None:
        self._flow_run_id = flow_run_id
        self._notify = notify
        self._patience = patience
        self._given_up = threading.Event()
        self._queue: SimpleQueue[ArtifactCreate | None] = SimpleQueue()
        # A thread that Prefect did not start knows neither the flow run nor the API that it reports to.
        context = copy_context()
        self._thread = threading.Thread(target=lambda: context.run(self._work), name="artifacts", daemon=True)
        self._thread.start()

    def add(self, key: str, headline: str, text: str, task_run_id: str | None = None) -> None:
        """Send one soon.

        Args:
            key: lower-case letters, digits and dashes.
            headline: Markdown, one line: Prefect's lists of artifacts show it, and so does the page, above the text.
            text: Markdown.
            task_run_id: whose it is; None for one of the flow run.
        """
        artifact = ArtifactCreate(key=key, type="markdown", description=headline, data=text, flow_run_id=self._flow_run_id)
        if task_run_id is not None:
            artifact.task_run_id = UUID(task_run_id)
        self._queue.put(artifact)

    def close(self) -> None:
        """Wait until all have been sent, but not for ever: a Prefect that does not answer gets no more of them."""
        self._queue.put(None)
        self._thread.join(self._patience)
        if self._thread.is_alive():
            self._given_up.set()
            self._notify(f"Prefect does not show all artifacts of this run: it did not accept them within {self._patience:g} s")

    def _work(self) -> None:
        try:
            with get_client(sync_client=True) as client:
                while (artifact := self._queue.get()) is not None and not self._given_up.is_set():
                    client.create_artifact(artifact)
        except (httpx.HTTPError, PrefectException) as error:
            if not self._given_up.is_set():
                self._notify(f"Prefect does not show all artifacts of this run: {type(error).__name__}: {error}")
