"""The only package that imports Prefect: what a compiled module needs to run. Names are loaded when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dockercise_prefect.orchestration.run.run import run_pipeline
    from dockercise_prefect.orchestration.run.script import run_as_script
    from dockercise_prefect.results.summary import RunSummary

__all__ = ["RunSummary", "run_as_script", "run_pipeline"]

_HOME = {
    "RunSummary": "dockercise_prefect.results.summary",
    "run_as_script": "dockercise_prefect.orchestration.run.script",
    "run_pipeline": "dockercise_prefect.orchestration.run.run",
}


def __getattr__(name: str) -> object:
    """Import late: the commands of the local server are also here and do not need Prefect."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
