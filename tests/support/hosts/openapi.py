"""Checks requests and answers against an OpenAPI 3.0 description.

It is stricter than the standard: something that the description does not name is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from openapi_schema_validator import OAS30Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

_WHERE = "urn:description"


@dataclass(frozen=True)
class Operation:
    """A path and a method of the description. `pointer` is its JSON pointer."""

    name: str
    pointer: str
    parameters: Mapping[str, str]
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """A request. `path` is without the server's prefix, and the names in `headers` are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class Description:
    """A description in a file."""

    def __init__(self, file: Path) -> None:
        self._whole = json.loads(file.read_bytes())
        self._registry: Registry[Any] = Registry().with_resource(_WHERE, DRAFT4.create_resource(self._whole))

    def example(self, name: str) -> dict[str, Any]:
        """A copy of an example in the description's components."""
        copy = json.loads(json.dumps(self._whole["components"]["examples"][name]["value"]))
        assert isinstance(copy, dict)
        return copy

    def find(self, method: str, path: str) -> Operation | None:
        """The operation of a request; None if the description has none."""
        for pattern, template in self._templates:
            match = pattern.fullmatch(path)
            if match and method.lower() in self._whole["paths"][template]:
                about = self._whole["paths"][template][method.lower()]
                names = re.findall(r"\{(\w+)\}", template)
                values = dict(zip(names, map(unquote, match.groups()), strict=True))
                pointer = f"/paths/{_escaped(template)}/{method.lower()}"
                return Operation(f"{method} {template}", pointer, values, about)
        return None

    def wrong_in_request(self, request: Request) -> list[str]:
        """The errors in a request; empty if it matches the description."""
        operation = self.find(request.method, request.path)
        if operation is None:
            return [f"the description knows no {request.method} {request.path}"]
        wrong = [*self._wrong_parameters(operation, request), *self._wrong_body(operation, request)]
        return [f"{operation.name}: {text}" for text in wrong]

    def wrong_in_answer(self, operation: Operation, status: int, body: Any) -> list[str]:
        """The errors in an answer. An error status that the operation does not list is checked as a basic error."""
        answers = operation.about["responses"]
        if str(status) not in answers:
            if status < 400:
                return [f"{operation.name}: there is no answer {status}"]
            pointer = "/components/schemas/basic-error"
        else:
            answer, pointer = self._followed(answers[str(status)], f"{operation.pointer}/responses/{status}")
            if "content" not in answer:
                return [] if body is None else [f"{operation.name}: answer {status} has no body"]
            pointer += "/content/application~1json/schema"
        return [f"{operation.name}: answer {status}: {text}" for text in self._wrong(pointer, body)]

    @cached_property
    def _templates(self) -> list[tuple[re.Pattern[str], str]]:
        """Paths, those with the fewest variables first, since they have priority (OpenAPI 3.0, Paths Object)."""
        templates = sorted(self._whole["paths"], key=lambda path: path.count("{"))
        return [(re.compile(re.sub(r"\\\{\w+\\\}", "([^/]+)", re.escape(path))), path) for path in templates]

    def _wrong_parameters(self, operation: Operation, request: Request) -> Iterator[str]:
        known = {}
        for number, entry in enumerate(operation.about.get("parameters", [])):
            parameter, pointer = self._followed(entry, f"{operation.pointer}/parameters/{number}")
            known[parameter["in"], parameter["name"]] = (parameter, f"{pointer}/schema")
        given = {("path", name): value for name, value in operation.parameters.items()}
        given |= {("query", name): value for name, value in parse_qsl(request.query, keep_blank_values=True)}
        for place, value in given.items():
            if place not in known:
                yield f"it has no parameter {place[1]} in its {place[0]}"
                continue
            parameter, pointer = known[place]
            is_number = parameter["schema"].get("type") == "integer" and value.isdecimal()
            yield from self._wrong(pointer, int(value) if is_number else value)
        for place, (parameter, _) in known.items():
            if parameter.get("required") and place not in given:
                yield f"its parameter {place[1]} is missing"

    def _wrong_body(self, operation: Operation, request: Request) -> Iterator[str]:
        if "requestBody" not in operation.about:
            if request.body:
                yield "it has no body"
            return
        about, pointer = self._followed(operation.about["requestBody"], f"{operation.pointer}/requestBody")
        kind = request.headers.get("content-type", "").partition(";")[0]
        if not request.body:
            if about.get("required"):
                yield "its body is missing"
        elif kind not in about["content"]:
            yield f"its body is no {kind}"
        else:
            pointer += f"/content/{_escaped(kind)}/schema"
            body = json.loads(request.body)
            yield from self._wrong(pointer, body)
            yield from self._unnamed(about["content"][kind]["schema"], body, "body")

    def _wrong(self, pointer: str, value: Any) -> list[str]:
        validator = OAS30Validator({"$ref": f"{_WHERE}#{pointer}"}, registry=self._registry)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def _unnamed(self, schema: Mapping[str, Any], value: Any, where: str) -> Iterator[str]:
        schema, _ = self._followed(schema, "")
        if not isinstance(value, dict) or "properties" not in schema:
            return
        for name, inner in value.items():
            if name in schema["properties"]:
                yield from self._unnamed(schema["properties"][name], inner, f"{where}.{name}")
            else:
                yield f"{where} has no {name}"

    def _followed(self, entry: Mapping[str, Any], pointer: str) -> tuple[Mapping[str, Any], str]:
        """The target of a reference, and its JSON pointer."""
        while "$ref" in entry:
            pointer = entry["$ref"].removeprefix("#")
            entry = self._whole
            for word in pointer.split("/")[1:]:
                entry = entry[word.replace("~1", "/").replace("~0", "~")]
        return entry, pointer


def _escaped(word: str) -> str:
    return word.replace("~", "~0").replace("/", "~1")
