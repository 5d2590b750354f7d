"""A push, as every git host means it."""

from __future__ import annotations

from dataclasses import dataclass

from dockercise_prefect.webhook.hosts import HostKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Commits arrived on a branch.

    Attributes:
        kind: whose payload it was.
        repository: the repository's path on its host, `owner/name`.
        site: where the host's pages are, `https://github.com`; None when the payload names no page.
        addresses: of the repository, in canonical form (`webhook.address.canonical`), sorted.
        branch: its short name, `main` or `feature/one`.
        before: the commit that the branch was at; None for a branch that is new.
        after: the commit that it is at; None for a branch that was deleted.
        forced: whether history was rewritten, as far as the payload says.
        changed: paths that its commits added, changed and removed, sorted; None where the payload does not say all of them.
        sender: who pushed, by the host's name for them; empty when the payload does not say.
    """

    kind: HostKind
    repository: str
    site: str | None
    addresses: tuple[str, ...]
    branch: str
    before: str | None
    after: str | None
    forced: bool
    changed: tuple[str, ...] | None
    sender: str

    @property
    def created(self) -> bool:
        """Whether the branch is new."""
        return self.before is None

    @property
    def deleted(self) -> bool:
        """Whether the branch is gone."""
        return self.after is None
