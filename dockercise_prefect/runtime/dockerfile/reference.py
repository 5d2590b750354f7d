"""Image references: their parts, and which names mean the same repository."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline.image_name import DIGEST_SOURCE, NAME_SOURCE, TAG_SOURCE

DEFAULT_REGISTRY = "docker.io"

_MAX_NAME = 255

_REFERENCE = re.compile(rf"(?P<name>{NAME_SOURCE})(?::(?P<tag>{TAG_SOURCE}))?(?:@(?P<digest>{DIGEST_SOURCE}))?")
_ID = re.compile(r"(?:sha256:)?[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Reference:
    """The parts of an image reference.

    Attributes:
        name: as written, without tag and digest. The engine is asked for this name.
        version: the digest if there is one, else the tag, else `latest`.
        is_id: whether it is the id of an image on the engine, which no registry knows.
    """

    name: str
    version: str
    is_id: bool = False

    @property
    def registry(self) -> str:
        """The host that the image comes from."""
        return _split(self.name)[0]

    @property
    def repository(self) -> str:
        """The full name: `busybox` and `docker.io/library/busybox` give the same name."""
        registry, path = _split(self.name)
        if registry == DEFAULT_REGISTRY and "/" not in path:
            path = f"library/{path}"
        return f"{registry}/{path}"


def parse_reference(text: str) -> Reference:
    """Split a reference into its parts.

    Raises:
        EngineError: the text is not an image reference.
    """
    if _ID.fullmatch(text):
        return Reference(text, "", is_id=True)
    match = _REFERENCE.fullmatch(text)
    if match is None or len(match["name"]) > _MAX_NAME:
        hint = "write an image as NAME, NAME:TAG or REGISTRY/NAME:TAG, with the name in lower case"
        raise EngineError(f"{text!r} is not a valid image reference", hint)
    return Reference(match["name"], match["digest"] or match["tag"] or "latest")


def registry_host(address: str) -> str:
    """The host in a registry's address as people write it: with or without scheme and path, and by any name of Docker Hub."""
    host = address.partition("://")[2] or address
    host = host.partition("/")[0]
    return DEFAULT_REGISTRY if host in {"index.docker.io", "registry-1.docker.io", "hub.docker.com"} else host


def _split(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return registry_host(first), rest
    return DEFAULT_REGISTRY, name
