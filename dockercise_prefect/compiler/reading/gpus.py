"""`gpus`: which GPUs of the engine's machine a stage gets, as in `docker run --gpus` (LANGUAGE-2 section 9)."""

from __future__ import annotations

from dockercise_prefect.compiler.reading.shapes import SPACE, matcher, whole
from dockercise_prefect.compiler.reading.values import Field, reads, text

_FORMS = "write `all`, a number of GPUs, or `device=0,2`"
_SOURCE = rf"all|0*[1-9]\d{{0,2}}|device=[^,{SPACE}]+(?:,[^,{SPACE}]+)*"
_GPUS = matcher(_SOURCE)


@reads({**whole(_SOURCE, _FORMS), "type": ["string", "integer"], "minimum": 1, "maximum": 999})
def gpus(field: Field) -> str | None:
    """`all`, how many, or which ones."""
    value = text(field)
    if value is None or _GPUS.match(value):
        return value
    field.wrong_value(f"`{value}` does not say which GPUs", _FORMS)
    return None
