"""What a run knows of git, and how it began: what conditions and the variables of git ask for (LANGUAGE section 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class RunEvent(StrEnum):
    """How a run began."""

    PUSH = "push"
    TAG = "tag"
    PULL_REQUEST = "pull_request"
    SCHEDULE = "schedule"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What a run knows of git, and how it began. A text is empty if it is not known.

    Attributes:
        event: how the run began.
        commit: the full id of the code's commit.
        branch: the short name of the branch.
        tag: the tag of the commit.
        repository: the address of the repository, without a login.
        previous: the commit that the branch was at before the push.
        author: the commit's author, `Name <address>`.
        message: the commit's whole message.
        changed: the paths that the push changed; None if nobody knows what changed.
    """

    event: RunEvent = RunEvent.MANUAL
    commit: str = ""
    branch: str = ""
    tag: str = ""
    repository: str = ""
    previous: str = ""
    author: str = ""
    message: str = ""
    changed: Sequence[str] | None = None

    @property
    def variables(self) -> Mapping[str, str]:
        """The variables of git, by their names."""
        return {
            "DOCKERCISE_COMMIT": self.commit,
            "DOCKERCISE_BRANCH": self.branch,
            "DOCKERCISE_TAG": self.tag,
            "DOCKERCISE_EVENT": self.event.value,
            "DOCKERCISE_REPOSITORY": self.repository,
            "DOCKERCISE_PREVIOUS": self.previous,
            "DOCKERCISE_AUTHOR": self.author,
            "DOCKERCISE_MESSAGE": self.message,
        }
