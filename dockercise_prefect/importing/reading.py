"""Reads the YAML of other systems with the reader of pipelines: several documents in a file, and GitLab's `!reference`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from yaml.events import (
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from dockercise_prefect.frontend.convert import Converter
from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.frontend.document import Loader, decoded, problems_of_yaml
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Mapping, is_null
from dockercise_prefect.pipeline import Code

REFERENCE = "!reference"
"""A tag of GitLab; in the nodes, it is a mapping with this only key."""

MOST_DOCUMENTS = 100
"""The most documents in a file."""

_Event = Any


def documents_of(source: Source, findings: Findings) -> list[Mapping]:
    """The documents of a file that are mappings. What cannot be read is a finding."""
    text = decoded(source, findings)
    if text is None:
        return []
    documents: list[Mapping] = []
    with problems_of_yaml(source.path, text, findings):
        loader = Loader(text)
        try:
            for take in _each_document(loader.get_event):
                node = Converter(source.path, text, take, findings).document()
                if isinstance(node, Mapping):
                    documents.append(node)
                elif node is not None and not is_null(node):
                    message = "the file of a pipeline is a mapping, but this is not"
                    findings.error(Code.NO_STAGES, message, node.place, hint="name the file that your system reads")
                if len(documents) > MOST_DOCUMENTS:
                    message = f"this file contains more than {MOST_DOCUMENTS} documents"
                    findings.error(Code.TOO_BIG, message, documents[-1].place, hint="import them one by one")
                    break
        finally:
            loader.dispose()
    return documents


def _each_document(take: Callable[[], _Event]) -> Iterator[Callable[[], _Event]]:
    """For each document of a stream, a function that returns its events, as if it were the only one."""
    start = take()
    event = take()
    while event.__class__ is not StreamEndEvent:
        yield _with_references(_one_document(start, event, take)).__next__
        event = take()


def _one_document(start: StreamStartEvent, first: DocumentStartEvent, take: Callable[[], _Event]) -> Iterator[_Event]:
    yield start
    yield first
    while True:
        event = take()
        yield event
        if event.__class__ is DocumentEndEvent:
            break
    yield StreamEndEvent(event.start_mark, event.end_mark)


def _with_references(events: Iterator[_Event]) -> Iterator[_Event]:
    """The events, with `!reference [a, b]` as `{"!reference": [a, b]}`."""
    open_lists: list[bool] = []
    for event in events:
        kind = event.__class__
        is_reference = kind is SequenceStartEvent and event.tag == REFERENCE
        if is_reference:
            yield MappingStartEvent(event.anchor, None, True, event.start_mark, event.end_mark)
            yield ScalarEvent(None, None, (True, False), REFERENCE, event.start_mark, event.end_mark)
            yield SequenceStartEvent(None, None, True, event.start_mark, event.end_mark)
        else:
            yield event
        if kind is SequenceStartEvent:
            open_lists.append(is_reference)
        elif kind is SequenceEndEvent and open_lists.pop():
            yield MappingEndEvent(event.start_mark, event.end_mark)
