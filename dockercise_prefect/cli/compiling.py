"""Compiles the pipeline for commands that only read it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dockercise_prefect.cli.findings import show_findings
from dockercise_prefect.compiler import compile_folder
from dockercise_prefect.frontend.subgraphs import Packages
from dockercise_prefect.pipeline import Pipeline


def compiled_below(root: Path, packages: Packages, given: Mapping[str, object] | None = None) -> Pipeline:
    """Return the pipeline below a folder, and show warnings.

    Args:
        root: the folder.
        packages: from `chosen_packages`.
        given: values of parameters, instead of their defaults.

    Raises:
        DockerciseError: as in `compile_folder`.
    """
    compiled = compile_folder(root, packages=packages, parameters=given)
    show_findings(compiled.warnings)
    return compiled.pipeline
