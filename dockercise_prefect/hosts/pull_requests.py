"""Which pull requests start runs."""

from __future__ import annotations

from enum import StrEnum


class PullRequests(StrEnum):
    """Whose pull requests start runs."""

    NEVER = "never"
    OWN = "own"
    """Those whose branch is in the repository itself. Whoever opens one may push to the repository."""

    ALL = "all"
    """Those of forks, too. Anybody can open one."""

    def includes(self, *, is_fork: bool) -> bool:
        """Whether a pull request starts runs.

        Args:
            is_fork: whether its branch is in another repository.
        """
        return self is PullRequests.ALL or (self is PullRequests.OWN and not is_fork)
