"""The history of git that the code of a run has (LANGUAGE section 7, `meta.code`)."""

from __future__ import annotations

from dataclasses import dataclass

DEPTH = 50
"""How many commits the code has if `depth` is not set."""


@dataclass(frozen=True, slots=True)
class CodeHistory:
    """The code is a checkout of git.

    Attributes:
        depth: how many commits deep its history is; 0 for all of it.
    """

    depth: int = DEPTH
