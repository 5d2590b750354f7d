"""The words between a run and its guardian."""

from __future__ import annotations

READY = "ready"
"""The guardian has been told everything."""

DONE = "done"
"""The run has ended."""

BYE = "bye"
"""The guardian ends."""
