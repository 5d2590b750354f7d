"""Optional parts of a checkout: submodules and LFS files."""

from __future__ import annotations

import os
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

    def bring_files(self, folder: Path, environment: Mapping[str, str], hidden: Sequence[str]) -> None:
        """Bring files in LFS, where they are asked for.

        Args:
            folder: the checkout.
            environment: variables that git opens the repository with.
            hidden: texts that must not be shown.

        Raises:
            GitError: git says no.
        """
        if self.lfs:
            self._git(folder, "lfs", "pull", "origin", environment=environment, hidden=hidden)

    def bring_submodules(self, folder: Path, environment: Mapping[str, str], hidden: Sequence[str]) -> None:
        """Bring submodules; nobody else may do so in a checkout of the same mirror at that time.

        Args:
            folder, environment, hidden: as above.

        Raises:
            GitError: git says no.
        """
        # What another commit said of a submodule stands in the settings that all checkouts of a mirror share.
        listing = os.fsdecode(git(folder, "config", "--local", "--list", "--name-only", "-z"))
        known = {name.rpartition(".")[0] for name in listing.split("\0") if name.startswith("submodule.")}
        for section in sorted(known):
            git(folder, "config", "--local", "--remove-section", section)
        update = ("submodule", "update", "--quiet", "--init", "--recursive", "--depth=1")
        self._git(folder, *update, environment=environment, hidden=hidden)

    def _git(self, folder: Path, *command: str, environment: Mapping[str, str], hidden: Sequence[str]) -> None:
        settings = {"remote.origin.url": self.url} | (_LFS if self.lfs else NO_LFS)
        git(folder, *command, settings=settings, protocols=REMOTE, environment=environment, hidden=hidden)
