"""Turns names into Python identifiers: every name has one, and each is unique (LANGUAGE section 3)."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Iterable

_NO_IDENTIFIER = re.compile(r"\W+", re.ASCII)
_ACCENT = re.compile(r"[\u0300-\u036f]")

_OF_THE_MODULE = frozenset(
    {
        "Path",
        "Literal",
        "ParameterValue",
        "Pipeline",
        "ROOT",
        "RunSummary",
        "approval",
        "at_once",
        "bind",
        "built_from",
        "cache",
        "code",
        "code_folder",
        "concurrency",
        "each",
        "engine_volume",
        "flow",
        "history",
        "host",
        "instance",
        "parameter",
        "pipeline",
        "retries",
        "run_as_script",
        "values_of",
        "when",
    }
    | {"run_pipeline", "stage", "targets", "env", "commit", "results"}
)
_FORBIDDEN = _OF_THE_MODULE.union(keyword.kwlist, keyword.softkwlist, dir(builtins))


def module_name(pipeline: str) -> str:
    """The name of the module that a pipeline compiles to, and of the flow function in it."""
    return _identifier(pipeline, "pipeline")


def stage_identifiers(pipeline: str, stages: Iterable[str]) -> dict[str, str]:
    """The stages' identifiers in a pipeline's module, by their names.

    No identifier is a keyword, a builtin, the flow function or another name that the module uses itself. Stages that would get
    the same identifier are numbered in their order.
    """
    used = {module_name(pipeline)}
    counts: dict[str, int] = {}
    chosen: dict[str, str] = {}
    for stage in stages:
        wanted = candidate = _identifier(stage, "stage")
        while candidate in used:
            counts[wanted] = counts.get(wanted, 1) + 1
            candidate = f"{wanted.rstrip('_')}_{counts[wanted]}"
        used.add(candidate)
        chosen[stage] = candidate
    return chosen


def _identifier(name: str, fallback: str) -> str:
    """The name in ASCII letters, digits and `_`: accents are dropped, all else becomes `_`; `fallback` if nothing is left."""
    plain = _ACCENT.sub("", unicodedata.normalize("NFKD", name))
    word = _NO_IDENTIFIER.sub("_", plain).strip("_") or fallback
    if word[0].isdigit():
        return f"{fallback}_{word}"
    return f"{word}_" if word in _FORBIDDEN else word
