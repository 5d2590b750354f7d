"""What packages printed, kept in the user's data folder: an image is run once, and compiling needs no engine after that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from dockercise_prefect.frontend.subgraphs import Package
from dockercise_prefect.results.places.files import make_folder, write_json, write_whole


class PackageCache:
    """Documents by image, and which image each name stood for when it was last read.

    Files are private to the user and appear whole; what cannot be kept is only said, for compiling needs no cache.

    Args:
        folder: made when there is something to keep.
        notify: told what cannot be kept or read.
    """

    def __init__(self, folder: Path, notify: Callable[[str], None]) -> None:
        self._folder = folder
        self._notify = notify

    def document(self, image_id: str) -> bytes | None:
        """What that image printed; None when it is not known."""
        return self._read(self._document_path(image_id))

    def last(self, image: str) -> Package | None:
        """The package that a name last stood for; None when it is not known.

        Args:
            image: the reference as it was written.
        """
        text = self._read(self._name_path(image))
        try:
            known = json.loads(text) if text else {}
            provenance, image_id = str(known["provenance"]), str(known["id"])
        except (ValueError, KeyError, TypeError):  # nothing known, or not what we wrote
            return None
        document = self.document(image_id)
        return None if document is None else Package(provenance, image_id, document)

    def keep(self, image: str, package: Package) -> None:
        """Remember the package, and that the name stands for it."""
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
