"""The code of a job: one commit of the customer's repository, compiled, with what the run knows of git."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dockercise_prefect.aws.jobs.order import Order
from dockercise_prefect.aws.repository import StackRepository
from dockercise_prefect.compiler import Compiled, compile_folder
from dockercise_prefect.compiler.triggers import triggered
from dockercise_prefect.errors import DockerciseError, NothingToDoError
from dockercise_prefect.frontend.subgraphs import Packages
from dockercise_prefect.git.context import READ_COMMIT, read_commit
from dockercise_prefect.orchestration.registrations.commits import changed_apart
from dockercise_prefect.pipeline.name_globs import takes_name
from dockercise_prefect.pipeline.run_context import RunContext, RunEvent
from dockercise_prefect.repository.access import Access
from dockercise_prefect.repository.address import parse_address
from dockercise_prefect.repository.branches import exactly
from dockercise_prefect.repository.command import git
from dockercise_prefect.repository.extras import Extras
from dockercise_prefect.repository.known_hosts import remember
from dockercise_prefect.repository.mirror import Mirror

FOLDER = "repositories"
"""The name of the folder of mirrors below the data folder."""


@dataclass(frozen=True, slots=True)
class JobCode:
    """What a job runs.

    Attributes:
        folder: the checkout.
        compiled: its pipeline.
        known: what the run knows of git.
        targets: the stages to run; empty for the whole pipeline.
    """

    folder: Path
    compiled: Compiled
    known: RunContext
    targets: tuple[str, ...]


def open_mirror(repository: StackRepository, data: Path) -> Mirror:
    """The mirror of a repository on this machine, which its deploy key opens.

    Args:
        repository: where it is, and how to read it.
        data: the data folder of this machine.

    Raises:
        RepositoryError: the keys of its host cannot be stored.
    """
    if repository.host_keys:
        remember(data / FOLDER, repository.host_keys)
    access = Access("the deploy key", repository.deploy_key) if repository.deploy_key else Access()
    return Mirror(data / FOLDER, parse_address(repository.url, Path("/")), access)


def refuse_unwanted(order: Order, repository: StackRepository, mirror: Mirror) -> None:
    """Refuse a push to a branch or a tag whose pushes start no runs. This needs no host.

    Args:
        mirror: of the repository; asked for the default branch if no branch is chosen.

    Raises:
        NothingToDoError: the push starts no run.
        RepositoryError: the repository cannot be read.
    """
    options = repository.options
    if order.tag:
        wanted = takes_name(options.tags, order.tag)
    else:
        wanted = takes_name(options.branches or (exactly(options.ref or mirror.head(None).name),), order.branch)
    if not wanted:
        hint = "the options of the repository in the customer's stack choose branches and tags"
        raise NothingToDoError(f"nothing to do: a push to {order.tag or order.branch} starts no run", hint)


@contextmanager
def code_of(order: Order, repository: StackRepository, mirror: Mirror, packages: Packages) -> Iterator[JobCode]:
    """The code of an order, while the body runs.

    Args:
        order: what to run.
        mirror: of the repository.
        packages: gives the packages that the pipeline names.

    Raises:
        RepositoryError: the repository cannot be read.
        DefinitionError: the pipeline does not compile.
        NothingToDoError: no stage is affected by the push.
    """
    options = repository.options
    mirror.fetch(order.commit)
    commit = mirror.peeled(order.commit)
    with mirror.checkout(commit, Extras(repository.url, submodules=options.submodules, lfs=options.lfs)) as folder:
        known = _known(order, repository, mirror, folder, commit)
        name = parse_address(repository.url, Path("/")).name
        compiled = compile_folder(folder, name=name, packages=packages)
        if compiled.pipeline.history is not None:
            mirror.add_history(folder, commit, compiled.pipeline.history.depth, known.branch)
        yield JobCode(folder, compiled, known, _targets(compiled, known, options.targets))


def _known(order: Order, repository: StackRepository, mirror: Mirror, folder: Path, commit: str) -> RunContext:
    about = read_commit(git(folder, *READ_COMMIT, commit, "--"))
    changed = None
    if order.before:
        try:
            mirror.fetch(order.before)
            changed = changed_apart(mirror.folder, order.before, commit)
        except DockerciseError:  # the commit is gone after a forced push: nobody knows what changed
            changed = None
    return RunContext(
        event=RunEvent.TAG if order.tag else RunEvent.PUSH,
        commit=commit,
        branch=order.branch,
        tag=order.tag,
        repository=repository.url,
        previous=order.before,
        author=about.author,
        message=about.message,
        changed=changed,
    )


def _targets(compiled: Compiled, known: RunContext, chosen: tuple[str, ...]) -> tuple[str, ...]:
    """The stages that the push affects, by their triggers, as for a registered repository."""
    pipeline = compiled.pipeline.only(chosen)
    if known.tag or known.changed is None or not any(stage.triggers for stage in pipeline):
        return chosen
    affected = tuple(triggered(pipeline, known.changed))
    if not affected:
        raise NothingToDoError("nothing to do: no stage has triggers for what the push changed")
    return affected
