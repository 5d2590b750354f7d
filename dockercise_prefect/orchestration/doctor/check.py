"""The value that an examination consists of: what was looked at, how it is, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

Facts: TypeAlias = Mapping[str, str | int | float | bool | None]
"""What was found, for programs: JSON values by name."""


class CheckStatus(StrEnum):
    """How something is, the best first.

    With a problem, runs fail now. A warning is something that will stop or mislead runs sooner or later. Unknown is what could
    not be found out.
    """

    OK = "ok"
    UNKNOWN = "unknown"
    WARNING = "warning"
    PROBLEM = "problem"


_ORDER = list(CheckStatus)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what it is. The names are an interface (docs/doctor.md).
        found: what was found, in one line.
        hint: what to do; None if there is nothing to do.
        facts: the same for programs.
    """

    name: str
    status: CheckStatus
    found: str
    hint: str | None = None
    facts: Facts = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The check as JSON values."""
        return {
            "name": self.name,
            "status": self.status.value,
            "found": self.found,
            "hint": self.hint,
            "facts": dict(self.facts),
        }


@dataclass(frozen=True, slots=True)
class SettingRead:
    """One setting: its value, and where the value comes from."""

    value: str | int | float | bool | Sequence[str] | None
    origin: str


@dataclass(frozen=True, slots=True)
class Examination:
    """All checks, in the order in which they are shown.

    Attributes:
        settings: by their names.
        environment: the variables that matter, by their names; `set` stands for a secret.
    """

    checks: Sequence[Check]
    settings: Mapping[str, SettingRead]
    environment: Mapping[str, str]

    @property
    def status(self) -> CheckStatus:
        """The worst status of all checks."""
        return worst(check.status for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """The examination as JSON values. The fields are an interface (docs/doctor.md)."""
        return {
            "status": self.status.value,
            "checks": [check.to_json() for check in self.checks],
            "settings": {name: {"value": one.value, "origin": one.origin} for name, one in self.settings.items()},
            "environment": dict(self.environment),
        }


def worst(statuses: Iterable[CheckStatus]) -> CheckStatus:
    """The worst of some statuses; `ok` if there are none."""
    return max(statuses, key=_ORDER.index, default=CheckStatus.OK)
