"""Connects a repository on GitHub: adds a deploy key and a webhook to it, stores their secrets, and registers it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from dockercise_prefect.connect.connection import key_title, own_hooks, own_keys
from dockercise_prefect.connect.deploy_key import DeployKey, fingerprint, make_deploy_key, read_deploy_key
from dockercise_prefect.connect.store import Connected, ConnectionStore, Secret
from dockercise_prefect.connect.undo import Undo, undone_on_failure
from dockercise_prefect.errors import DockerciseError, HostRefusedError
from dockercise_prefect.hosts.github import GitHub, KnownHook, KnownKey, Repository
from dockercise_prefect.repository.address import parse_address

SECRET_BYTES = 32
"""The length of a webhook's secret: the same as that of the digest that it is used for."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a user wants to connect.

    Attributes:
        repository: `owner/name`.
        webhook_url: the URL that pushes are sent to.
        statuses_token: the token that commit statuses are sent with; None for no statuses.
        pull_requests: whether GitHub sends pull requests too.
    """

    repository: str
    webhook_url: str
    statuses_token: str | None = field(default=None, repr=False)
    pull_requests: bool = False

    @property
    def events(self) -> tuple[str, ...]:
        """The events that GitHub sends, by its names."""
        return ("push", "pull_request") if self.pull_requests else ("push",)

    @property
    def sent(self) -> str:
        """The same for people."""
        return "pushes and pull requests" if self.pull_requests else "pushes"


@dataclass(frozen=True, slots=True)
class Survey:
    """What exists on GitHub and in the store before anything is changed."""

    wish: Wish
    repository: Repository
    hooks: tuple[KnownHook, ...]
    old_keys: tuple[KnownKey, ...]
    store: ConnectionStore
    host_keys: tuple[str, ...]
    webhook_secret: str | None = field(repr=False)
    private_key: str | None = field(repr=False)
    token: str | None = field(repr=False)

    @property
    def connected(self) -> Connected:
        """The repository as it will be registered."""
        return Connected(
            url=self.repository.ssh_url,
            host_keys=self.host_keys,
            sends_statuses=self.wish.statuses_token is not None,
        )

    @property
    def is_complete(self) -> bool:
        """Whether everything is there already, on GitHub and in the store. The registration itself is not looked at."""
        pair = read_deploy_key(self.private_key or "")
        return (
            pair is not None
            and [fingerprint(key.public) for key in self.old_keys] == [pair.fingerprint]
            and len(self.hooks) == 1
            and self.webhook_secret is not None
            and self.token == self.wish.statuses_token
        )

    def plan(self) -> list[str]:
        """What `connect` would do, one line for each step."""
        name, place = self.repository.full_name, self.store.place
        key = "replace" if self.old_keys else "add"
        hook = "set" if self.hooks else "add"
        secret = "keep" if self.webhook_secret else "save"
        lines = [
            f"would {key} a read-only deploy key of {name}, {key_title(self.wish.webhook_url)!r}",
            f"would save its private key in {place(Secret.KEY)}",
            f"would {secret} the webhook's secret in {place(Secret.WEBHOOK)}",
        ]
        if self.wish.statuses_token:
            lines.append(f"would save a token for commit statuses in {place(Secret.TOKEN)}")
        elif self.token:
            lines.append(f"would remove the token for commit statuses, {place(Secret.TOKEN)}")
        lines.append(f"would register {self.repository.ssh_url}")
        return [*lines, f"would {hook} a webhook of {name} for {self.wish.sent}, to {self.wish.webhook_url}"]


def survey(wish: Wish, github: GitHub, open_store: Callable[[Repository], ConnectionStore]) -> Survey:
    """Check whether the token has the needed rights, and find out what exists. Nothing is changed.

    Whether a fine-grained token may write cannot be known before something is written with it.

    Args:
        open_store: finds the store for the repository, whose current name GitHub knows.

    Raises:
        HostError: GitHub does not answer, or refuses access.
        DockerciseError: the store does not answer.
    """
    repository = github.repository(wish.repository)
    name = repository.full_name
    if not repository.administered:
        hint = "only administrators can change its webhooks and deploy keys: use an administrator's token"
        raise HostRefusedError(f"the token's user is not an administrator of {name}", hint)
    hooks = own_hooks(github.hooks(name), wish.webhook_url)
    store = open_store(repository)
    private = store.find(Secret.KEY)
    return Survey(
        wish=wish,
        repository=repository,
        hooks=hooks,
        old_keys=own_keys(github.keys(name), read_deploy_key(private or ""), wish.webhook_url),
        store=store,
        host_keys=_known_hosts(repository, github),
        webhook_secret=store.find(Secret.WEBHOOK),
        private_key=private,
        token=store.find(Secret.TOKEN),
    )


def connect(found: Survey, github: GitHub, tell: Tell) -> str:
    """Connect a repository, or bring its connection up to date. If a step fails, what was made is undone.

    The webhook is made last, so that pushes are sent only when something can receive them. An existing secret of the webhook
    is kept, because a push that arrives meanwhile is signed with it. The deploy key is a new one each time.

    Args:
        found: what `survey` found just before.
        tell: called with a line for each step.

    Returns:
        The name of the registration.

    Raises:
        DockerciseError: a step failed. What this call made is undone, and `tell` was called with what could not be undone.
    """
    name, wish = found.repository.full_name, found.wish
    with undone_on_failure(tell) as undo:
        pair = make_deploy_key()
        undo.later(f"the new deploy key of {name}", lambda: _remove_key_named(github, name, pair))
        github.add_key(name, key_title(wish.webhook_url), pair.public)
        tell(f"deploy key added to {name}, read-only ({pair.fingerprint})")
        _keep(undo, found, Secret.KEY, pair.private, found.private_key)
        tell(f"its private key is in {found.store.place(Secret.KEY)}")
        secret = found.webhook_secret or secrets.token_hex(SECRET_BYTES)
        _keep(undo, found, Secret.WEBHOOK, secret, found.webhook_secret)
        tell(f"the webhook's secret is in {found.store.place(Secret.WEBHOOK)}")
        _keep_token(undo, found, tell)
        registration = found.store.register(found.connected, undo, tell)
        _send_pushes(undo, found, github, secret)
        tell(f"webhook {'set' if found.hooks else 'added'}: GitHub sends {wish.sent} to {wish.webhook_url}")
    _tidy(found, github, tell)
    return registration


def _keep(undo: Undo, found: Survey, secret: Secret, text: str, before: str | None) -> None:
    if text == before:
        return
    store = found.store
    undo.later(store.place(secret), partial(store.delete, secret) if before is None else partial(store.save, secret, before))
    store.save(secret, text)


def _keep_token(undo: Undo, found: Survey, tell: Tell) -> None:
    place, token = found.store.place(Secret.TOKEN), found.wish.statuses_token
    if token is not None:
        _keep(undo, found, Secret.TOKEN, token, found.token)
        tell(f"commit statuses are sent with the token in {place}")
    elif found.token is not None:
        undo.later(place, partial(found.store.save, Secret.TOKEN, found.token))
        found.store.delete(Secret.TOKEN)
        tell(f"commit statuses are not sent any more: {place} is removed")


def _send_pushes(undo: Undo, found: Survey, github: GitHub, secret: str) -> None:
    name, url = found.repository.full_name, found.wish.webhook_url
    if found.hooks:
        github.set_hook(name, found.hooks[0].id, url, secret, found.wish.events)
        return
    undo.later(f"the webhook of {name}", lambda: _remove_hooks(github, name, own_hooks(github.hooks(name), url)))
    github.add_hook(name, url, secret, found.wish.events)


def _tidy(found: Survey, github: GitHub, tell: Tell) -> None:
    """Remove old deploy keys and second webhooks when all is connected. It is not a failure if one cannot be removed."""
    name = found.repository.full_name
    for key in found.old_keys:
        _without_failing(partial(github.remove_key, name, key.id), f"old deploy key {key.id} of {name}", tell)
    for hook in found.hooks[1:]:
        _without_failing(partial(github.remove_hook, name, hook.id), f"second webhook {hook.id} of {name}", tell)


def _without_failing(remove: Callable[[], bool], what: str, tell: Tell) -> None:
    try:
        remove()
    except DockerciseError as error:
        tell(f"the {what} is still there: {error.message}")
    else:
        tell(f"the {what} is removed")


def _remove_key_named(github: GitHub, name: str, pair: DeployKey) -> bool:
    found = [key for key in github.keys(name) if fingerprint(key.public) == pair.fingerprint]
    return sum(github.remove_key(name, key.id) for key in found) > 0


def _remove_hooks(github: GitHub, name: str, hooks: Sequence[KnownHook]) -> bool:
    return sum(github.remove_hook(name, hook.id) for hook in hooks) > 0


def _known_hosts(repository: Repository, github: GitHub) -> tuple[str, ...]:
    """The keys of the repository's host, as lines of a known_hosts file; empty if the host does not publish them."""
    host, _, port = parse_address(repository.ssh_url, Path("/")).host.partition(":")
    try:
        keys = github.host_keys()
    except HostRefusedError:
        return ()
    return tuple(f"{f'[{host}]:{port}' if port else host} {key}" for key in keys) if host else ()
