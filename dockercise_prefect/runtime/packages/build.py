"""Makes a package: an image that prints a document of stages."""

from __future__ import annotations

from collections.abc import Callable

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import PullPolicy
from dockercise_prefect.runtime.docker.package import new_package
from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.runtime.packages.run import PackageFailedError, PackageLimits, run_package


def build_package(
    engine: Engine, document: bytes, *, name: str, base: str, pipeline: str, notify: Callable[[str], None]
) -> str:
    """Make the image, check that it prints the document, and give it its name. Return its id.

    A caller that has already read the same document from an image with the same base does not need to run it again. If anything
    fails, nothing is left, and an older image keeps the name.

    Args:
        engine: where the image is made: the one that the environment names.
        document: what the image prints.
        name: of the image, with or without a tag.
        base: an image with `cat`.
        pipeline: the value of the label `dockercise.package`, by which the engine can list packages.
        notify: called if something has to be pulled.

    Raises:
        EngineError: the base cannot be found or pulled, it has no `cat`, or the engine refuses.
    """
    base_image = engine.resolve_image(base, pull=PullPolicy.MISSING, platform=None, progress=notify)
    with new_package(document, base_image, pipeline) as package:
        _check(engine, package.id, document, base, notify)
        package.call(name)
    return package.id


def _check(engine: Engine, image: str, document: bytes, base: str, notify: Callable[[str], None]) -> None:
    resolved = engine.resolve_image(image, pull=PullPolicy.NEVER, platform=None, progress=notify)
    hint = "use --base to name an image that has `cat`"
    try:
        printed = run_package(engine, resolved, PackageLimits(output=len(document)), notify)
    except PackageFailedError as error:
        raise EngineError(f"an image made from {base} cannot print the document: it {error.message}", hint) from error
    if printed != document:
        raise EngineError(f"`cat` in {base} does not print its input unchanged", hint)
