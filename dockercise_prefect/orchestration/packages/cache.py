"""A cache of the output of packages, in the user's data folder. An image is run once; later compilations need no engine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from dockercise_prefect.frontend.subgraphs import Package
from dockercise_prefect.results.places.files import make_folder, write_json, write_whole


class PackageCache:
    """Documents by image, and the image that each name referred to when it was last read.

    Files are private to the user and are written atomically. A failure to store is only reported, since compiling works
    without the cache.

    Args:
        folder: created when there is something to store.
        notify: called with a message if something cannot be stored or read.
    """

    def __init__(self, folder: Path, notify: Callable[[str], None]) -> None:
        self._folder = folder
        self._notify = notify

    def document(self, image_id: str) -> bytes | None:
        """The output of the image; None if it is not known."""
        return self._read(self._document_path(image_id))

    def last(self, image: str) -> Package | None:
        """The package that a name last referred to; None if it is not known.

        Args:
            image: the reference as it was written.
        """
        text = self._read(self._name_path(image))
        try:
            known = json.loads(text) if text else {}
            provenance, image_id = str(known["provenance"]), str(known["id"])
        except (ValueError, KeyError, TypeError):  # nothing is known, or the file has another content than we wrote
            return None
        document = self.document(image_id)
        return None if document is None else Package(provenance, image_id, document)

    def keep(self, image: str, package: Package) -> None:
        """Store the package, and that the name refers to it."""
        try:
            make_folder(self._folder)
            write_whole(self._document_path(package.id), package.data)
            write_json(self._name_path(image), {"image": image, "provenance": package.provenance, "id": package.id})
        except OSError as error:
            self._notify(f"cannot save what the package {image} printed in {self._folder}: {error.strerror or error}")

    def _read(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self._notify(f"cannot read {path}: {error.strerror or error}")
            return None

    def _document_path(self, image_id: str) -> Path:
        return self._folder / f"{hashlib.sha256(image_id.encode()).hexdigest()}.yaml"

    def _name_path(self, image: str) -> Path:
        return self._folder / f"{hashlib.sha256(image.encode()).hexdigest()}.json"
