"""The digest of a pipeline: `sha256:…` over what it does.

The digest does not depend on the pipeline's name, the places in the source, whether an edge was written or inferred, or the
order of things that have no order. The hashed text is `meaning_of` of each stage, with how runs go, the tags and the names of
the secrets, as JSON on one line with sorted keys.
"""

from __future__ import annotations

import hashlib
import json
from operator import attrgetter

import orjson

from dockercise_prefect.pipeline.as_json.lifecycle import lifecycle_of_run
from dockercise_prefect.pipeline.as_json.parameters import meaning_of_parameters
from dockercise_prefect.pipeline.as_json.parts import Json
from dockercise_prefect.pipeline.as_json.stages import meaning_of
from dockercise_prefect.pipeline.model import Pipeline


def digest_of(pipeline: Pipeline) -> str:
    """The digest of a pipeline."""
    lifecycle = lifecycle_of_run(pipeline) | meaning_of_parameters(pipeline.parameters)
    run = b'"run":' + _on_one_line(lifecycle) + b"," if lifecycle else b""
    digest = hashlib.sha256(b"{" + run + b'"secrets":' + _on_one_line(sorted(pipeline.secrets)) + b',"stages":{')
    # One stage after another: Python's garbage collector would take longer over all of them than it takes to write them.
    for number, stage in enumerate(sorted(pipeline.stages, key=attrgetter("name"))):
        digest.update(b"," * (number > 0) + _on_one_line(stage.name) + b":" + _on_one_line(meaning_of(stage)))
    digest.update(b'},"tags":' + _on_one_line(sorted(pipeline.tags)) + b"}")
    return f"sha256:{digest.hexdigest()}"


def _on_one_line(value: Json | list[str] | str) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        # A pipeline that was written in Python can hold what orjson refuses: half a surrogate pair, a number of over 64 bits.
        text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "surrogatepass")
