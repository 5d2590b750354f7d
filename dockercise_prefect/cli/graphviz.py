"""Uses Graphviz, if it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import PurePath

from dockercise_prefect.errors import UsageError


def graphviz() -> str | None:
    """The path of Graphviz's program `dot`, or None if it is not installed."""
    return shutil.which("dot")


def draw(program: str, text: str, kind: str) -> bytes:
    """Draw a graph in DOT, and return the picture.

    Args:
        program: the path that `graphviz` returned.
        text: the graph, in DOT.
        kind: `svg`, `png` or `pdf`.

    Raises:
        UsageError: Graphviz cannot draw it.
    """
    try:
        done = subprocess.run([program, f"-T{kind}"], input=text.encode(), capture_output=True, check=False)
    except OSError as error:
        raise UsageError(f"{program} cannot be run: {error.strerror}", "reinstall Graphviz, or write an .svg") from error
    if done.returncode != 0 or not done.stdout:
        said = done.stderr.decode("utf-8", "replace").strip() or f"it exited with status {done.returncode}"
        raise UsageError(
            f"{PurePath(program).name} cannot draw this: {said}", "write a .dot or .mmd, or an .svg with `--layout own`"
        )
    return done.stdout
