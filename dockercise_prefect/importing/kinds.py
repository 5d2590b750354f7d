"""Which system a file was written for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from dockercise_prefect.frontend.nodes import Mapping


class Kind(StrEnum):
    """A system whose files can be imported."""

    WOODPECKER = "woodpecker"
    DRONE = "drone"
    GITLAB = "gitlab"
    CIRCLECI = "circleci"
    GITHUB = "github"

    @property
    def system(self) -> str:
        """Its name for people."""
        return _SYSTEMS[self]


_SYSTEMS = {
    Kind.WOODPECKER: "Woodpecker",
    Kind.DRONE: "Drone",
    Kind.GITLAB: "GitLab CI",
    Kind.CIRCLECI: "CircleCI",
    Kind.GITHUB: "GitHub Actions",
}

_PATHS = (
    (re.compile(r"(?:^|/)\.woodpecker(?:/[^/]+)*(?:\.ya?ml)\Z|(?:^|/)\.woodpecker\.ya?ml\Z"), Kind.WOODPECKER),
    (re.compile(r"(?:^|/)\.drone\.ya?ml\Z"), Kind.DRONE),
    (re.compile(r"(?:^|/|\.)gitlab-ci\.ya?ml\Z"), Kind.GITLAB),
    (re.compile(r"(?:^|/)\.circleci/[^/]+\.ya?ml\Z"), Kind.CIRCLECI),
    (re.compile(r"(?:^|/)\.(?:github|gitea|forgejo)/workflows/[^/]+\.ya?ml\Z"), Kind.GITHUB),
)

_JOB_OF_GITLAB = frozenset({"script", "extends", "trigger"})


def kind_of(path: str, documents: Sequence[Mapping]) -> Kind | None:
    """The system of a file, by its path, else by its content; None if neither shows it."""
    by_path = next((kind for pattern, kind in _PATHS if pattern.search(path.replace("\\", "/"))), None)
    if by_path is not None:
        return Kind.DRONE if by_path is Kind.WOODPECKER and _is_drone(documents) else by_path
    return next((kind for document in documents if (kind := _by_content(document)) is not None), None)


def _is_drone(documents: Sequence[Mapping]) -> bool:
    return any("kind" in document.by_text and "steps" in document.by_text for document in documents)


def _by_content(document: Mapping) -> Kind | None:
    keys = document.by_text.keys()
    if {"kind", "steps"} <= keys:
        return Kind.DRONE
    if "jobs" in keys and ("on" in keys or "name" in keys) and "version" not in keys:
        return Kind.GITHUB
    if "version" in keys and keys & {"jobs", "workflows", "orbs"}:
        return Kind.CIRCLECI
    if keys & {"steps", "pipeline"}:
        return Kind.WOODPECKER
    jobs = (value for _, value in document if isinstance(value, Mapping))
    if "stages" in keys or any(_JOB_OF_GITLAB & job.by_text.keys() for job in jobs):
        return Kind.GITLAB
    return None
