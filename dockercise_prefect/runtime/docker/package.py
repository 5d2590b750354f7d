"""Makes an image that prints a document: a base with `cat`, the document as a file, and the command that prints it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from io import BytesIO
from typing import Final

from docker import APIClient
from docker.errors import NotFound

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import PullPolicy
from dockercise_prefect.runtime.docker.connection import connect
from dockercise_prefect.runtime.docker.errors import engine_errors
from dockercise_prefect.runtime.dockerfile.reference import parse_reference
from dockercise_prefect.runtime.engine import Engine, ResolvedImage
from dockercise_prefect.runtime.packages.run import PackageFailedError, PackageLimits, run_package
from dockercise_prefect.tarball import File, tar_stream

PACKAGE_LABEL: Final = "dockercise.package"

_FILE: Final = "dockercise.yaml"
_DOCKERFILE: Final = f"""\
FROM {{base}}
COPY {_FILE} /{_FILE}
ENTRYPOINT []
CMD ["cat", "/{_FILE}"]
"""


def build_package(
    engine: Engine, document: bytes, *, name: str, base: str, pipeline: str, notify: Callable[[str], None]
) -> str:
    """Make the image, see that it prints the document, and give it its name; return its id.

    The same document on the same base is the same image, as long as the engine keeps its layers: whoever has read it need not
    run it again. Where anything fails nothing is left, and an older image keeps the name.

    Args:
        engine: where the image is made: the one that the environment names.
        document: what it prints.
        name: of the image, with or without a tag.
        base: an image with `cat`.
        pipeline: for the label `dockercise.package`, by which the engine lists packages.
        notify: told when something has to be pulled.

    Raises:
        EngineError: the base is not to be had, has no `cat`, or the engine refuses.
    """
    base_image = engine.resolve_image(base, pull=PullPolicy.MISSING, platform=None, progress=notify)
    client, _ = connect()
    with closing(client):
        image = _built(client, document, base_image, {PACKAGE_LABEL: pipeline})
        try:
            _check(engine, image, document, base, notify)
            reference = parse_reference(name)
            with engine_errors(f"cannot name the image {name}"):
                client.tag(image, reference.name, reference.version)
        except BaseException:
            _discard(client, image)
            raise
    return image


def _built(client: APIClient, document: bytes, base: ResolvedImage, labels: Mapping[str, str]) -> str:
    """The image, without a name. The base is named by its id, so that nothing is pulled behind our back."""
    files = {"Dockerfile": _DOCKERFILE.format(base=base.id).encode(), _FILE: document}
    context = BytesIO(b"".join(tar_stream(_file(name, content) for name, content in files.items())))
    doing = f"cannot build the package on {base.ref}"
    with engine_errors(doing):
        events = client.build(fileobj=context, custom_context=True, rm=True, forcerm=True, labels=dict(labels), decode=True)
        image = None
        for event in events:
            if "error" in event:
                raise EngineError(f"{doing}: {event['error']}")
            image = (event.get("aux") or {}).get("ID", image)
    if image is None:
        raise EngineError(f"{doing}: the engine did not say what it built")
    return str(image)


def _file(name: str, content: bytes) -> File:
    return File(path=name, size=len(content), content=lambda: [content])


def _discard(client: APIClient, image: str) -> None:
    """Remove the image, unless it has a name: then somebody made the very same before."""
    with engine_errors(f"cannot remove image {image}"), suppress(NotFound):
        if not client.inspect_image(image).get("RepoTags"):  # type: ignore[no-untyped-call]  # its stub has no types
            client.remove_image(image)


def _check(engine: Engine, image: str, document: bytes, base: str, notify: Callable[[str], None]) -> None:
    resolved = engine.resolve_image(image, pull=PullPolicy.NEVER, platform=None, progress=notify)
    hint = "name another with --base: one that has `cat`"
    try:
        printed = run_package(engine, resolved, PackageLimits(output=len(document)), notify)
    except PackageFailedError as error:
        raise EngineError(f"an image made from {base} cannot print the document: it {error.message}", hint) from error
    if printed != document:
        raise EngineError(f"`cat` of {base} does not print its input unchanged", hint)
