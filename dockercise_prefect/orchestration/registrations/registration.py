"""The registration of a repository: its address, and the names of its credentials.

It is stored as a label of the deployment. So Prefect has all the data, and any worker can run the deployment. It contains only
the names of secrets, because everybody who can read Prefect's API can read a label.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from dockercise_prefect.errors import UsageError
from dockercise_prefect.repository.address import Address, parse_address
from dockercise_prefect.repository.extras import Extras
from dockercise_prefect.settings import Settings

LABEL = "dockercise.registration"


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

    @property
    def address(self) -> Address:
        """The address of the repository."""
        return parse_address(self.url, Path("/"))

    @property
    def extras(self) -> Extras:
        """What a checkout contains besides the files of the commit."""
        return Extras(self.url, submodules=self.submodules, lfs=self.lfs)

    def settings(self, settings: Settings) -> Settings:
        """The settings of a machine for this repository. Both the machine and the registration must trust the repository."""
        return replace(settings, untrusted=settings.untrusted or self.untrusted)

    def to_label(self) -> str:
        """The registration as the text of the label."""
        given = {name: value for name, value in asdict(self).items() if value not in (None, False, (), {})}
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


_LABELS = TypeAdapter(Registration)
