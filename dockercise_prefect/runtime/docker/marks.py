"""How we know that a thing on a Docker engine is ours. Labels alone do not show it.

An engine copies an image's labels to every container and every image that anybody makes from it. So each thing also has a
mark: a label whose value matches something in the thing itself that no image passes on:

- a container, a volume or a network that we create: the mark is its own name;
- a container of a build's step, which gets its name from the engine: a host name that only this build gives its steps;
- an image that the engine's own builder made, or that was made from a container: its history ends where we stopped, at most
  `STEPS` instructions after the one that has the mark;
- an image that BuildKit made: its own name.

Everything here is pure; the dictionaries are the engine's answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from dockercise_prefect.runtime.cleanup.labels import RUN, STEPS

MARK: Final = "dockercise.mark"

_BUILD_REPOSITORY: Final = "dockercise-build"

Answer: TypeAlias = Mapping[str, Any]


def marked(labels: Mapping[str, str], mark: str) -> dict[str, str]:
    """The labels with the mark."""
    return {**labels, MARK: mark}


def labels_of(found: Answer) -> dict[str, str]:
    """The labels of a thing, without the mark."""
    return {name: value for name, value in (found.get("Labels") or {}).items() if name not in {MARK, STEPS}}


def has_run(found: Answer) -> bool:
    """Whether a thing, ours or not, carries the label of a run."""
    return RUN in (found.get("Labels") or {})


def is_our_volume(volume: Answer) -> bool:
    """Whether we created a volume. `volume` is as the engine lists it."""
    return has_run(volume) and _mark(volume) == volume["Name"]


def is_our_network(network: Answer) -> bool:
    """Whether we created a network. `network` is as the engine lists it."""
    return has_run(network) and _mark(network) == network["Name"]


def is_our_container(container: Answer) -> bool:
    """Whether we created a container. `container` is as the engine lists it."""
    return has_run(container) and f"/{_mark(container)}" in (container.get("Names") or ())


def step_host(mark: str) -> str:
    """The entry in `/etc/hosts` of a build's steps for this mark, in the form of the engine's API.

    The domain exists nowhere (RFC 2606).
    """
    return f"{mark}.dockercise.invalid:0.0.0.0"


def is_our_step(inspected: Answer) -> bool:
    """Whether a container runs a step of one of our builds."""
    labels = inspected["Config"].get("Labels") or {}
    return MARK in labels and step_host(labels[MARK]) in (inspected["HostConfig"].get("ExtraHosts") or ())


def build_name(mark: str) -> str:
    """The name of an image that BuildKit made in a build with this mark."""
    return f"{_BUILD_REPOSITORY}:{mark}"


def own_name(image: Answer) -> str | None:
    """The name that we gave an image; None if we did not name it. `image` is as the engine lists or inspects it."""
    name = build_name(_mark(image))
    return name if name in (image.get("RepoTags") or ()) else None


def is_nameless(image: Answer) -> bool:
    """Whether an image has no name from anybody. An image that was pushed or pulled has a name."""
    return not any(name for key in ("RepoTags", "RepoDigests") for name in image.get(key) or () if "<none>" not in name)


def is_our_image(image: Answer, history: Sequence[Answer]) -> bool:
    """Whether we made an image; False if somebody made it from one of our images.

    Args:
        image: as the engine lists it.
        history: of the image, the newest entry first.
    """
    mark = _mark(image)
    if own_name(image):
        return has_run(image)
    if not (mark and has_run(image) and is_nameless(image)):
        return False
    above = next((number for number, entry in enumerate(history) if mark in _said(entry)), None)
    return above is not None and above <= int(image["Labels"].get(STEPS, "0"))


def held_images(ours: Iterable[str], images: Iterable[Answer], in_use: Iterable[str]) -> set[str]:
    """The images that others need: for their containers, or for images that they have made.

    Args:
        ours: ids of our images.
        images: all images of the engine.
        in_use: ids of the images of containers that are not ours.
    """
    parents = {image["Id"]: image.get("ParentId") or "" for image in images}
    mine = set(ours)
    held: set[str] = set()
    for start in [*(id_ for id_ in parents if id_ not in mine), *in_use]:
        id_ = start
        while id_ and id_ not in held:
            held.add(id_)
            id_ = parents.get(id_, "")
    return held


def _said(entry: Answer) -> str:
    return f"{entry.get('CreatedBy') or ''} {entry.get('Comment') or ''}"


def _mark(found: Answer) -> str:
    """The mark of a thing as the engine lists it, or of an image as the engine inspects it."""
    labels = found.get("Labels") or (found.get("Config") or {}).get("Labels") or {}
    mark: str = labels.get(MARK, "")
    return mark
