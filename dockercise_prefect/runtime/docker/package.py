"""Makes an image that prints a document: a base with `cat`, the document as a file, and the command that prints it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from docker import APIClient
from docker.errors import NotFound

from dockercise_prefect.archives.tarball import File, tar_stream
from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.docker.connection import connect
from dockercise_prefect.runtime.docker.errors import engine_errors
from dockercise_prefect.runtime.dockerfile.reference import parse_reference
from dockercise_prefect.runtime.engine import ResolvedImage

PACKAGE_LABEL: Final = "dockercise.package"

_FILE: Final = "dockercise.yaml"
_DOCKERFILE: Final = f"""\
FROM {{base}}
COPY {_FILE} /{_FILE}
ENTRYPOINT []
CMD ["cat", "/{_FILE}"]
"""


@dataclass(frozen=True)
class NewPackage:
    """An image that prints a document and has no name yet.

    Attributes:
        id: of the image.
    """

    id: str
    _client: APIClient

    def call(self, name: str) -> None:
        """Give the image its name, with or without a tag. An older image with this name loses it.

        Raises:
            EngineError: the engine refuses.
        """
        reference = parse_reference(name)
        with engine_errors(f"cannot name the image {name}"):
            self._client.tag(self.id, reference.name, reference.version)


@contextmanager
def new_package(document: bytes, base: ResolvedImage, pipeline: str) -> Iterator[NewPackage]:
    """Make the image, on the engine that the environment names. If the body of the `with` fails, the image is removed.

    The same document on the same base gives the same image, as long as the engine keeps its layers.

    Args:
        document: what the image prints.
        base: an image with `cat`.
        pipeline: the value of the label `dockercise.package`, by which the engine can list packages.

    Raises:
        EngineError: the engine refuses.
    """
    client, _ = connect()
    with closing(client):
        image = _built(client, document, base, {PACKAGE_LABEL: pipeline})
        try:
            yield NewPackage(image, client)
        except BaseException:
            _discard(client, image)
            raise


def _built(client: APIClient, document: bytes, base: ResolvedImage, labels: Mapping[str, str]) -> str:
    """The image, without a name. The base is given by its id, so that the engine does not pull anything."""
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
    """Remove the image, unless it has a name: then somebody had made the same image before."""
    with engine_errors(f"cannot remove image {image}"), suppress(NotFound):
        if not client.inspect_image(image).get("RepoTags"):  # type: ignore[no-untyped-call]  # its stub has no types
            client.remove_image(image)
