"""Connects a repository to a stack: on GitHub with its API, elsewhere with the user's help."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from dockercise_prefect.cli.github_options import find_token, github_with, say_origin, token_for_statuses
from dockercise_prefect.cli.repository_choice import can_choose, chosen_on_terminal
from dockercise_prefect.errors import UsageError

if TYPE_CHECKING:
    from dockercise_prefect.aws.operating.by_hand import RemoteRepository
    from dockercise_prefect.aws.operating.deployed import Deployed
    from dockercise_prefect.aws.operating.up import Stacks
    from dockercise_prefect.aws.repository import RepositoryOptions
    from dockercise_prefect.hosts.github import GitHub, Repository
    from dockercise_prefect.orchestration.registrations.register import RegisterRequest

BY_HAND_SECONDS = 15 * 60
"""For so long, the host stays awake for a user who enters a deploy key."""


@dataclass(frozen=True, slots=True)
class Link:
    """A repository to connect.

    Attributes:
        words: the repository, as the user knows it.
        source: its address, for checks.
        github: the GitHub that has it; None for a repository that is connected by hand.
        remote: the addresses of a repository that is connected by hand.
        statuses_token: the token for commit statuses; None for no statuses.
    """

    words: str
    source: str
    github: GitHub | None = field(default=None, repr=False)
    remote: RemoteRepository | None = None
    statuses_token: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, text: str, api: str | None, token_env: str | None, *, statuses: bool) -> Link:
        """The repository that the user named, with access to its GitHub.

        Raises:
            UsageError: it is not a repository, or there is no token.
        """
        from dockercise_prefect.aws.operating.by_hand import remote_repository
        from dockercise_prefect.hosts.github import checked_name

        name = _github_name(text)
        if name is None:
            if statuses:
                raise UsageError("--statuses can only be used for a repository on GitHub", "remove it")
            remote = remote_repository(text)
            return cls(text, remote.url, remote=remote)
        checked_name(name)
        token = find_token(token_env, api)
        github = github_with(token, api)
        say_origin(token)
        statuses_token = token_for_statuses(token) if statuses else None
        return cls(name, f"https://{github.host}/{name}", github, statuses_token=statuses_token)


def chosen(stacks: Stacks, token_env: str | None, api: str | None) -> str | None:
    """Offer the repositories that the user administers on GitHub, if the stack has none yet. Returns OWNER/REPO, or None.

    Nothing is offered if nobody can choose, or if there is no token.
    """
    if not can_choose() or stacks.parameters().repositories():
        return None
    try:
        token = find_token(token_env, api)
    except UsageError:
        if token_env is not None:
            raise
        return None
    if not click.confirm("connect a repository on GitHub now?", default=True, err=True):
        return None
    return chosen_on_terminal(github_with(token, api).administered())


def connect(stacks: Stacks, stack: Deployed, link: Link, options: RepositoryOptions | None) -> bool:
    """Connect a repository. Returns whether anything was changed.

    Raises:
        DockerciseError: a step failed. What was made is undone.
    """
    if link.github is not None:
        return _on_github(stacks, stack, link, link.github, options)
    return link.remote is not None and _by_hand(stacks, stack, link.remote, options)


def stack_options(asked: RegisterRequest) -> RepositoryOptions | None:
    """The options of a registration as the stack keeps them; None if the user gave none, so that earlier ones are kept."""
    from dockercise_prefect.aws.repository import RepositoryOptions

    registration, timetable = asked.registration, asked.timetable
    options = RepositoryOptions(
        ref=registration.ref,
        name=asked.name,
        crons=timetable.crons,
        intervals=timetable.intervals,
        rrules=timetable.rrules,
        timezone=timetable.timezone,
        targets=asked.targets,
        env=asked.env,
        secrets=registration.secrets,
        concurrency=asked.concurrency,
        skip_overlapping=asked.skip_overlapping,
        paused=asked.paused,
        submodules=registration.submodules,
        lfs=registration.lfs,
        untrusted=registration.untrusted,
        branches=registration.branches,
        tags=registration.tags,
    )
    return options if asked.unscheduled or options != RepositoryOptions() else None


def _on_github(stacks: Stacks, stack: Deployed, link: Link, github: GitHub, options: RepositoryOptions | None) -> bool:
    from dockercise_prefect.aws.operating.stack_store import StackStore
    from dockercise_prefect.aws.operating.up import readiness, woken
    from dockercise_prefect.connect import connecting

    waits = readiness(stacks, stack, click.echo)
    stores: list[StackStore] = []

    def open_store(known: Repository) -> StackStore:
        address = f"https://{github.host}/{known.full_name}"
        stores.append(StackStore(stacks.parameters(), stacks.names, address, options, waits))
        return stores[-1]

    wish = connecting.Wish(repository=link.words, webhook_url=stack.output("WebhookUrl"), statuses_token=link.statuses_token)
    found = connecting.survey(wish, github, open_store)
    if found.is_complete and stores[-1].is_current(found.connected):
        click.echo(f"{found.repository.full_name} is connected already")
        return False
    click.echo(f"{found.repository.full_name} on {github.host}: {found.repository.visibility}")
    with woken(stacks, stack, click.echo):
        connecting.connect(found, github, click.echo)
    return True


def _by_hand(stacks: Stacks, stack: Deployed, repository: RemoteRepository, options: RepositoryOptions | None) -> bool:
    from dockercise_prefect.aws.operating.by_hand import prepare
    from dockercise_prefect.aws.operating.sleep import wake
    from dockercise_prefect.aws.operating.stack_store import StackStore
    from dockercise_prefect.aws.operating.up import readiness
    from dockercise_prefect.connect.store import Connected

    store = StackStore(stacks.parameters(), stacks.names, repository.address, options, readiness(stacks, stack, click.echo))
    if store.is_current(Connected(url=repository.url, host_keys=(), sends_statuses=False)):
        click.echo(f"{repository.address} is connected already")
        return False
    made = prepare(store, repository, click.echo)
    wake(stacks, BY_HAND_SECONDS)
    click.echo(f"enter these on the page of {repository.address}:")
    click.echo(f"  webhook for pushes: {stack.output('WebhookUrl')}, content type application/json")
    click.echo(f"  its secret: {made.webhook_secret or 'as before; it is not shown again'}")
    click.echo(f"  deploy key, read-only: {made.public_key}")
    click.echo("the host registers the repository as soon as it can read it; `dockercise aws status` shows it")
    return True


def _github_name(text: str) -> str | None:
    """`owner/name` if the text names a repository on GitHub."""
    if "://" in text:
        parts = urlsplit(text)
        path = parts.path.strip("/").removesuffix(".git")
        return path if parts.hostname in {"github.com", "www.github.com"} else None
    if text.startswith("git@github.com:"):
        return text.partition(":")[2].removesuffix(".git")
    return None if ":" in text else text
