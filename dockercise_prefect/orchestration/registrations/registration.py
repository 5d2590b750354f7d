"""The registration of a repository: its address, and the names of its credentials.

It is stored as a label of the deployment. So Prefect has all the data, and any worker can run the deployment. It contains only
the names of secrets, because everybody who can read Prefect's API can read a label.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from dockercise_prefect.errors import UsageError
from dockercise_prefect.hosts.pull_requests import PullRequests
from dockercise_prefect.repository.address import Address, parse_address
from dockercise_prefect.repository.extras import Extras
from dockercise_prefect.repository.pull_request_refs import PullRequestRefs
from dockercise_prefect.settings import Settings

LABEL = "dockercise.registration"


_LEFT_OUT: tuple[object, ...] = (None, False, (), {}, PullRequests.NEVER)
"""Values that a label does not have, so that earlier versions read it."""


@with_config(ConfigDict(extra="forbid", strict=True))
@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A repository that was registered.

    Attributes:
        url: the address for git; for a folder without a repository, its absolute path.
        ref: the branch or tag for runs without an explicit commit; None for a folder without a repository.
        credentials: the Secret block with the token or key that opens the repository.
        host_keys: the ssh keys of the host, as lines of a known_hosts file; empty to trust the first key that is seen.
        secrets: the Secret block of each secret variable, by the name of the variable.
        submodules: whether submodules are checked out too.
        lfs: whether files in LFS are fetched too.
        untrusted: whether the limits for repositories that are not trusted apply to its pipelines.
        pushed_as: the address that pushes use for the repository, if it differs from `url`.
        branches: globs for the branches whose pushes start runs; empty for `ref` only.
        tags: globs for the tags whose pushes start runs; empty for none.
        pull_requests: whose pull requests into these branches start runs.
        runs_forks_unasked: whether a pull request of a fork runs without a maintainer's yes.
        webhook_secret: the Secret block with the secret that pushes are signed with.
        statuses: the Secret block with the token for sending commit statuses.
    """

    url: str
    ref: str | None = None
    credentials: str | None = None
    host_keys: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)
    submodules: bool = False
    lfs: bool = False
    untrusted: bool = False
    pushed_as: str | None = None
    branches: tuple[str, ...] = ()
    webhook_secret: str | None = None
    statuses: str | None = None
    tags: tuple[str, ...] = ()
    pull_requests: PullRequests = PullRequests.NEVER
    runs_forks_unasked: bool = False

    @property
    def address(self) -> Address:
        """The address of the repository."""
        return parse_address(self.url, Path("/"))

    @property
    def extras(self) -> Extras:
        """What a checkout contains besides the files of the commit."""
        return Extras(self.url, submodules=self.submodules, lfs=self.lfs)

    @property
    def pull_request(self) -> PullRequestRefs | None:
        """The pull request that this is for; None for the branches and tags of the repository."""
        return None

    def settings(self, settings: Settings) -> Settings:
        """The settings of a machine for this repository. Both the machine and the registration must trust the repository."""
        return replace(settings, untrusted=settings.untrusted or self.untrusted)

    def to_label(self) -> str:
        """The registration as the text of the label."""
        given = {name: value for name, value in asdict(self).items() if value not in _LEFT_OUT}
        return json.dumps(given, sort_keys=True)

    @classmethod
    def from_label(cls, text: str) -> Registration:
        """Parse the result of `to_label`.

        Raises:
            UsageError: the text cannot be read, for example because a newer version wrote it.
        """
        try:
            return _LABELS.validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            hint = "if a newer version registered it, upgrade this one; if not, remove it and register it again"
            wrong = f"{where}: {first['msg']}" if where else first["msg"]
            raise UsageError(f"the deployment's label {LABEL} cannot be read: {wrong}", hint) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestRegistration(Registration):
    """A registration as it holds for the runs of one pull request. It is never stored.

    Attributes:
        refs: the refs of the pull request.
    """

    refs: PullRequestRefs

    @property
    def pull_request(self) -> PullRequestRefs | None:
        """The pull request that this is for."""
        return self.refs


def for_pull_request(registration: Registration, refs: PullRequestRefs) -> Registration:
    """The registration for the runs of one pull request.

    If it comes from a fork, its author is a stranger: the limits for pipelines that are not trusted apply, no secret variable
    is given, and nothing is fetched whose address the author could choose.

    Args:
        registration: the registration of the repository.
        refs: the refs of the pull request.
    """
    values = {one.name: getattr(registration, one.name) for one in fields(registration)}
    if refs.is_fork:
        values |= {"untrusted": True, "secrets": {}, "submodules": False, "lfs": False}
    return PullRequestRegistration(**values, refs=refs)


_LABELS = TypeAdapter(Registration)
