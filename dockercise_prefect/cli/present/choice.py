"""Chooses the form for a stream."""

from __future__ import annotations

import os
from typing import Protocol, TextIO

from dockercise_prefect.cli.present.live import LivePresenter
from dockercise_prefect.cli.present.plain import PlainPresenter
from dockercise_prefect.orchestration.run.events import Event


class Presenter(Protocol):
    """Shows a run. It is an `orchestration.run.events.Observer`, can be called from any thread, and never raises.

    A slow reader makes the run slower, as with any command. A reader that has left does not matter.
    """

    def __call__(self, event: Event) -> None:
        """Show the event."""
        ...

    def close(self) -> None:
        """Clean up the stream, also if the run stopped without `RunEnded`. May be called again."""
        ...


def presenter_for(stream: TextIO) -> Presenter:
    """The live form for a terminal that can move its cursor; otherwise, the plain form."""
    movable = stream.isatty() and os.environ.get("TERM", "").lower() not in {"", "dumb", "unknown"}
    return LivePresenter(stream) if movable else PlainPresenter(stream)
