"""Reads `cache`, and reports stages that cannot be reused (LANGUAGE-2 section 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dockercise_prefect.compiler.reading.lifecycle import parts_of
from dockercise_prefect.compiler.reading.shapes import TEXT, Key, Schema, mapping_of, matcher, one_or_many, whole
from dockercise_prefect.compiler.reading.values import Field, boolean, globs, reads, text
from dockercise_prefect.errors import Place
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Scalar
from dockercise_prefect.pipeline import Code, Pipeline, StageName
from dockercise_prefect.pipeline.cache import Cache
from dockercise_prefect.pipeline.reusable import not_reusable
from dockercise_prefect.quantities import DURATION, seconds_of

_DAYS = r"([0-9]{1,5})d"
_AGE = rf"(?!$)(?:{_DAYS})?{DURATION}"
_AGE_MATCHER = matcher(rf"(?:{_DAYS})?(.*)")
_AGE_SCHEMA: Schema = whole(_AGE, "write days, hours and minutes as 7d, 1d12h, 30m")

_DAY_SECONDS = 86_400

_KEYS = {
    "for": Key(_AGE_SCHEMA, "How old a result may be."),
    "salt": Key(TEXT, "Any text. Another one begins anew."),
    "also": Key(one_or_many(globs.schema), "Globs of further files of the code that the stage depends on."),
}


@reads({"anyOf": [boolean.schema, _AGE_SCHEMA, mapping_of(_KEYS)]})
def cache(field: Field) -> Cache | None:
    """`true`, an age, or a mapping of `for`, `salt` and `also`; None for `false`."""
    if isinstance(field.node, Scalar):
        if field.node.text in {"true", "false"}:
            return Cache() if boolean(field) else None
        age = _age(field)
        return None if age is None else Cache(max_age=age)
    parts = parts_of(field, _KEYS, "`true`, an age such as `7d`, or a mapping of `for`, `salt` and `also`")
    if parts is None:
        return None
    age = _age(parts["for"]) if "for" in parts else None
    salt = text(parts["salt"]) if "salt" in parts else ""
    also = tuple(globs(parts["also"])) if "also" in parts else ()
    return None if salt is None or ("for" in parts and age is None) else Cache(max_age=age, salt=salt, also=also)


def _age(field: Field) -> float | None:
    value = text(field)
    if value is None:
        return None
    found = _AGE_MATCHER.match(value)
    days, rest = (found[1], found[2]) if found else (None, value)
    seconds = seconds_of(rest) if rest else 0.0
    if seconds is None or not value:
        field.wrong_value(
            f"`{value}` is not an age", "write `true` for any age, or days, hours and minutes as `7d`, `1d12h`, `30m`"
        )
        return None
    age = int(days or 0) * _DAY_SECONDS + seconds
    if age <= 0:
        field.wrong_value(f"`{value}` is not more than 0", "write `false` for a stage that always runs")
        return None
    return age


def without_useless_caches(pipeline: Pipeline, written: Mapping[StageName, Place], findings: Findings) -> Pipeline:
    """Report stages with `cache` that cannot be reused (DK048). Those that only inherit it have none in the result.

    Args:
        pipeline: the whole pipeline.
        written: where stages have a `cache` of their own.
        findings: gets a finding for each of them.
    """
    if all(stage.cache is None for stage in pipeline):
        return pipeline
    reasons = {name: why for name, why in not_reusable(pipeline).items() if pipeline.by_name[name].cache is not None}
    for name, why in reasons.items():
        if name in written:
            findings.error(
                Code.NOT_REUSABLE,
                f"{name}: `cache` cannot spare this stage, because it {why}",
                written[name],
                hint=_HINT,
            )
    return replace(pipeline, stages=[replace(stage, cache=None) if stage.name in reasons else stage for stage in pipeline])


_HINT = "remove `cache`; stages after it can be spared all the same, if it leaves the same as before"
