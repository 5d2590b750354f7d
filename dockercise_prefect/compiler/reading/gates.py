"""Reads what a stage waits for besides other stages: `approve` and `concurrency` (LANGUAGE-2 section 9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dockercise_prefect.compiler.reading.lifecycle import LIMIT, MOST_RUNS, parts_of, whole_number
from dockercise_prefect.compiler.reading.shapes import SPACE, TEXT, Key, Schema, mapping_of, matcher, scalar
from dockercise_prefect.compiler.reading.values import Field, duration, reads, text
from dockercise_prefect.frontend.nodes import Scalar
from dockercise_prefect.pipeline import Approval, StageConcurrency

_QUESTION: Schema = {**TEXT, "type": ["string", "number"]}

_APPROVE_KEYS = {
    "text": Key(_QUESTION, "What somebody must agree to."),
    "timeout": Key(duration.schema, "If nobody answers in this time, the stage has failed."),
}

_GROUP = rf"(?![0-9]+(?:$|\n))[^{SPACE}]+"
_GROUP_MATCHER = matcher(_GROUP)
_GROUP_SCHEMA = scalar(_GROUP, "write the name of a group, without white space")

_CONCURRENCY_KEYS = {
    "group": Key(_GROUP_SCHEMA, "Stages with the same group count together, in all pipelines."),
    "limit": Key(LIMIT, "How many stages at once; by default 1."),
}


@reads({"anyOf": [_QUESTION, mapping_of(_APPROVE_KEYS, required=["text"])]})
def approve(field: Field) -> Approval | None:
    """A question, or a mapping of `text` and `timeout`."""
    if isinstance(field.node, Scalar):
        question = _question(field)
        return None if question is None else Approval(question)
    parts = parts_of(field, _APPROVE_KEYS, "a text, or a mapping of `text` and `timeout`")
    if parts is None:
        return None
    if "text" not in parts:
        field.wrong_value("`text` is missing", "write `{text: Deploy to production?, timeout: 1h}`")
        return None
    question = _question(parts["text"])
    timeout = duration(parts["timeout"]) if "timeout" in parts else None
    return None if question is None else Approval(question, timeout)


def _question(field: Field) -> str | None:
    if isinstance(field.node, Scalar) and field.node.kind == "bool":
        field.wrong_type("a text that says what somebody must agree to", "write `approve: Deploy to production?`")
        return None
    return text(field)


@reads({"anyOf": [_GROUP_SCHEMA, mapping_of(_CONCURRENCY_KEYS, required=["group"])]})
def concurrency(field: Field) -> StageConcurrency | None:
    """The name of a group, or a mapping of `group` and `limit`."""
    if isinstance(field.node, Scalar):
        group = _group(field)
        return None if group is None else StageConcurrency(group)
    parts = parts_of(field, _CONCURRENCY_KEYS, "the name of a group, or a mapping of `group` and `limit`")
    if parts is None:
        return None
    if "group" not in parts:
        field.wrong_value("`group` is missing", "write `{group: deploy, limit: 2}`")
        return None
    group = _group(parts["group"])
    limit = whole_number(parts["limit"], 1, MOST_RUNS) if "limit" in parts else 1
    return None if group is None or limit is None else StageConcurrency(group, limit)


def _group(field: Field) -> str | None:
    value = text(field)
    if value is None or _GROUP_MATCHER.match(value):
        return value
    if value.isdecimal():
        hint = (
            f"write `{{group: NAME, limit: {value}}}`; `dockercise run --jobs N` sets how many stages of one run go on at once"
        )
        field.wrong_value(f"`{value}` is not the name of a group", hint)
    else:
        field.wrong_value(f"`{value}` contains white space")
    return None


def read_gates(fields: Mapping[str, Field]) -> dict[str, Any]:
    """What a stage waits for, by the attributes of `Stage`. Wrong values are left out."""
    return {key: read(fields[key]) for key, read in (("approve", approve), ("concurrency", concurrency)) if key in fields}
