"""The kinds of git hosts that send pushes."""

from __future__ import annotations

from enum import StrEnum


class HostKind(StrEnum):
    """The kind of host that a delivery comes from. Forgejo counts as Gitea, and GitHub Enterprise counts as GitHub."""

    GITHUB = "github"
    GITEA = "gitea"
    GITLAB = "gitlab"
