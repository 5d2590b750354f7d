"""Which members of a group may start, and when the group is over (`each`). Pure code: no threads, no Prefect."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dockercise_prefect.orchestration.scheduling.decisions import Decision, GroupOver, Ready, StageEnd
from dockercise_prefect.pipeline import Pipeline, Stage, StageName
from dockercise_prefect.results.reading.wording import words
from dockercise_prefect.status import StageStatus

NAMED = 5
"""How many members the message of a group names that failed."""

_FIRST = (
    (StageStatus.ERROR, {StageStatus.ERROR}),
    (StageStatus.FAILED, {StageStatus.FAILED, StageStatus.TIMED_OUT}),
    (StageStatus.CANCELLED, {StageStatus.CANCELLED}),
    (StageStatus.NOT_STARTED, {StageStatus.NOT_STARTED}),
    (StageStatus.TOLERATED, {StageStatus.TOLERATED}),
    (StageStatus.PASSED, {StageStatus.PASSED}),
    (StageStatus.CACHED, {StageStatus.CACHED}),
)
"""The status of a group, and which status of any member gives it. The first that applies is taken."""


@dataclass(slots=True)
class _Group:
    stage: Stage
    members: Sequence[Stage]
    waiting: deque[Stage]
    ends: dict[StageName, StageEnd] = field(default_factory=dict)


class Groups:
    """The groups of one run whose members are known. Used by one thread.

    As many members as the group allows are ready at the same time. Each one that ends makes room for the next.
    """

    def __init__(self) -> None:
        self._groups: dict[StageName, _Group] = {}

    @property
    def members(self) -> Mapping[StageName, Sequence[Stage]]:
        """The members of each group that has any."""
        return {name: group.members for name, group in self._groups.items() if group.members}

    def recall(self, names: Iterable[StageName], pipeline: Pipeline) -> None:
        """Take over the members of groups that an earlier process of the run has made, for the stages after these groups.

        Args:
            names: of stages that have ended. Those that are not members are left out.
            pipeline: has the groups.
        """
        found: dict[StageName, list[Stage]] = defaultdict(list)
        for stage in map(pipeline.find, names):
            if stage.name != stage.declared_name:
                found[stage.declared_name].append(stage)
        self._groups.update((name, _Group(pipeline.by_name[name], members, deque())) for name, members in found.items())

    def open(self, group: Stage, members: Sequence[Stage]) -> Iterator[Decision]:
        """Begin with a group, and return the decisions about the members that may start now.

        Args:
            group: the group.
            members: all of its members.
        """
        limit = len(members) if group.each is None or group.each.limit is None else group.each.limit
        self._groups[group.name] = _Group(group, members, deque(members[limit:]))
        if not members:
            return iter([GroupOver(group)])
        return iter([Ready(member) for member in members[:limit]])

    def settle(self, member: Stage, end: StageEnd) -> Iterator[Decision]:
        """Settle a member that ended or will never start, and return the decision that follows, if there is one."""
        group = self._groups[member.declared_name]
        group.ends[member.name] = end
        if group.waiting:
            return iter([Ready(group.waiting.popleft())])
        return iter([GroupOver(group.stage)] if len(group.ends) == len(group.members) else [])

    def end_of(self, group: Stage) -> tuple[StageStatus, str]:
        """How a group ended that is over, and its message."""
        return group_end({name: end.status for name, end in self._groups[group.name].ends.items()})


def group_end(statuses: Mapping[StageName, StageStatus]) -> tuple[StageStatus, str]:
    """How a group ended, and its message, from how its members ended.

    Args:
        statuses: of all members.
    """
    if not statuses:
        return StageStatus.PASSED, "nothing to do: there is no line"
    present = set(statuses.values())
    status = next(status for status, any_of in _FIRST if not present.isdisjoint(any_of))
    total = f"{len(statuses):,} member{'' if len(statuses) == 1 else 's'}"
    blamed = [name for name, one in statuses.items() if one.to_blame]
    if blamed:
        named = ", ".join(blamed[:NAMED]) + (f" and {len(blamed) - NAMED:,} more" if len(blamed) > NAMED else "")
        return status, f"{len(blamed):,} of {total} failed: {named}"
    counts = Counter(statuses.values()).most_common()
    if len(counts) == 1:
        return status, f"{total} {words(counts[0][0])}"
    return status, f"{total}: {', '.join(f'{count:,} {words(one)}' for one, count in counts)}"
