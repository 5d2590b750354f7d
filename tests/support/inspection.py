"""Everything that `docker inspect` says about the containers of a run while they exist."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from types import TracebackType
from typing import Any, Self

from docker.errors import NotFound

from tests.support.engine_client import engine_client

PIPELINE_LABEL = "dockercise.pipeline"
STAGE_LABEL = "dockercise.stage"


class InspectionRecorder:
    """Inspects each container of any run when it is created and when it starts.

    It follows the engine's events, so it also sees a container that exists for a tenth of a second.
    """

    def __init__(self) -> None:
        self._client = engine_client()
        self._texts: dict[str, list[str]] = defaultdict(list)
        self._events: Any = self._client.events(
            decode=True, filters={"type": "container", "event": ["create", "start"], "label": "dockercise.run"}
        )
        self._thread = threading.Thread(target=self._record, name="inspection", daemon=True)

    @property
    def stages(self) -> set[str]:
        """The stages whose containers were seen."""
        return {stage for stage, texts in self._texts.items() if stage and texts}

    def containers(self, pipeline: str) -> list[dict[str, Any]]:
        """The data of the containers of one pipeline. Other tests may run containers on the engine at the same time."""
        each = [json.loads(text) for stage, texts in self._texts.items() if stage for text in texts]
        return [inspected for inspected in each if inspected["Config"]["Labels"].get(PIPELINE_LABEL) == pipeline]

    @property
    def text(self) -> str:
        """All data, as text."""
        return "\n".join(text for texts in self._texts.values() for text in texts)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._events.close()
        self._thread.join(timeout=60)
        self._client.close()

    def _record(self) -> None:
        for event in self._events:
            try:
                inspected = self._client.api.inspect_container(event["id"])
            except NotFound:
                continue
            self._texts[inspected["Config"]["Labels"].get(STAGE_LABEL, "")].append(json.dumps(inspected))
