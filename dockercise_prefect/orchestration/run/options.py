"""The options of a run, besides its pipeline and the parameters of the flow run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dockercise_prefect.orchestration.reuse.resume import Resume
from dockercise_prefect.orchestration.run.events import Event, Observer
from dockercise_prefect.pipeline.run_context import RunContext
from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.settings import Settings


def nobody(_event: Event) -> None:
    """An observer that does nothing."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How to run.

    Attributes:
        settings: the settings of this user and machine.
        flags: the variables from `--env`. They are never parameters of the flow run, because Prefect stores those.
        file_variables: the variables from `--env-file`. They are never parameters of the flow run either.
        environment: the variables that a trusted pipeline finds on this machine; None for those of this process.
        secret_blocks: the Prefect Secret block of each secret variable of a registration, by the name of the variable.
        commit: the short id of the code's commit, if it is known; None to ask git.
        git: what the run knows of git, and how it began; None to ask git.
        aws: whether every stage gets a copy of the user's AWS folder.
        fail_fast: whether the first failure also stops the independent branches.
        engine: the engine that runs the stages; None to find the user's engine. The caller closes an engine that it passes.
        no_cache: whether stages with `cache` run even if nothing has changed.
        fail_on_miss: whether a stage with `cache` that is not reused fails instead of running.
        resume: the recorded runs that are resumed; None for none.
        observer: called with each event.
    """

    settings: Settings
    flags: Mapping[str, str] = field(default_factory=dict)
    file_variables: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] | None = None
    secret_blocks: Mapping[str, str] = field(default_factory=dict)
    commit: str | None = None
    git: RunContext | None = None
    aws: bool = False
    fail_fast: bool = False
    engine: Engine | None = None
    no_cache: bool = False
    fail_on_miss: bool = False
    resume: Resume | None = None
    observer: Observer = nobody
