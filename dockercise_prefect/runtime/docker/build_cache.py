"""The build cache of an engine: its size, and how it is made smaller."""

from __future__ import annotations

from typing import Self

from docker import APIClient

from dockercise_prefect.runtime.docker.connection import Address, connect
from dockercise_prefect.runtime.docker.errors import engine_errors
from dockercise_prefect.runtime.docker.facts import usage_of


class BuildCache:
    """What BuildKit keeps on an engine, for builds of everybody. Every method raises `EngineError` if the engine refuses.

    Args:
        client: of the engine.
        address: where the engine is.
    """

    def __init__(self, client: APIClient, address: Address) -> None:
        self._client = client
        self._address = address

    @classmethod
    def connect(cls) -> Self:
        """The cache of the engine that runs would use.

        Raises:
            EngineError: no engine answers, or it cannot run stages.
        """
        return cls(*connect())

    def size(self) -> int:
        """Its bytes, without those that images need too."""
        with engine_errors(f"cannot find out how large the build cache of the engine at {self._address.shown} is"):
            return usage_of(self._client.df()).build_cache

    def shrink(self, size: int) -> None:
        """Remove what was not used for the longest time, until at most so many bytes are left. What a build uses stays."""
        with engine_errors(f"cannot make the build cache of the engine at {self._address.shown} smaller"):
            self._client.prune_builds(keep_storage=size, all=True)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
