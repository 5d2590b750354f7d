"""Converts a pipeline to JSON and back: the stable object of `compile --format json` and `index.json` (DESIGN section 3)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import orjson

from dockercise_prefect.pipeline.as_json.digest import digest_of
from dockercise_prefect.pipeline.as_json.lifecycle import lifecycle_of_run, run_lifecycle_from_json
from dockercise_prefect.pipeline.as_json.parameters import parameters_from_json, parameters_to_json
from dockercise_prefect.pipeline.as_json.parts import Json
from dockercise_prefect.pipeline.as_json.stages import stage_from_json, stage_to_json
from dockercise_prefect.pipeline.model import Pipeline
from dockercise_prefect.pipeline.sensitivity import sensitive_stages
from dockercise_prefect.pipeline.sources import StageName


def to_json(pipeline: Pipeline, targets: Sequence[StageName] = ()) -> Json:
    """The pipeline as plain JSON values, in a stable key order.

    Args:
        pipeline: the pipeline to print.
        targets: the stages that the user asked for; empty means everything.
    """
    return {**_head(pipeline, targets), "stages": dict(_stages(pipeline))}


def to_json_text(pipeline: Pipeline, targets: Sequence[StageName] = ()) -> str:
    """The result of `to_json` as a text of many lines, indented by two blanks."""
    head = _indented({**_head(pipeline, targets), "stages": {}}).removesuffix(_NO_STAGES)
    # One stage after another: Python's garbage collector would take longer over all of them than it takes to write them.
    stages = [
        _indented({"stages": {name: entry}}).removeprefix(_BEFORE).removesuffix(_BEHIND) for name, entry in _stages(pipeline)
    ]
    return (head + "{\n" + ",\n".join(stages) + _BEHIND if stages else head + _NO_STAGES) + "\n"


_NO_STAGES = "{}\n}"
_BEFORE = '{\n  "stages": {\n'
_BEHIND = "\n  }\n}"


def _head(pipeline: Pipeline, targets: Sequence[StageName]) -> Json:
    return {
        "name": pipeline.name,
        "digest": pipeline.digest or digest_of(pipeline),
        "targets": list(targets),
        "tags": list(pipeline.tags),
        "secrets": list(pipeline.secrets),
        **lifecycle_of_run(pipeline),
        **({"answers": list(pipeline.answers)} if pipeline.answers else {}),
        **({"parameters": parameters_to_json(pipeline.parameters)} if pipeline.parameters else {}),
    }


def _stages(pipeline: Pipeline) -> Iterator[tuple[StageName, Json]]:
    sensitive = sensitive_stages(pipeline)
    return ((stage.name, stage_to_json(stage, sensitive.get(stage.name))) for stage in pipeline)


def _indented(value: Json) -> str:
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONEncodeError:
        # A pipeline that was written in Python can hold what orjson refuses: half a surrogate pair, a number of over 64 bits.
        return json.dumps(value, indent=2, ensure_ascii=False)


def from_json(data: Json) -> Pipeline:
    """Read what `to_json` returned.

    Raises:
        KeyError, TypeError, ValueError: the object is not a printed pipeline.
    """
    stages = tuple(stage_from_json(name, entry) for name, entry in data["stages"].items())
    return Pipeline(
        data["name"],
        stages,
        tags=tuple(data["tags"]),
        secrets=tuple(data.get("secrets", ())),
        digest=data["digest"],
        answers=tuple(data.get("answers", ())),
        parameters=parameters_from_json(data.get("parameters", {})),
        **run_lifecycle_from_json(data),
    )
