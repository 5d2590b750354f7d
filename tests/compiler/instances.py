"""The language's JSON Schema at work: its findings about a file, and random files that it accepts.

Files are made from the schema by our own generator: a number must be written as the parser reads numbers, with few decimals,
which a generator of JSON values cannot know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema
from hypothesis import strategies as st

from dockercise_prefect.compiler.schema import pipeline_schema
from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.frontend.document import read_document
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Node, Scalar, Sequence

Schema = Mapping[str, Any]

_SCHEMA = pipeline_schema()
_ALPHABET = st.characters(codec="utf-8", exclude_characters="\0")
_FAR = 10**6


def problems(text: str) -> list[str]:
    """Everything that is wrong with a file according to the schema, if it is read as YAML 1.2."""
    document = read_document(Source("a.dockercise.yaml", text.encode()), Findings())
    assert document is not None
    data = None if document.body is None else _as_data(document.body)
    return [error.message for error in _validator().iter_errors(data)]


@cache
def _validator() -> jsonschema.Draft7Validator:
    """The schema with expressions that have the same meaning in Python as in ECMA-262."""
    return jsonschema.Draft7Validator(_in_python(_SCHEMA))


def _in_python(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_in_python(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    translated = {key: _in_python(value) for key, value in schema.items()}
    if isinstance(schema.get("pattern"), str):
        translated["pattern"] = _expression(schema["pattern"])
    if "patternProperties" in schema:
        translated["patternProperties"] = {
            _expression(pattern): _in_python(value) for pattern, value in schema["patternProperties"].items()
        }
    return translated


def _expression(pattern: str) -> str:
    """In Python, `$` also matches before a line end at the end of the text."""
    return pattern.replace("$", r"\Z")


def _as_data(node: Node) -> Any:
    if isinstance(node, Scalar):
        return _scalar(node)
    if isinstance(node, Sequence):
        return [_as_data(item) for item in node.items]
    return {key.text: _as_data(value) for key, value in node}


def _scalar(scalar: Scalar) -> Any:
    match scalar.kind:
        case "null":
            return None
        case "bool":
            return scalar.text.lower() == "true"
        case "number":
            return _number(scalar.text.lower())
    return scalar.text


def _number(text: str) -> float:
    if text.startswith(("0x", "0o")):
        return int(text, 0)
    if re.fullmatch(r"[-+]?[0-9]+", text):
        return int(text)
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


def files() -> st.SearchStrategy[dict[str, Any]]:
    """Files that the schema accepts, to be written by `as_yaml`."""
    return _instances(_SCHEMA).filter(lambda file: file is not None)


def _instances(schema: Schema) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return st.deferred(lambda: _instances(_SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]))
    if "anyOf" in schema:
        return st.one_of([_instances(choice) for choice in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "type" not in schema:
        return st.sampled_from([None, 1, "a", [], {"run": [1]}])
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([_OF_TYPE[name](schema) for name in types])


def _strings(schema: Schema) -> st.SearchStrategy[str]:
    if "pattern" not in schema:
        return st.one_of(st.sampled_from(["", " "]), st.text(_ALPHABET))
    longest = schema.get("maxLength", 1000)
    found = st.from_regex(re.compile(_expression(schema["pattern"])), alphabet=_ALPHABET)
    return found.filter(lambda text: len(text) <= longest)


def _numbers(schema: Schema) -> st.SearchStrategy[float]:
    least, most = schema.get("minimum", -_FAR), schema.get("exclusiveMaximum", schema.get("maximum", _FAR - 1) + 1)
    whole = st.integers(int(least) + 1, most - 1)
    with_decimals = st.integers(int(1000 * least), 1000 * most - 1).map(lambda number: number / 1000)
    return st.one_of(st.just(least), whole, with_decimals)


def _arrays(schema: Schema) -> st.SearchStrategy[list[Any]]:
    items = st.lists(_instances(schema["items"]), max_size=3)
    if "contains" not in schema:
        return items
    return st.tuples(items, _instances(schema["contains"]), items).map(lambda parts: [*parts[0], parts[1], *parts[2]])


@st.composite
def _objects(draw: st.DrawFn, schema: Schema) -> dict[str, Any]:
    properties = schema.get("properties", {})
    optional = sorted(properties.keys() - schema.get("required", []))
    chosen = draw(st.lists(st.sampled_from(optional), unique=True, max_size=5)) if optional else []
    made = {key: draw(_instances(properties[key])) for key in [*schema.get("required", []), *chosen]}
    if schema.get("additionalProperties") is not False:
        names = _strings(schema.get("propertyNames", {})).filter(lambda name: name not in properties)
        for name in draw(st.lists(names, unique=True, max_size=4)):
            made[name] = draw(_instances(_schema_of(name, schema)))
    return made


def _schema_of(name: str, schema: Schema) -> Schema:
    for pattern, matching in schema.get("patternProperties", {}).items():
        if re.search(_expression(pattern), name):
            return matching  # type: ignore[no-any-return]  # JSON
    return schema["additionalProperties"]  # type: ignore[no-any-return]  # JSON


_OF_TYPE = {
    "null": lambda _: st.none(),
    "boolean": lambda _: st.booleans(),
    "string": _strings,
    "number": _numbers,
    "integer": lambda schema: st.integers(schema["minimum"], schema["maximum"]),
    "array": _arrays,
    "object": _objects,
}
