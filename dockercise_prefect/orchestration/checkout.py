"""The code of a registered repository, on this machine for the time of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dockercise_prefect.errors import UsageError
from dockercise_prefect.orchestration.registration import Registration
from dockercise_prefect.orchestration.secret_blocks import load_secret
from dockercise_prefect.repository.access import Access
from dockercise_prefect.repository.mirror import Mirror

FOLDER = "repositories"
"""Below the user's data folder."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """Code, and the commit that it is of; None for a folder without a repository."""

    folder: Path
    commit: str | None


def open_mirror(registration: Registration, data: Path) -> Mirror:
    """The repository's mirror on this machine.

    Args:
        registration: names what opens it.
        data: the user's data folder.

    Raises:
        UsageError: the Secret block that it names is not there.
    """
    return Mirror(data / FOLDER, registration.address, _access(registration.credentials))


@contextmanager
def checked_out(registration: Registration, commit: str | None, data: Path) -> Iterator[Checkout]:
    """The code of a commit, as long as the body runs.

    Args:
        registration: of the repository.
        commit: its whole id; None for what the registration's branch or tag stands for now.
        data: the user's data folder.

    Raises:
        UsageError: there is no such commit or branch; or a folder without a repository has none.
        RepositoryError: the repository cannot be read.
    """
    if registration.ref is None:
        if commit is not None:
            raise UsageError(f"{registration.url} is a folder without a git repository, so it has no commit {commit}")
        folder = Path(registration.url)
        if not folder.is_dir():
            raise UsageError(f"{folder} is no folder of this machine", "run its worker where it was registered")
        yield Checkout(folder, None)
        return
    mirror = open_mirror(registration, data)
    commit = commit or mirror.head(registration.ref).commit
    with mirror.checkout(commit, registration.extras) as folder:
        yield Checkout(folder, commit)


def _access(block: str | None) -> Access:
    if block is None:
        return Access()
    secret = load_secret(block)
    if secret is None:
        raise UsageError(f"there is no Secret block `{block}` in Prefect", "make it in Prefect's UI under Blocks")
    return Access(block, secret)
