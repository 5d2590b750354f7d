"""`each`: a stage that has one member for each line that another stage printed (docs/adr/0059)."""

from __future__ import annotations

from dataclasses import dataclass

from dockercise_prefect.pipeline.sources import StageName

EACH_VARIABLE = "EACH"
"""The variable of a member that holds its line."""

MOST_MEMBERS = 1_000
"""The most members of one stage."""


@dataclass(frozen=True, slots=True)
class Each:
    """Which lines the members of a stage are made from.

    Attributes:
        stage: the stage that prints the lines.
        limit: how many members may run at once; None if only the run limits that (`--jobs`).
        most: how many members there may be.
    """

    stage: StageName
    limit: int | None = None
    most: int = MOST_MEMBERS
