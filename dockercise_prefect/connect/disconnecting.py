"""Removes the parts of a connection to a repository, here and on GitHub."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from dockercise_prefect.connect.connection import BlockNames, Registrar, own_hooks, own_keys, webhook_of
from dockercise_prefect.connect.deploy_key import read_deploy_key
from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.hosts.github import GitHub
from dockercise_prefect.hosts.github_errors import NoRepositoryError
from dockercise_prefect.orchestration.prefect.secret_blocks import delete_secret, find_secret

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a connection; `remove` returns whether it was still there."""

    what: str
    remove: Callable[[], bool]


def parts(repository: str, webhook_url: str | None, github: GitHub, registrar: Registrar, tell: Tell) -> list[Part]:
    """The parts of a connection that exist, in the order in which to remove them: pushes stop first.

    Args:
        repository: `owner/name`; a renamed repository is found under its old name too.
        webhook_url: the URL that pushes are sent to; None to take it from the title of the deploy key.
        tell: called with a line for what cannot be known.

    Raises:
        HostError: GitHub does not answer, or refuses access.
        OrchestratorError: Prefect does not answer.
    """
    names = [repository]
    on_github: list[Part] = []
    try:
        current = github.repository(repository).full_name
    except NoRepositoryError as error:
        tell(f"{error.message}: nothing is removed there")
    else:
        names += [current] if current.lower() != repository.lower() else []
        blocks = [BlockNames.of(github.host, name) for name in names]
        on_github = parts_on_github(current, webhook_url, github, [find_secret(block.key) for block in blocks], tell)
    here = [part for name in names for part in _here(BlockNames.of(github.host, name), registrar)]
    return [*on_github, *here]


def disconnect(found: Sequence[Part], tell: Tell) -> None:
    """Remove the parts. If one cannot be removed, the others are removed all the same.

    Raises:
        DockerciseError: the error of the first part that could not be removed; `tell` was called for all of them.
    """
    failures: list[DockerciseError] = []
    for part in found:
        try:
            was_there = part.remove()
        except DockerciseError as error:
            tell(f"NOT removed: {part.what}: {error.message}")
            failures.append(error)
        else:
            tell(f"removed: {part.what}" if was_there else f"already gone: {part.what}")
    if failures:
        raise failures[0]


def parts_on_github(
    name: str, webhook_url: str | None, github: GitHub, private: Sequence[str | None], tell: Tell
) -> list[Part]:
    """The webhook and the deploy keys of a connection.

    Args:
        name: `owner/name`, as GitHub knows it now.
        webhook_url: the URL that pushes are sent to; None to take it from the title of the deploy key.
        private: the private halves of its deploy keys, as far as they are known.
        tell: called with a line if it is not known which webhook belongs to the connection.

    Raises:
        HostError: GitHub does not answer, or refuses access.
    """
    known, hooks = github.keys(name), github.hooks(name)
    pairs = [read_deploy_key(text) for text in private if text is not None]
    kept = [key for pair in pairs for key in own_keys(known, pair, None)]
    urls = {url for url in [webhook_url, *map(webhook_of, kept)] if url is not None}
    keys = dict.fromkeys([*kept, *(key for url in urls for key in own_keys(known, None, url))])
    ours = dict.fromkeys(hook for url in urls for hook in own_hooks(hooks, url))
    if not urls and hooks:
        addresses = ", ".join(hook.url for hook in hooks)
        tell(
            f"dockercise no longer knows which webhook of {name} is its own; there are {addresses}: `--webhook-url URL` "
            "removes one"
        )
    return [
        *(Part(f"webhook to {hook.url} of {name}", partial(github.remove_hook, name, hook.id)) for hook in ours),
        *(Part(f"deploy key {key.title!r} of {name}", partial(github.remove_key, name, key.id)) for key in keys),
    ]


def _here(blocks: BlockNames, registrar: Registrar) -> list[Part]:
    deployments = registrar.registered(blocks.key)
    there = [block for block in (blocks.webhook, blocks.key, blocks.token) if find_secret(block) is not None]
    return [
        *(Part(f"deployment {name}", partial(registrar.remove, name)) for name in deployments),
        *(Part(f"Prefect's Secret block {block}", partial(delete_secret, block)) for block in there),
    ]
