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
    """What to fetch in addition to the files of the commit.

    Attributes:
        url: URL of the repository. Submodules may have addresses relative to it, and files in LFS are stored there.
        submodules: whether to fetch submodules, and the submodules in them. They may be on other hosts, but on this machine
            only if the repository itself is.
        lfs: whether to fetch the files in LFS that the pointer files stand for; needs `git-lfs`.
    """

    url: str
    submodules: bool = False
    lfs: bool = False

    def bring_files(self, folder: Path, environment: Mapping[str, str], hidden: Sequence[str]) -> None:
        """Fetch files in LFS, if they are asked for.

        Args:
            folder: the checkout.
            environment: variables with which git opens the repository.
            hidden: texts that must not be shown.

        Raises:
            GitError: git fails.
        """
        if self.lfs:
            self._git(folder, "lfs", "pull", "origin", environment=environment, hidden=hidden)

    def bring_submodules(self, folder: Path, environment: Mapping[str, str], hidden: Sequence[str]) -> None:
        """Fetch submodules. Nobody else may do so in a checkout of the same mirror at the same time.

        Args:
            folder, environment, hidden: as above.

        Raises:
            GitError: git fails.
        """
        # All checkouts of a mirror share their settings, and these may hold what another commit set for a submodule.
        listing = os.fsdecode(git(folder, "config", "--local", "--list", "--name-only", "-z"))
        known = {name.rpartition(".")[0] for name in listing.split("\0") if name.startswith("submodule.")}
        for section in sorted(known):
            git(folder, "config", "--local", "--remove-section", section)
        update = ("submodule", "update", "--quiet", "--init", "--recursive", "--depth=1")
        self._git(folder, *update, environment=environment, hidden=hidden)

    def _git(self, folder: Path, *command: str, environment: Mapping[str, str], hidden: Sequence[str]) -> None:
        settings = {"remote.origin.url": self.url} | (_LFS if self.lfs else NO_LFS)
        git(folder, *command, settings=settings, protocols=REMOTE, environment=environment, hidden=hidden)
