"""A repository that the host registers, as the command line stores it for the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from json import dumps

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from dockercise_prefect.errors import UsageError


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryOptions:
    """The options of `dockercise register` for a repository. The attributes have the meaning of these options.

    Attributes:
        env: the variables of runs; everyone who can read Prefect can read them.
        secrets: the Secret block in Prefect of each secret variable, by the name of the variable.
    """

    ref: str | None = None
    name: str | None = None
    crons: tuple[str, ...] = ()
    intervals: tuple[str, ...] = ()
    rrules: tuple[str, ...] = ()
    timezone: str = "UTC"
    targets: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    results: str | None = None
    concurrency: int | None = None
    skip_overlapping: bool = False
    paused: bool = False
    submodules: bool = False
    lfs: bool = False
    untrusted: bool = False
    branches: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class StackRepository:
    """A repository whose pushes wake the host.

    Attributes:
        url: the address that git uses.
        address: the https address, which pushes name.
        deploy_key: the private key that opens the repository; None if everyone can read it.
        host_keys: the ssh keys of its host, as lines of a known_hosts file; empty to trust the first key that is seen.
        webhook_secret: the secret that its pushes are signed with.
        statuses_token: the token that commit statuses are sent with; None for no statuses.
    """

    url: str
    address: str
    webhook_secret: str = field(repr=False)
    deploy_key: str | None = field(default=None, repr=False)
    host_keys: tuple[str, ...] = ()
    statuses_token: str | None = field(default=None, repr=False)
    options: RepositoryOptions = field(default_factory=RepositoryOptions)

    def to_text(self) -> str:
        """The repository as JSON. It contains the secrets."""
        return dumps(asdict(self), separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> StackRepository:
        """Parse the result of `to_text`.

        Raises:
            UsageError: the text cannot be read. The message contains no part of it, because it contains secrets.
        """
        try:
            return _REPOSITORIES.validate_json(text)
        except ValidationError as error:
            first = error.errors(include_input=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise UsageError(
                f"cannot be read: {where}: {first['type']}" if where else f"cannot be read: {first['type']}",
                "run `dockercise aws up` for this repository again",
            ) from None


_REPOSITORIES = TypeAdapter(StackRepository)
