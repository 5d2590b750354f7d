"""A pipeline as text: a Python module, JSON, a listing, a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dockercise_prefect.emit.dot import dot
from dockercise_prefect.emit.flow_module import flow_module
from dockercise_prefect.emit.identifiers import module_name
from dockercise_prefect.emit.mermaid import mermaid
from dockercise_prefect.emit.request import Request
from dockercise_prefect.emit.text import json_text, listing

__all__ = ["FORMATS", "Format", "Request", "module_name"]


@dataclass(frozen=True, slots=True)
class Format:
    """An output format of a pipeline: the ending of its files, and the function that makes the text."""

    suffix: str
    emit: Callable[[Request], str]


FORMATS: Mapping[str, Format] = {
    "python": Format(".py", flow_module),
    "json": Format(".json", json_text),
    "mermaid": Format(".mmd", mermaid),
    "dot": Format(".dot", dot),
    "text": Format(".txt", listing),
}
"""The formats that `compile --format` accepts."""
