"""The input of every format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dockercise_prefect.pipeline import Pipeline, StageName


@dataclass(frozen=True, slots=True)
class Request:
    """A pipeline to write in a format.

    Attributes:
        targets: the stages that the user asked for; empty means everything.
        root: the relative path from the written file's folder to the root, with `/`.
    """

    pipeline: Pipeline
    targets: Sequence[StageName] = ()
    root: str = "."
