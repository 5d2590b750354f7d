"""Packages in memory. The test sets the output of each image."""

from __future__ import annotations

import hashlib

from dockercise_prefect.frontend.subgraphs import Package, PackageError, PackageMissingError


class PackagesInMemory:
    """The port `frontend.subgraphs.Packages` without an engine.

    Args:
        documents: the output of images, by name; an error is raised instead. Names with equal documents are one image.

    Attributes:
        fetched: the requested names, in order.
    """

    def __init__(self, **documents: str | bytes | PackageError) -> None:
        self._documents = documents
        self.fetched: list[str] = []

    def fetch(self, image: str) -> Package:
        self.fetched.append(image)
        document = self._documents.get(image.partition(":")[0], PackageMissingError(f"there is no image {image}"))
        if isinstance(document, PackageError):
            raise document
        data = document.encode() if isinstance(document, str) else document
        digest = hashlib.sha256(data).hexdigest()[:6]
        return Package(f"{image.partition(':')[0]}@sha256:{digest}", digest, data)
