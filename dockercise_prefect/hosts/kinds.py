"""The kinds of git hosts that send pushes."""

from __future__ import annotations

from enum import StrEnum


class HostKind(StrEnum):
    """Whose dialect a delivery is in; Forgejo speaks Gitea's, GitHub Enterprise speaks GitHub's."""

    GITHUB = "github"
    GITEA = "gitea"
    GITLAB = "gitlab"
