"""What a run knows of git, and how it began: what conditions and the variables of git ask for (LANGUAGE section 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

OF_GIT = (
    "DOCKERCISE_COMMIT",
    "DOCKERCISE_BRANCH",
    "DOCKERCISE_TAG",
    "DOCKERCISE_EVENT",
    "DOCKERCISE_REPOSITORY",
    "DOCKERCISE_PREVIOUS",
    "DOCKERCISE_AUTHOR",
    "DOCKERCISE_MESSAGE",
    "DOCKERCISE_PULL_REQUEST",
    "DOCKERCISE_SOURCE_BRANCH",
    "DOCKERCISE_TARGET_BRANCH",
)
"""The variables of git."""

OF_THE_OUTCOME = ("DOCKERCISE_STATUS", "DOCKERCISE_FAILED")
"""The variables that say how the run stands. Only stages that run whatever came of others have texts in them."""

RUN_VARIABLES = frozenset({*OF_GIT, *OF_THE_OUTCOME})
"""The variables that the run sets in stages that name them, and in no others.

In a pipeline, each is an optional variable from outside. The run itself always has them, so no other source is asked for them.
"""


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
        branch: the short name of the branch. A run of a pull request has none, because its code is on no branch.
        tag: the tag of the commit.
        repository: the address of the repository, without a login.
        previous: the commit that the branch was at before the push; for a pull request, that of the target branch.
        author: the commit's author, `Name <address>`.
        message: the commit's whole message.
        changed: the paths that the push or the pull request changed; None if nobody knows what changed.
        pull_request: the number of the pull request.
        source_branch: the branch with the changes of the pull request.
        target_branch: the branch that the pull request is for.
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
    pull_request: str = ""
    source_branch: str = ""
    target_branch: str = ""

    @property
    def variables(self) -> Mapping[str, str]:
        """The variables of git, by their names."""
        texts = (
            self.commit,
            self.branch,
            self.tag,
            self.event.value,
            self.repository,
            self.previous,
            self.author,
            self.message,
            self.pull_request,
            self.source_branch,
            self.target_branch,
        )
        return dict(zip(OF_GIT, texts, strict=True))
