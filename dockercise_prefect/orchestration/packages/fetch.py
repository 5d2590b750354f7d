"""Packages from an engine, or from their cached output (`frontend.subgraphs.Packages`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from dockercise_prefect.errors import EngineError
from dockercise_prefect.frontend.discover import MAX_BYTES, Source
from dockercise_prefect.frontend.document import read_document
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.subgraphs import Package, PackageBrokenError, PackageError, PackageMissingError
from dockercise_prefect.orchestration.packages.cache import PackageCache
from dockercise_prefect.pipeline import PullPolicy

if TYPE_CHECKING:
    from dockercise_prefect.runtime.engine import Engine, ResolvedImage

FOLDER = "packages"
"""The name of the folder below the user's data folder."""


class KeptPackages:
    """Packages without an engine: each name as it was last read on this machine.

    Args:
        cache: opens the cache.
        absent: returns the error for a package that is not in the cache.
    """

    def __init__(self, cache: Callable[[], PackageCache], absent: Callable[[str], PackageError]) -> None:
        self._open_cache = cache
        self._absent = absent

    def fetch(self, image: str) -> Package:
        package = self._cache.last(image)
        if package is None:
            raise self._absent(image)
        return package

    @cached_property
    def _cache(self) -> PackageCache:
        return self._open_cache()


class EnginePackages:
    """Packages that are run on an engine. Each image is run only once, because its output is stored.

    Args:
        cache: opens the cache.
        connect: connects to the engine when the first package is needed. If the engine does not answer, it is not tried again.
        notify: called with a message before something that takes long.
    """

    def __init__(self, cache: Callable[[], PackageCache], connect: Callable[[], Engine], notify: Callable[[str], None]) -> None:
        self._open_cache = cache
        self._connect = connect
        self._notify = notify
        self._engine: Engine | EngineError | None = None

    def fetch(self, image: str) -> Package:
        from dockercise_prefect.runtime.dockerfile.reference import parse_reference  # noqa: PLC0415  compiling needs no Docker

        try:
            engine = self._connected()
            resolved = engine.resolve_image(image, pull=PullPolicy.MISSING, platform=None, progress=self._notify)
            reference = parse_reference(image)
            digest = resolved.digest.rpartition("@")[2]
            provenance = digest if reference.is_id else f"{reference.name}@{digest}"
            document = self._cache.document(resolved.id)
            if document is None:
                document = self._printed(engine, resolved, provenance)
        except EngineError as error:
            raise self._missing(image, error) from error
        package = Package(provenance, resolved.id, document)
        if _is_document(package):
            self._cache.keep(image, package)
        return package

    def close(self) -> None:
        """Close the connection to the engine."""
        if self._engine is not None and not isinstance(self._engine, EngineError):
            self._engine.close()

    @cached_property
    def _cache(self) -> PackageCache:
        return self._open_cache()

    def _connected(self) -> Engine:
        if self._engine is None:
            try:
                self._engine = self._connect()
            except EngineError as error:
                self._engine = error
        if isinstance(self._engine, EngineError):
            raise self._engine
        return self._engine

    def _printed(self, engine: Engine, resolved: ResolvedImage, provenance: str) -> bytes:
        from dockercise_prefect.runtime.packages.run import PackageFailedError, PackageLimits, run_package  # noqa: PLC0415  as above

        self._notify(f"running the package {provenance}")
        try:
            return run_package(engine, resolved, PackageLimits(output=MAX_BYTES), self._notify)
        except PackageFailedError as error:
            hint = error.hint or f"see what it prints with `docker run --rm {resolved.ref}`"
            raise PackageBrokenError(f"the package {provenance} {error.message}", hint) from error

    def _missing(self, image: str, error: EngineError) -> PackageMissingError:
        kept = "`--offline` uses what it printed last" if self._cache.last(image) else None
        hint = "; ".join(part for part in (error.hint, kept) if part)
        return PackageMissingError(f"the package `{image}` is not available: {error.message}", hint or None)


def _is_document(package: Package) -> bool:
    """Whether the output is a valid document. Wrong output must not be stored forever as the document of the image."""
    document = read_document(Source(package.provenance, package.data), Findings())
    return document is not None and document.body is not None
