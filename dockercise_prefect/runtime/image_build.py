"""A build of an image: what is built, how it goes, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from dockercise_prefect.runtime.output_sink import OutputSink


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSpec:
    """One image to build, in our own terms.

    Attributes:
        what: which image it is, for messages.
        dockerfile: the Dockerfile's text.
        path: the Dockerfile's path below the folder that is built.
        ignore: the text of the context's `.dockerignore`; None if there is no such file.
        labels: of every image and every container that the build makes.
        args: build arguments, which stay in the image's history.
        secrets: for `RUN --mount=type=secret`, by their ids. They are never in an image, a cache or a log of the engine.
        target: the stage of the Dockerfile to stop at; None for the last one.
        network: `bridge`, `none` or `host`.
        pull: whether the registries are asked for the images that the Dockerfile names, even if the engine has these images.
        cpus: processors. memory: bytes, swap included; limits of each step.
    """

    what: str
    dockerfile: bytes
    labels: Mapping[str, str]
    path: str = "Dockerfile"
    ignore: bytes | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    target: str | None = None
    network: str = "bridge"
    platform: str | None = None
    pull: bool = False
    cpus: float | None = None
    memory: int | None = None

    @property
    def limits(self) -> str | None:
        """The limits as text for people; None if there are no limits."""
        given = [name for name, value in (("cpus", self.cpus), ("memory", self.memory)) if value is not None]
        return " and ".join(f"`{name}`" for name in given) or None


@dataclass(frozen=True, slots=True)
class BuildEnd:
    """How a build ended.

    Attributes:
        image: the id of what was built; None if a step of the Dockerfile failed.
        exit_code: of the step that failed, else 0.
    """

    image: str | None
    exit_code: int = 0


class ImageBuild(Protocol):
    """A build that has not begun yet, or that is running."""

    def run(self, sink: OutputSink) -> BuildEnd:
        """Build, and pass on the build's log as it comes, all of it on `stderr`. May be called at most once.

        When this returns or raises, nothing of the build runs any more, as far as the engine lets us know.

        Raises:
            EngineError: no step failed, but there is no image: the engine refused, or the build was stopped.
        """
        ...

    def stop(self) -> None:
        """Make the build end, and kill a step that runs. Returns immediately.

        May be called from another thread, at any time and any number of times.
        """
        ...
