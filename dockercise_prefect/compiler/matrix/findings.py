"""Merges findings that several instances of a stage have, because all of them come from one place in a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dockercise_prefect.errors import Diagnostic
from dockercise_prefect.pipeline import StageName

_NAMED = 3
"""The most instances that a finding names."""

_OWNER = re.compile(r"[^\s:]*")


@dataclass(frozen=True, slots=True)
class _Told:
    """A finding of an instance."""

    instance: StageName
    finding: Diagnostic


def merged(findings: Iterable[Diagnostic], instances: Mapping[StageName, Sequence[StageName]]) -> list[Diagnostic]:
    """The findings, without repeating one for each instance.

    What is the same for all instances names the stage; what is the same for some of them names these.

    Args:
        findings: begin with the name of the stage that they are about.
        instances: the instances of each stage that has any.
    """
    stage_of = {name: stage for stage, names in instances.items() for name in names}
    found: dict[Diagnostic, list[_Told]] = {}
    for finding in findings:
        owner = _OWNER.match(finding.message)
        name = owner[0] if owner else ""
        general = _renamed(finding, name, stage_of[name]) if name in stage_of else finding
        found.setdefault(general, []).append(_Told(name, finding))
    return [_merged(general, told, instances) for general, told in found.items()]


def _merged(general: Diagnostic, told: Sequence[_Told], instances: Mapping[StageName, Sequence[StageName]]) -> Diagnostic:
    first = told[0]
    names = list(dict.fromkeys(one.instance for one in told))
    if general in {one.finding for one in told} or any(set(names) == set(of_stage) for of_stage in instances.values()):
        return general
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    owners = ", ".join(names[:_NAMED]) + more
    return replace(general, message=owners + first.finding.message.removeprefix(first.instance))


def _renamed(finding: Diagnostic, instance: StageName, stage: StageName) -> Diagnostic:
    return replace(
        finding,
        message=finding.message.replace(instance, stage),
        hint=finding.hint and finding.hint.replace(instance, stage),
        related=tuple(replace(one, message=one.message.replace(instance, stage)) for one in finding.related),
    )
