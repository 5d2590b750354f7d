"""Images: names that cannot be written as they are, and guesses for jobs that have none."""

from __future__ import annotations

import re

from dockercise_prefect.errors import Place
from dockercise_prefect.importing.combinations import rows_of
from dockercise_prefect.importing.model import Matrix
from dockercise_prefect.importing.notes import Notes, quoted
from dockercise_prefect.importing.variables import filled_in, used_in
from dockercise_prefect.pipeline import IMAGE_SOURCE

_IMAGE = re.compile(rf"(?:{IMAGE_SOURCE})\Z")
_VARIABLE = re.compile(r"\$\{?(\w+)[^}/:@]*\}?")
_NO_IMAGE = "busybox:1.37"

GENERAL = "buildpack-deps:24.04"
"""For jobs of a machine with many programs: it has git, curl, a C compiler and make."""


def usable_image(image: str, matrix: Matrix | None, notes: Notes, place: Place) -> str:
    """The reference of an image as it can be written here, with its tag.

    Args:
        image: the reference in the file, with the known variables filled in.
        matrix: whose variables are expanded here.
        notes: where to say what was changed.
        place: of the job.
    """
    rows = rows_of(matrix) if matrix is not None else []
    axes = {name for row in rows for name in row}
    unknown = [name for name in used_in(image) if name not in axes]
    if unknown:
        listed = ", ".join(f"`${name}`" for name in unknown)
        notes.changed("image", f"write the value of {listed} in {quoted(image)}", place)
        image = _VARIABLE.sub(
            lambda match: match[0] if match[1] in axes else match[1].lower().replace("_", "-").strip("-"), image
        )
    if not all(_IMAGE.match(filled_in(image, row)) for row in rows or [{}]):
        notes.changed("image", f"{quoted(image)} is not the name of an image: write the one that you mean", place)
        return _NO_IMAGE
    return image if _has_tag(image) else f"{image}:latest"


def _has_tag(image: str) -> bool:
    return "@" in image or ":" in image.rpartition("/")[2]


_BY_PROGRAM = (
    (r"\b(?:cargo|rustc|rustup)\b", "rust:1"),
    (r"\bgo (?:build|test|vet|run|mod|install|generate)\b", "golang:1"),
    (r"\b(?:npm|npx|yarn|pnpm|node)\b", "node:22"),
    (r"\b(?:mvn)\b", "maven:3"),
    (r"\b(?:gradle|gradlew|javac?)\b", "eclipse-temurin:21"),
    (r"\b(?:bundle|gem|rake|ruby)\b", "ruby:3"),
    (r"\b(?:composer|php|phpunit)\b", "php:8.3-cli"),
    (r"\bdotnet\b", "mcr.microsoft.com/dotnet/sdk:8.0"),
    (r"\b(?:pip3?|python3?|pytest|tox|poetry|uv|uvx)\b", "python:3.12"),
    (r"\b(?:docker|docker-compose)\b", "docker:27"),
)


def guessed_image(script: str, default: str = GENERAL) -> str:
    """An image that probably has the programs of a script."""
    return next((image for programs, image in _BY_PROGRAM if re.search(programs, script)), default)
