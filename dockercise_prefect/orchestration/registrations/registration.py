"""The registration of a repository, as its deployment has it: the address and the credentials.

It travels as a label of the deployment, so that Prefect holds all there is to know and any worker can run it. Secrets are
named, never held: a label is readable for everybody who reads Prefect's API.
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
        url: what git is given; for a folder without a repository, its absolute path.
        ref: the branch or tag that runs without a commit of their own are of; None for a folder without a repository.
        credentials: Secret block with the token or key that opens the repository.
        host_keys: what its host proves itself with over ssh, as lines of a known_hosts file; none for who is seen first.
        secrets: variable to the Secret block that holds it.
        submodules: they are checked out too.
        lfs: files in LFS are fetched too.
        untrusted: its pipelines are held to the limits for repositories that are not trusted.
        pushed_as: address that pushes name the repository by, where that is not its own.
        branches: globs on branches whose pushes start runs; none means `ref` alone.
        webhook_secret: Secret block with what pushes are signed with.
        statuses: Secret block with the token that commit statuses are sent with.
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

    @property
    def address(self) -> Address:
        """Where the repository is."""
        return parse_address(self.url, Path("/"))

    @property
    def extras(self) -> Extras:
        """What a checkout of it holds besides its tree."""
        return Extras(self.url, submodules=self.submodules, lfs=self.lfs)

    def settings(self, settings: Settings) -> Settings:
        """A machine's settings for this repository: both the machine and the registration must trust it."""
        return replace(settings, untrusted=settings.untrusted or self.untrusted)

    def to_label(self) -> str:
        """The label's text."""
        given = {name: value for name, value in asdict(self).items() if value not in (None, False, (), {})}
        return json.dumps(given, sort_keys=True)

    @classmethod
    def from_label(cls, text: str) -> Registration:
        """Read back what `to_label` gave.

        Raises:
            UsageError: it is of another making.
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
