"""What a run is told besides its pipeline and the flow run's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dockercise_prefect.orchestration.run.events import Event, Observer
from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.settings import Settings


def nobody(_event: Event) -> None:
    """An observer that does nothing."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How to run.

    Attributes:
        settings: of this user and machine.
        flags: variables from `--env`; never parameters of the flow run, which Prefect stores.
        file_variables: those from `--env-file`; neither.
        secret_blocks: variable to the Prefect Secret block that a registration names for it.
        commit: the one that the code is of, short, where that is known; None asks git.
        aws: every stage gets a copy of the user's AWS folder.
        fail_fast: the first failure stops the independent branches too.
        engine: where stages run; None finds the user's. Whoever gives one closes it.
        observer: is told what happens.
    """

    settings: Settings
    flags: Mapping[str, str] = field(default_factory=dict)
    file_variables: Mapping[str, str] = field(default_factory=dict)
    secret_blocks: Mapping[str, str] = field(default_factory=dict)
    commit: str | None = None
    aws: bool = False
    fail_fast: bool = False
    engine: Engine | None = None
    observer: Observer = nobody
