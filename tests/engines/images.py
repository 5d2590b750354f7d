"""The images of the scripted engine: those that a test adds, and those that builds and commits make."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.engine import Leftover, ResolvedImage
from tests.engines.files import Tree

BUSYBOX = "dockercise-test/busybox:1"
"""The image that both engines of the tests have."""


@dataclass(slots=True)
class ScriptedImage:
    """One image.

    Attributes:
        present: whether it is on the engine; otherwise a pull brings it.
        files: its files, in addition to those of every image.
        parent: the id of the image that it was made from.
    """

    resolved: ResolvedImage
    present: bool
    labels: dict[str, str] = field(default_factory=dict)
    files: Tree = field(default_factory=Tree)
    parent: str | None = None


class ScriptedImages:
    """All images of one engine. Not thread-safe, since the engine does the locking."""

    def __init__(self) -> None:
        self._by_ref: dict[str, ScriptedImage] = {}
        self._numbers = itertools.count(1)

    def add(
        self,
        ref: str,
        *,
        present: bool,
        user: str = "",
        command: tuple[str, ...] = ("/bin/sh",),
        health_check: tuple[str, ...] = (),
    ) -> str:
        """Add an image with a name, and return its id."""
        id_ = _id(ref)
        resolved = ResolvedImage(ref, id_, f"{ref.partition(':')[0]}@{id_}", user, command, health_check=health_check)
        self._by_ref[ref] = ScriptedImage(resolved, present)
        return id_

    def make(self, files: Tree, labels: Mapping[str, str], parent: ScriptedImage | None = None) -> str:
        """Make an image without a name, with the configuration of its parent, and return its id."""
        id_ = _id(f"image {next(self._numbers)}")
        like = (parent or self._by_ref[BUSYBOX]).resolved
        above = None if parent is None else like.id
        self._by_ref[id_] = ScriptedImage(replace(like, ref=id_, id=id_, digest=id_), True, dict(labels), files, above)
        return id_

    def by_ref(self, ref: str) -> ScriptedImage | None:
        """The image of that name or id, present or to be pulled."""
        return self._by_ref.get(ref)

    def by_id(self, id_: str) -> ScriptedImage:
        """An image that is present.

        Raises:
            EngineError: it is not present.
        """
        for image in self._by_ref.values():
            if image.resolved.id == id_ and image.present:
                return image
        raise EngineError(f"no such image: {id_}")

    def remove(self, id_: str) -> None:
        """Remove an image; a missing one is fine.

        Raises:
            EngineError: other images were made from it.
        """
        children = [ref for ref, image in self._by_ref.items() if image.parent == id_]
        if children:
            raise EngineError(f"cannot remove image {id_}: it has dependent child images: {', '.join(children)}")
        self._by_ref = {ref: image for ref, image in self._by_ref.items() if image.resolved.id != id_}

    def leftovers(self) -> Iterator[Leftover]:
        """All images, as leftovers."""
        return (Leftover("image", image.resolved.id, image.labels) for image in self._by_ref.values())


def _id(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
