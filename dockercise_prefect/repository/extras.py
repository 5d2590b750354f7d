"""What a checkout gets besides the tree of its commit, for those who asked for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dockercise_prefect.repository.command import NO_LFS, REMOTE, git

_LFS = {
    "filter.lfs.process": "git-lfs filter-process",
    "filter.lfs.smudge": "git-lfs smudge -- %f",
    "filter.lfs.clean": "git-lfs clean -- %f",
    "filter.lfs.required": "true",
}


@dataclass(frozen=True, slots=True)
class Extras:
    """What is brought.

    Attributes:
        url: of the repository: submodules may have addresses relative to it, and files in LFS lie there.
        submodules: their trees, theirs too; of other hosts, never of this machine unless the repository itself is.
        lfs: files in LFS instead of the texts that stand for them; needs `git-lfs`.
    """

    url: str
    submodules: bool = False
    lfs: bool = False

    def bring(self, folder: Path, environment: Mapping[str, str], hidden: Sequence[str]) -> None:
        """Bring it.

        Args:
            folder: the checkout.
            environment: variables that git opens the repository with.
            hidden: texts that must not be shown.

        Raises:
            GitError: git says no.
        """
        settings = {"remote.origin.url": self.url} | (_LFS if self.lfs else NO_LFS)
        if self.lfs:
            git(folder, "lfs", "pull", "origin", settings=settings, protocols=REMOTE, environment=environment, hidden=hidden)
        if self.submodules:
            update = ("submodule", "update", "--quiet", "--init", "--recursive", "--depth=1")
            git(folder, *update, settings=settings, protocols=REMOTE, environment=environment, hidden=hidden)
