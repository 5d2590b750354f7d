"""The language as a JSON Schema for editors, made from the tables and readers that parse it (LANGUAGE sections 1 to 3).

The schema uses draft-07 because every tool knows it: for years, the YAML language server read no later draft, and
check-jsonschema accepts all drafts. The schema describes one file. `dockercise lint` checks names of stages, cycles and the
merging of files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dockercise_prefect.compiler.keys import EXPANDED, META, STAGE
from dockercise_prefect.compiler.reading.names import NEW_NAME_SOURCE
from dockercise_prefect.compiler.reading.shapes import Described, Key, key_names, mapping_of, or_expanded, or_null

FILE = "dockercise.schema.json"
"""The file in the package that holds the schema's text."""

_ID = "urn:dockercise:pipeline"
"""The id of the schema. It is a name, not an address, so there is no server for it."""

_ANCHORS = r"x-|\."


_STAGE: Mapping[str, Described] = {
    name: Key(or_expanded(key.schema), key.meaning) if name in EXPANDED else key for name, key in STAGE.items()
}


def pipeline_schema() -> dict[str, Any]:
    """The schema of a `*.dockercise.yaml`, as YAML 1.2 reads it."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": _ID,
        "title": "dockercise",
        "description": "A pipeline: each key is a stage, except `meta` and keys that contain anchors (`x-…`, `.…`).",
        "type": ["object", "null"],
        "propertyNames": key_names(
            rf"meta|(?:{_ANCHORS})[\s\S]*|{NEW_NAME_SOURCE}", "this name is reserved, or contains white space, /, \\ or :"
        ),
        "properties": {"meta": or_null(mapping_of(META))},
        "patternProperties": {f"^(?:{_ANCHORS})": {}},
        "additionalProperties": {"$ref": "#/definitions/stage"},
        "definitions": {"stage": or_null(mapping_of(_STAGE))},
    }


def schema_text() -> str:
    """The text of the schema's file; the same bytes each time."""
    return json.dumps(pipeline_schema(), indent=2, sort_keys=True) + "\n"
