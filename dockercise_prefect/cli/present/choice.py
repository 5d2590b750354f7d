"""Which form suits a stream."""

from __future__ import annotations

import os
from typing import Protocol, TextIO

from dockercise_prefect.cli.present.live import LivePresenter
from dockercise_prefect.cli.present.plain import PlainPresenter
from dockercise_prefect.orchestration.run.events import Event


class Presenter(Protocol):
    """Shows a run: an `orchestration.events.Observer`, called from any thread, that never raises.

    A reader that is slow slows the run down, as with any command; one that is gone does not matter.
    """

    def __call__(self, event: Event) -> None:
        """Show what happened."""
        ...

    def close(self) -> None:
        """Leave the stream in order, also when the run broke off without `RunEnded`; may be called again."""
        ...


def presenter_for(stream: TextIO) -> Presenter:
    """The live form on a terminal that can move its cursor, the plain one elsewhere."""
    movable = stream.isatty() and os.environ.get("TERM", "").lower() not in {"", "dumb", "unknown"}
    return LivePresenter(stream) if movable else PlainPresenter(stream)
