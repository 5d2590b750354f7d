"""Labels and names of everything that we make on the engine: they show which run it belongs to (DESIGN section 3)."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from dockercise_prefect.pipeline import StageName

RUN = "dockercise.run"
STAGE = "dockercise.stage"
PIPELINE = "dockercise.pipeline"
FLOW_RUN = "dockercise.flow_run"
OWNER = "dockercise.owner"
ATTEMPT = "dockercise.attempt"

GUARDIAN = "dockercise.guardian"
"""Label of the container that waits for the end of a run, and of the volume that shows that somebody waits for it."""

ITSELF = "dockercise.itself"
"""Label of a stage's own container and its own volume, and of nothing that helps to fill or read them."""

OVERLAY = "dockercise.overlay"
"""Label of a volume that is a copy by an overlay: the names of the volumes that must stay as long as it is there."""

AFTER_CRASH = "dockercise.cleanup_after_crash"
"""Label of what a run makes whose clean-up stages run even if its process dies (`meta.cleanupAfterCrash`)."""

STEPS = "dockercise.steps"
"""Label of an image: how many instructions of the Dockerfile may follow the one that sets the labels; for a commit, 0."""


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Which run this is."""

    run_id: str
    pipeline: str
    flow_run_id: str
    cleanup_after_crash: bool = False

    def owns(self, labels: Mapping[str, str]) -> bool:
        """Whether something with these labels was made by this run, whichever process made it."""
        return (labels.get(RUN), labels.get(FLOW_RUN)) == (self.run_id, self.flow_run_id)


def attempt_labels(stage: StageName, attempt: int) -> dict[str, str]:
    """The labels that distinguish one attempt at a stage from all others of its run."""
    return {STAGE: stage, ATTEMPT: str(attempt)}


class Labels:
    """Labels and names for all that one run, or one attempt at a stage, makes on an engine. Thread-safe.

    Names are unique on the engine, even if two runs have the same id. A name shows which run it belongs to, but characters
    that Docker does not allow in names are replaced. The labels hold the exact names.

    Args:
        identity: of the run.
        owner: the process that the run belongs to.
        further: labels of an attempt (`attempt_labels`).
    """

    def __init__(self, identity: RunIdentity, owner: str, further: Mapping[str, str] | None = None) -> None:
        self._all = {
            RUN: identity.run_id,
            PIPELINE: identity.pipeline,
            FLOW_RUN: identity.flow_run_id,
            OWNER: owner,
            **({AFTER_CRASH: "true"} if identity.cleanup_after_crash else {}),
            **(further or {}),
        }
        self._prefix = f"dockercise-{_plain(identity.run_id)}-{secrets.token_hex(4)}"
        self._numbers = itertools.count(1)

    def of_run(self) -> dict[str, str]:
        """The labels of what belongs to the run, or the attempt, as a whole."""
        return dict(self._all)

    def of_stage(self, stage: StageName) -> dict[str, str]:
        """The labels of what belongs to one stage."""
        return self._all | {STAGE: stage}

    def of_itself(self, stage: StageName) -> dict[str, str]:
        """The labels of the stage's own container and its own volume."""
        return self.of_stage(stage) | {ITSELF: "true"}

    def name(self, what: str) -> str:
        """A new name for a thing on the engine; `what` says what it is for."""
        return f"{self._prefix}-{next(self._numbers)}-{_plain(what)}"

    def mine(self, labels: Mapping[str, str]) -> bool:
        """Whether something with these labels was made by this run, or attempt."""
        return self._all.items() <= labels.items()


def _plain(text: str) -> str:
    """The text, shortened and in the characters that Docker allows in names."""
    return re.sub(r"[^a-zA-Z0-9_.-]", "_", text)[:40] or "_"
