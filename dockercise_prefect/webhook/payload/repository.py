"""The repository that a delivery is about."""

from __future__ import annotations

from dataclasses import dataclass

from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.webhook.payload.address import canonical_all
from dockercise_prefect.webhook.payload.delivery import MalformedError
from dockercise_prefect.webhook.payload.fields import Fields, optional_fields, optional_text, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository that a payload names.

    Attributes:
        path: its path on the host, `owner/name`.
        addresses: its addresses in canonical form, sorted.
    """

    path: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Names:
    """The host's names for the fields."""

    object: str
    path: str
    page: str
    addresses: tuple[str, ...]


_LIKE_GITHUB = _Names("repository", "full_name", "html_url", ("clone_url", "ssh_url", "git_url"))
_NAMES = {
    HostKind.GITHUB: _LIKE_GITHUB,
    HostKind.GITEA: _LIKE_GITHUB,
    HostKind.GITLAB: _Names(
        "project", "path_with_namespace", "web_url", ("git_http_url", "git_ssh_url", "http_url", "ssh_url")
    ),
}


def address_fields(kind: HostKind) -> frozenset[str]:
    """The names of the fields that hold addresses of a repository."""
    names = _NAMES[kind]
    return frozenset((names.page, *names.addresses))


def repository_of(kind: HostKind, payload: Fields) -> Repository:
    """The repository that a payload names.

    Raises:
        MalformedError: the payload names no repository, or gives no address of it.
    """
    names = _NAMES[kind]
    found = optional_fields(payload, names.object)
    if found is None:
        raise MalformedError(f"the payload lacks `{names.object}`")
    given = [optional_text(found, name, names.object) for name in (names.page, *names.addresses)]
    addresses = canonical_all(filter(None, given))
    if not addresses:
        raise MalformedError(f"the payload lacks an address of the repository: `{names.object}.{names.addresses[0]}`")
    return Repository(path=text(found, names.path, names.object), addresses=tuple(sorted(addresses)))
