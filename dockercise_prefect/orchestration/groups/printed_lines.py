"""Makes the members of groups: one for each line that a stage printed (docs/adr/0059)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from dockercise_prefect.errors import EngineError, StageError
from dockercise_prefect.pipeline import DependencyKind, Pipeline, Stage, StageName
from dockercise_prefect.pipeline.members import distinct_lines, keys_of
from dockercise_prefect.quantities import shown_bytes
from dockercise_prefect.runtime.files.output import Printed
from dockercise_prefect.runtime.stage.job import JobResult, Stdout

LONGEST = 4 * 1024 * 1024
"""The most bytes of all lines together. They are read into memory."""


@dataclass(frozen=True, kw_only=True)
class PrintedLines:
    """Makes the members of the groups of one run (`scheduling.ports.Members`).

    Attributes:
        pipeline: the stages of the run.
        opened: opens what an attempt printed.
        because: says why the output of a stage is sensitive; None if it is not.
        mask: called with each line that is sensitive.
        lines: gets the line of each member.
    """

    pipeline: Pipeline
    opened: Callable[[Stdout], AbstractContextManager[Printed]]
    because: Callable[[Stage], str | None]
    mask: Callable[[bytes], None]
    lines: MutableMapping[StageName, str]

    def of(self, group: Stage, inputs: Mapping[StageName, JobResult]) -> Sequence[Stage]:
        """See `Members`."""
        if group.each is None:
            raise ValueError(f"{group.name} has no members")
        sources = [edge.stage for edge in group.depends_on if edge.kind is DependencyKind.EACH]
        lines = distinct_lines(b"\n".join(self._values(group.each.stage, sources, inputs)))
        if len(lines) > group.each.most:
            raise StageError(
                f"{group.each.stage} printed {len(lines):,} lines, but `each` makes at most {group.each.most:,} members",
                "print fewer lines, and let one member do the work of several",
            )
        keys = keys_of(lines)
        if any(self.because(self.pipeline.find(name)) for name in sources):
            for line in lines:
                self.mask(line.encode("utf-8", "surrogateescape"))
            keys = [str(number) for number in range(1, len(lines) + 1)]
        members = [group.member(key) for key in keys]
        self.lines.update((member.name, line) for member, line in zip(members, lines, strict=True))
        return members

    def _values(self, source: StageName, stages: Sequence[StageName], inputs: Mapping[StageName, JobResult]) -> Iterator[bytes]:
        """The values of the stages that print the lines: of one stage, or of the members of a group."""
        left = LONGEST
        for name in stages:
            if name not in inputs:  # it never started
                continue
            stdout = inputs[name].stdout
            if stdout is None:
                raise EngineError(f"what {name} printed is lost")
            with self.opened(stdout) as printed:
                left -= printed.value_size()
                if left < 0:
                    raise StageError(
                        f"{source} printed more than {shown_bytes(LONGEST)}, which is too much for the lines of `each`",
                        "print names, and let each member read the rest from a file",
                    )
                yield printed.value()
