"""The edges of the graph of a pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dockercise_prefect.errors import Place
from dockercise_prefect.pipeline.sources import StageName, folded


class DependencyKind(StrEnum):
    """What an edge does at run time (LANGUAGE section 4)."""

    AFTER = "after"
    EACH = "each"
    ENV = "env"
    VOL = "vol"
    ON = "on"
    OUT = "out"
    IMG = "img"
    IF = "if"
    UNLESS = "unless"

    @property
    def asks(self) -> bool:
        """Whether the earlier stage's exit code decides whether the later stage runs."""
        return self in {DependencyKind.IF, DependencyKind.UNLESS}

    @property
    def phrase(self) -> str:
        """The words for the edge, to be written between the later stage and the earlier one."""
        return _PHRASES[self]


_PHRASES = {
    DependencyKind.AFTER: "comes after",
    DependencyKind.EACH: "has a member for each line of",
    DependencyKind.ENV: "uses the value of",
    DependencyKind.VOL: "mounts the volume of",
    DependencyKind.ON: "works on the volume of",
    DependencyKind.OUT: "reads the output of",
    DependencyKind.IMG: "runs in the image of",
    DependencyKind.IF: "runs only on a yes from",
    DependencyKind.UNLESS: "runs only on a no from",
}


@dataclass(frozen=True, slots=True)
class Dependency:
    """One edge of the graph: the stage that has it runs after `stage`.

    Edges of different kinds to the same stage are separate, because each does something else at run time. The order of the
    graph needs only the set of stages.

    Attributes:
        seen_as: the path below `/` and `/out` at which an instance is seen: `test/3.12,pg`, or `test` for the counterpart of
            the stage. None for a stage that is not an instance, which is seen under its own name.
    """

    stage: StageName
    kind: DependencyKind
    place: Place | None = None
    inferred: bool = False
    seen_as: str | None = None

    @property
    def path(self) -> str:
        """The path below `/` and `/out` at which the stage is usually seen."""
        return self.stage if self.seen_as is None else self.seen_as

    @property
    def reference(self) -> str:
        """What in a stage's definition causes such an edge if it is inferred (LANGUAGE section 4)."""
        match self.kind:
            case DependencyKind.ENV:
                return f"${folded(self.path.partition('/')[0])}"
            case DependencyKind.VOL:
                return f"/{self.path}"
            case DependencyKind.OUT:
                return f"out/{self.path}"
            case _:
                return f"{self.kind}: {self.stage}"
