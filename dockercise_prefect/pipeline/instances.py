"""Instances: the stages that one stage with `matrix` or `each` stands for (LANGUAGE-2 section 9)."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dockercise_prefect.pipeline.sources import StageName

MAX_KEY_BYTES = 120
"""The most bytes of a key. A longer key is cut, and ends with digits of its digest."""

FOLDED_FROM = 20
"""If a stage has at least so many instances, they are shown together where there is little room."""

_DIGITS = 8
_CANNOT_STAND = re.compile(r"[\s/\\:\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Instance:
    """Which instance of a stage this is.

    Attributes:
        of: the stage as it was written.
        key: the text in the brackets of the instance's name, and the name of its folder below `/<of>`.
        values: the value of each variable by which the instances of the stage differ, in the order of the key.
    """

    of: StageName
    key: str
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> StageName:
        """The name of the instance, as a stage."""
        return instance_name(self.of, self.key)


def seen_as(later: Instance | None, earlier: Instance) -> str:
    """The path below `/` and `/out` at which a stage finds an instance: `test/3.12,pg`; `test` for its counterpart.

    The counterpart of an instance has the same value for each of its own axes.

    Args:
        later: which instance the stage is that looks for it; None if it is not an instance.
        earlier: the instance that is found.
    """
    is_counterpart = later is not None and later.of != earlier.of and later.values.items() >= earlier.values.items()
    return earlier.of if is_counterpart else f"{earlier.of}/{earlier.key}"


def folded(instances: Mapping[StageName, Sequence[StageName]], stages: Container[StageName]) -> dict[StageName, StageName]:
    """The instances that are shown together, each with the stage under whose name they are shown.

    Args:
        instances: the instances of each stage that has any.
        stages: the names of all stages. An instance of one of them is a member of a group (`each`), which is shown itself.
    """
    together = {stage: names for stage, names in instances.items() if len(names) >= FOLDED_FROM and stage not in stages}
    return {name: stage for stage, names in together.items() for name in names}


def instance_name(stage: StageName, key: str) -> StageName:
    """The name of one instance of a stage: `test(3.12,pg)`."""
    return f"{stage}({key})"


def instance_key(values: Iterable[str]) -> str:
    """The key of the instance with these values, in their order: `3.12,pg`.

    Characters that a stage's name cannot have become `_`, and so does a value without any text. So two instances may have the
    same key. A key is a folder's name, so it is never `.` or `..`.
    """
    written = ",".join(_CANNOT_STAND.sub("_", value) or "_" for value in values)
    key = unicodedata.normalize("NFC", written.encode(errors="replace").decode())
    if key in {".", ".."}:
        return "_" * len(key)
    encoded = key.encode()
    if len(encoded) <= MAX_KEY_BYTES:
        return key
    digest = hashlib.sha256(encoded).hexdigest()[:_DIGITS]
    return encoded[: MAX_KEY_BYTES - _DIGITS - 1].decode(errors="ignore") + f"-{digest}"
