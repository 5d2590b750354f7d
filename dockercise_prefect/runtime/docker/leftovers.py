"""Finds what runs have made and left on a Docker engine, by marks that no image passes on (`marks`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from docker import APIClient
from docker.errors import NotFound

from dockercise_prefect.runtime.cleanup.labels import RUN
from dockercise_prefect.runtime.docker.marks import (
    has_run,
    held_images,
    is_our_container,
    is_our_image,
    is_our_step,
    is_our_volume,
    labels_of,
)
from dockercise_prefect.runtime.docker.networks import our_networks
from dockercise_prefect.runtime.engine import Leftover

_OURS_AND_COPIES: Final = {"label": RUN}


class DockerLeftovers:
    """Looks through an engine.

    Args:
        client: shared by all threads.
    """

    def __init__(self, client: APIClient) -> None:
        self._client = client

    def find(self) -> list[Leftover]:
        """Everything that is surely ours, of any run, containers first.

        An image that a container or an image of somebody else needs is not listed: it could not be removed.

        Raises:
            DockerException, requests.RequestException: the engine does not answer, or refuses.
        """
        containers = self._client.containers(all=True)
        ours = [each for each in containers if has_run(each) and (is_our_container(each) or self._is_step(each["Id"]))]
        others = [each for each in containers if each not in ours]
        volumes = self._client.volumes(filters=_OURS_AND_COPIES).get("Volumes") or []
        return [
            *(Leftover("container", each["Id"], labels_of(each)) for each in ours),
            *(Leftover("volume", each["Name"], labels_of(each)) for each in volumes if is_our_volume(each)),
            *(Leftover("network", each["Name"], labels_of(each)) for each in our_networks(self._client)),
            *(Leftover("image", each["Id"], labels_of(each)) for each in self._images(others)),
        ]

    def _images(self, others: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        # Without `all`, the engine lists only images from which nothing was made.
        labelled = self._client.images(filters=_OURS_AND_COPIES, all=True)
        ours = [image for image in labelled if is_our_image(image, self._history(image["Id"]))]
        if not ours:
            return
        in_use: Iterable[str] = (container["ImageID"] for container in others)
        held = held_images((image["Id"] for image in ours), self._client.images(all=True), in_use)
        yield from (image for image in ours if image["Id"] not in held)

    def _is_step(self, container: str) -> bool:
        try:
            return is_our_step(self._client.inspect_container(container))
        except NotFound:
            return False

    def _history(self, image: str) -> Sequence[Mapping[str, Any]]:
        try:
            history: Sequence[Mapping[str, Any]] = self._client.history(image)  # type: ignore[no-untyped-call]  # its stub has no types
        except NotFound:
            return ()
        return history
