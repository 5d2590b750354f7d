"""Reads `junit` (LANGUAGE-2 section 9)."""

from __future__ import annotations

from collections.abc import Sequence

from dockercise_prefect.compiler.reading.values import Field, globs, reads, texts
from dockercise_prefect.pipeline import Code

_OUT = ("$OUT", "${OUT}")


@reads(globs.schema)
def reports(field: Field) -> Sequence[str]:
    """Globs of files in the stage's own volume, as in git."""
    for pattern, place in texts(field):
        out = next((out for out in _OUT if pattern.startswith(out)), None)
        if out is not None:
            below = pattern.removeprefix(out).lstrip("/") or "*.xml"
            field.findings.error(
                Code.WRONG_VALUE,
                f"{field.owner}: `{field.key}`: `{pattern}` begins with `{out}`, but these globs begin there already",
                place,
                hint=f"write `{below}`",
            )
    return globs(field)
