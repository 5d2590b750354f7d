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

STEPS = "dockercise.steps"
"""Of an image: how many instructions of the Dockerfile may come after the one that sets the labels; a commit has none."""


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Which run this is."""

    run_id: str
    pipeline: str
    flow_run_id: str


class Labels:
    """Labels and names for all that one run makes on an engine. Thread-safe.

    Names are unique on the engine, also when two runs have one id; they say which run they belong to as far as Docker's
    alphabet lets them. The labels hold the exact names.
    """

    def __init__(self, identity: RunIdentity, owner: str) -> None:
        self._run = {
            RUN: identity.run_id,
            PIPELINE: identity.pipeline,
            FLOW_RUN: identity.flow_run_id,
            OWNER: owner,
        }
        self._prefix = f"dockercise-{_plain(identity.run_id)}-{secrets.token_hex(4)}"
        self._numbers = itertools.count(1)

    def of_run(self) -> dict[str, str]:
        """For what belongs to the run as a whole."""
        return dict(self._run)

    def of_stage(self, stage: StageName, attempt: int = 1) -> dict[str, str]:
        """For what belongs to one attempt at a stage."""
        return self._run | {STAGE: stage, ATTEMPT: str(attempt)}

    def name(self, what: str) -> str:
        """A new name for a thing on the engine; `what` says what it is for."""
        return f"{self._prefix}-{next(self._numbers)}-{_plain(what)}"

    def mine(self, labels: Mapping[str, str]) -> bool:
        """Whether something with these labels was made by this run."""
        return all(labels.get(key) == value for key, value in self._run.items())


def _plain(text: str) -> str:
    """The text in the alphabet of Docker's names, and short."""
    return re.sub(r"[^a-zA-Z0-9_.-]", "_", text)[:40] or "_"
