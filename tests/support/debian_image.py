"""Images made from this system's Debian packages, for tests that need more than a shell, but no registry.

They are made once and kept by the engine. An image's tag is a hash of its recipe.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import docker
from docker.errors import ImageNotFound
from filelock import FileLock

from scripts import debootstrap
from scripts.console import say
from tests.support.engine_client import engine_client

LABEL = "dockercise-test.recipe"


def tag_of(*parts: bytes) -> str:
    """A hash for an image's tag. It differs if the recipe or the release of the system differs."""
    parts = (Path(__file__).read_bytes(), debootstrap.codename().encode(), *parts)
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]


def ensure(reference: str, build: Callable[[docker.DockerClient], None]) -> str:
    """Return the reference of an image. If the engine does not have it, build it, one test process at a time.

    Raises:
        SetUpError: the recipe needs something that is missing.
    """
    client = engine_client()
    try:
        with FileLock(_lock(reference)):
            if not exists(client, reference):
                say(f"making the tests' image {reference} from packages (a minute or two, once)")
                build(client)
    finally:
        client.close()
    return reference


def _lock(reference: str) -> Path:
    """The lock file. Each user has a separate one, since a user cannot open the lock file of another user."""
    name = reference.split(":", maxsplit=1)[0].replace("/", "-")
    return Path(tempfile.gettempdir()) / f"{name}-image-{os.getuid()}.lock"


def exists(client: docker.DockerClient, reference: str) -> bool:
    """Whether the engine has the image."""
    try:
        client.images.get(reference)
    except ImageNotFound:
        return False
    return True


def bootstrap(tree: Path, packages: Sequence[str]) -> None:
    """Make a small Debian system in a folder, with the same release as this system.

    Raises:
        SetUpError: we are not root, or a package is not available.
    """
    debootstrap.bootstrap(tree, debootstrap.codename(), packages, "the tests' images")


def import_tree(client: docker.DockerClient, tree: Path, reference: str, *changes: str) -> None:
    """Make an image of the folder, labelled with its tag.

    Args:
        changes: further lines of a Dockerfile.
    """
    repository, tag = reference.rsplit(":", 1)
    of_all = ["ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", f"LABEL {LABEL}={tag}"]
    archive = tree.with_suffix(".tar")
    debootstrap.run("tar", "--create", "--numeric-owner", "--directory", str(tree), "--file", str(archive), ".")
    client.api.import_image_from_file(str(archive), repository=repository, tag=tag, changes=[*of_all, *changes])
    archive.unlink()
