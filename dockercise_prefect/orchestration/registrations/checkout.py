"""The code of a registered repository, on this machine while it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dockercise_prefect.compiler import Compiled, compile_folder
from dockercise_prefect.errors import UsageError
from dockercise_prefect.frontend.subgraphs import RefusedPackages
from dockercise_prefect.orchestration.packages.cache import PackageCache
from dockercise_prefect.orchestration.packages.fetch import FOLDER as PACKAGES
from dockercise_prefect.orchestration.packages.fetch import EnginePackages
from dockercise_prefect.orchestration.prefect.engine_login import connect_engine
from dockercise_prefect.orchestration.prefect.secret_blocks import needed_secret
from dockercise_prefect.orchestration.registrations.registration import Registration
from dockercise_prefect.pipeline import CodeHistory
from dockercise_prefect.repository.access import Access
from dockercise_prefect.repository.known_hosts import remember
from dockercise_prefect.repository.mirror import Mirror
from dockercise_prefect.repository.revision import Head
from dockercise_prefect.settings import Settings

FOLDER = "repositories"
"""The name of the folder below the user's data folder."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """Code on this machine.

    Attributes:
        folder: holds the files.
        commit: the full id of the commit; None for a folder without a repository.
        head: the registered branch or tag, if the host was asked for it.
    """

    folder: Path
    commit: str | None
    head: Head | None = None


def check_extras(registration: Registration, settings: Settings) -> None:
    """Refuse submodules and LFS files for a repository that is not trusted, because the repository chooses their addresses.

    Raises:
        UsageError: submodules or files in LFS are requested.
    """
    if registration.settings(settings).untrusted and (registration.submodules or registration.lfs):
        hint = "remove --submodules and --lfs"
        raise UsageError("an untrusted repository would choose what else is fetched with your credentials", hint)


def open_mirror(registration: Registration, data: Path) -> Mirror:
    """The mirror of the repository on this machine. The host keys of the registration are stored for it.

    Args:
        registration: names the Secret block that opens the repository.
        data: the user's data folder.

    Raises:
        UsageError: the Secret block does not exist.
    """
    if registration.host_keys:
        remember(data / FOLDER, registration.host_keys)
    return Mirror(data / FOLDER, registration.address, _access(registration.credentials), registration.pull_request)


@contextmanager
def checked_out(registration: Registration, commit: str | None, settings: Settings) -> Iterator[Checkout]:
    """The code of a commit, while the body runs.

    Args:
        registration: the registration of the repository.
        commit: the full id of the commit; None for the current commit of the registration's branch or tag.
        settings: the settings of this machine: where mirrors are, and whether it trusts the repository.

    Raises:
        UsageError: the commit or the branch does not exist; or a commit is requested for a folder without a repository; or
            submodules or files in LFS are requested for a repository that is not trusted.
        RepositoryError: the repository cannot be read.
    """
    if registration.ref is None:
        if commit is not None:
            raise UsageError(f"{registration.url} is a folder without a git repository, so it has no commit {commit}")
        folder = Path(registration.url)
        if not folder.is_dir():
            raise UsageError(
                f"{folder} is not a folder on this machine", "run the worker on the machine where it was registered"
            )
        yield Checkout(folder, None)
        return
    check_extras(registration, settings)
    mirror = open_mirror(registration, settings.data)
    head: Head | None = None
    if not commit:
        head = mirror.head(registration.ref)
        commit = head.commit
    with mirror.checkout(commit, registration.extras) as folder:
        yield Checkout(folder, commit, head)


def bring_history(
    checkout: Checkout, history: CodeHistory, branch: str, registration: Registration, settings: Settings
) -> None:
    """Make a checkout a repository of its own, with history and tags. A folder without a commit is left as it is.

    Args:
        checkout: from `checked_out`.
        history: how much history it gets.
        branch: the branch of the run; empty for none.
        registration: the registration of the repository.
        settings: the settings of this machine.

    Raises:
        RepositoryError: the history cannot be fetched.
    """
    if checkout.commit is not None:
        open_mirror(registration, settings.data).add_history(checkout.folder, checkout.commit, history.depth, branch)


def compile_checkout(
    checkout: Checkout,
    registration: Registration,
    settings: Settings,
    notify: Callable[[str], None],
    parameters: Mapping[str, object],
) -> Compiled:
    """Compile the pipeline in a checkout. If the repository is trusted, packages are run on the engine of the settings.

    Args:
        notify: called with a message before something that takes long.
        parameters: values of the pipeline's parameters, instead of their defaults.

    Raises:
        DockerciseError: see `compile_folder`.
    """
    name = registration.address.name
    if registration.settings(settings).untrusted:
        return compile_folder(checkout.folder, name=name, packages=RefusedPackages(), parameters=parameters)

    def cache() -> PackageCache:
        return PackageCache(settings.data / PACKAGES, notify)

    with closing(EnginePackages(cache, lambda: connect_engine(settings), notify)) as packages:
        return compile_folder(checkout.folder, name=name, packages=packages, parameters=parameters)


def _access(block: str | None) -> Access:
    return Access() if block is None else Access(block, needed_secret(block))
