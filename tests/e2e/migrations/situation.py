"""The situations in which a translated pipeline is run: files in YAML, beside the pipeline and the original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from dockercise_prefect.pipeline import RunEvent

HERE = Path(__file__).parent

SYSTEMS = ("argo", "circleci", "concourse", "drone", "gitlab", "woodpecker")
"""The systems that the pipelines were written for. Each has a folder here."""


@dataclass(frozen=True)
class Situation:
    """What happened to a repository, how the pipeline is run then, and how that must end.

    Attributes:
        system: the system that the pipeline was written for.
        name: what happened, in a few words.
        branch: the branch that is checked out.
        stages: how each stage must end.
        ends: how the run must end.
        event: how the run begins; None for a run by hand that asks git itself.
        commit: files that the last commit changes, by their paths.
        tag: the tag of that commit.
        uncommitted: files that are changed and not committed.
        env: variables from outside.
        targets: the stages that are asked for; all if there are none.
        stop_after: a line; the run is interrupted, as by Ctrl-C, when a stage has printed it.
        attempts: how many attempts stages must have needed, if it is more than one.
        prints: patterns of what stages must print on stdout.
        logs: patterns of a line of what stages must print on stdout or stderr.
    """

    system: str
    name: str
    branch: str
    stages: Mapping[str, str]
    ends: str
    event: RunEvent | None = None
    commit: Mapping[str, str] = field(default_factory=dict)
    tag: str | None = None
    uncommitted: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    targets: Sequence[str] = ()
    stop_after: str | None = None
    attempts: Mapping[str, int] = field(default_factory=dict)
    prints: Mapping[str, str] = field(default_factory=dict)
    logs: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder of the system."""
        return HERE / self.system

    def __str__(self) -> str:
        return f"{self.system}: {self.name}"


def situations() -> list[Situation]:
    """All situations of all systems."""
    return [_read(system, entry) for system in SYSTEMS for entry in _entries(HERE / system)]


def _entries(folder: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = yaml.safe_load((folder / "situations.yaml").read_text(encoding="utf-8"))
    return entries


def _read(system: str, entry: dict[str, Any]) -> Situation:
    unknown = entry.keys() - {known.name for known in fields(Situation)}
    if unknown:
        raise ValueError(f"{system}: a situation has unknown keys: {', '.join(sorted(unknown))}")
    event = entry.pop("event", None)
    return Situation(system=system, event=RunEvent(event) if event else None, **entry)
