"""Rules about images: whether the version is clear, and whether an image is meant at all."""

from __future__ import annotations

from collections.abc import Iterator

from dockercise_prefect.compiler.lint.subject import Subject
from dockercise_prefect.errors import Diagnostic, Place, Related
from dockercise_prefect.frontend.findings import warning
from dockercise_prefect.pipeline import Code, DependencyKind, ImageReference

WELL_KNOWN = frozenset(
    "alpine amazonlinux busybox centos debian fedora golang httpd mariadb memcached mongo mysql nginx node openjdk".split()  # noqa: SIM905  a table
) | frozenset("perl php postgres python rabbitmq redis ruby rust ubuntu".split())  # noqa: SIM905  a table
"""Public images that many people use, and whose names are unlikely to be names of something else."""


def image_without_tag(subject: Subject) -> Iterator[Diagnostic]:
    """DK104: `img` has neither a tag nor a digest, so it may become another image later; not for images of stages."""
    for stage in subject.pipeline:
        written = subject.written(stage, "img")
        if not isinstance(stage.image, ImageReference) or written is None:
            continue
        _, tagged = _repository(stage.image.ref)
        if not tagged:
            yield warning(
                Code.IMAGE_WITHOUT_TAG,
                f"{written.owner}: the image `{stage.image.ref}` has no tag, so it can change from run to run",
                written.node.place,
                hint=_name_a_version(stage.image.ref),
            )
    for service in (service for stage in subject.pipeline for service in stage.service_stages):
        if isinstance(service.image, ImageReference) and not _repository(service.image.ref)[1]:
            yield warning(
                Code.IMAGE_WITHOUT_TAG,
                f"{service.name}: the image `{service.image.ref}` has no tag, so it can change from run to run",
                service.place,
                hint=_name_a_version(service.image.ref),
            )


def _name_a_version(ref: str) -> str:
    return f"name a version, `{ref}:…`, or write `{ref}:latest` if you mean that"


def hides_image(subject: Subject) -> Iterator[Diagnostic]:
    """DK105: `img` names a stage that has the same name as a well-known image, or as one that the pipeline uses with a tag."""
    tagged = _tagged(subject)
    for stage in subject.pipeline:
        for edge in stage.depends_on:
            hidden = edge.stage in WELL_KNOWN or edge.stage in tagged
            named = subject.pipeline.by_name[edge.stage]
            if edge.kind is not DependencyKind.IMG or not hidden or named.build is not None:
                continue
            related = [Related("the stage is here", named.place)] if named.place else []
            if edge.stage in tagged:
                related.append(Related("the image is used here", tagged[edge.stage]))
            yield warning(
                Code.HIDES_IMAGE,
                f"{stage.name}: `img: {edge.stage}` is the image of the stage `{edge.stage}`, not the public image",
                edge.place,
                hint=f"to use the public image, write `docker.io/library/{edge.stage}` and a tag, or rename the stage",
                related=related,
            )


def _tagged(subject: Subject) -> dict[str, Place]:
    """Images that are used with a tag or a digest, by their names without registry, each with the first place."""
    tagged: dict[str, Place] = {}
    for stage in subject.pipeline:
        written = subject.written(stage, "img")
        if isinstance(stage.image, ImageReference) and written is not None:
            repository, is_tagged = _repository(stage.image.ref)
            if is_tagged:
                tagged.setdefault(repository, written.node.place)
    return tagged


def _repository(reference: str) -> tuple[str, bool]:
    """An image's name without tag and digest (on Docker Hub also without registry), and whether it has a tag or a digest."""
    name, _, digest = reference.partition("@")
    folders, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    repository = (folders + slash + last).removeprefix("docker.io/").removeprefix("library/")
    return repository, bool(tag or digest)
