"""Finds the stages that a change makes targets, by their `triggers` (LANGUAGE section 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from dockercise_prefect.globs import MAX_PATTERNS, Globs
from dockercise_prefect.pipeline import Pipeline, StageName

__all__ = ["MAX_PATTERNS", "Match", "globs_problem", "triggered"]


@dataclass(frozen=True, slots=True)
class Match:
    """A changed file and the glob that matched it."""

    glob: str
    path: str


def triggered(pipeline: Pipeline, paths: Iterable[str]) -> Mapping[StageName, tuple[Match, ...]]:
    """The stages that have a glob for one of the paths, each with its matches, in the pipeline's order.

    Globs are those of git, as in `.dockerciseignore`. A glob with a `/` in it begins at the root, and one without matches at
    any depth. A folder stands for everything below it. `!` excludes what an earlier glob matched.

    Args:
        paths: paths of changed files relative to the root, with `/`.
    """
    changed = sorted(set(paths))
    found = {stage.name: tuple(_matches(stage.triggers, changed)) for stage in pipeline if stage.triggers}
    return {name: matches for name, matches in found.items() if matches}


@lru_cache(maxsize=256)
def globs_problem(patterns: tuple[str, ...]) -> str | None:
    """Why patterns cannot be used together, or None. It is cached, because many stages of a pipeline have the same ones."""
    try:
        Globs(patterns)
    except ValueError as error:
        return str(error)
    return None


def _matches(globs: Sequence[str], paths: Sequence[str]) -> Iterable[Match]:
    patterns = Globs(globs)
    for path in paths:
        found = patterns.find(path)
        if found.included and found.index is not None:
            yield Match(globs[found.index], path)
