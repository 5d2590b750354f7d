"""The language as a JSON Schema, for editors: from the tables and readers that parse it (LANGUAGE sections 1 to 3).

Draft-07, since every tool knows it: for years the YAML language server read nothing later, and check-jsonschema takes all
drafts. It says what one file looks like. Names of stages, circles and files that are merged are left to `dockercise lint`.
"""

from __future__ import annotations

import json
from typing import Any

from dockercise_prefect.compiler.keys import META, STAGE
from dockercise_prefect.compiler.names import NEW_NAME_SOURCE
from dockercise_prefect.compiler.shapes import key_names, mapping_of, or_null

FILE = "dockercise.schema.json"
"""The file in the package that holds the schema's text."""

_ID = "urn:dockercise:pipeline"
"""A name and no address: nothing has to answer there."""

_ANCHORS = r"x-|\."


def pipeline_schema() -> dict[str, Any]:
    """The schema of a `*.dockercise.yaml`, as YAML 1.2 reads it."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": _ID,
        "title": "dockercise",
        "description": "A pipeline: each key is a stage, except `meta` and keys that hold anchors (`x-…`, `.…`).",
        "type": ["object", "null"],
        "propertyNames": key_names(
            rf"meta|(?:{_ANCHORS})[\s\S]*|{NEW_NAME_SOURCE}", "this name is reserved, or has white space, /, \\ or :"
        ),
        "properties": {"meta": or_null(mapping_of(META))},
        "patternProperties": {f"^(?:{_ANCHORS})": {}},
        "additionalProperties": {"$ref": "#/definitions/stage"},
        "definitions": {"stage": or_null(mapping_of(STAGE))},
    }


def schema_text() -> str:
    """The schema as a file holds it: the same bytes each time."""
    return json.dumps(pipeline_schema(), indent=2, sort_keys=True) + "\n"
