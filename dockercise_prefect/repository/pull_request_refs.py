"""Where a host keeps the commits of a pull request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_PLACES = ("refs/pull", "refs/merge-requests")
"""The folders of GitHub and Gitea, and of GitLab."""


@dataclass(frozen=True, slots=True)
class PullRequestTips:
    """The commits that the refs of a pull request stand for at the host now.

    Attributes:
        head: the newest commit of the source branch; None if the host has no such ref.
        merge: the commit that merges it into the target branch, which some hosts make; None if there is none.
    """

    head: str | None
    merge: str | None


@dataclass(frozen=True, slots=True)
class PullRequestRefs:
    """The refs of one pull request.

    Attributes:
        number: the number of the pull request in its repository.
        is_fork: whether its commits come from another repository. Then they are kept apart from those of the repository.
    """

    number: int
    is_fork: bool

    @property
    def globs(self) -> tuple[str, ...]:
        """Globs for its refs at any host."""
        return tuple(f"{place}/{self.number}/*" for place in _PLACES)

    def tips(self, refs: Mapping[str, str]) -> PullRequestTips:
        """The commits of the pull request.

        Args:
            refs: refs of the host and their commits. There may be others too: git also finds a branch with such a name.
        """
        folders = [f"{place}/{self.number}" for place in _PLACES]
        folder = next((folder for folder in folders if f"{folder}/head" in refs), folders[0])
        return PullRequestTips(refs.get(f"{folder}/head"), refs.get(f"{folder}/merge"))
