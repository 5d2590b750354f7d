"""Reads how a stage goes: `retries`, `stopGrace`, `when` and `shell`; and how a run goes (LANGUAGE section 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dockercise_prefect.compiler.reading.shapes import SPACE, TEXT, Key, Schema, mapping_of, one_or_many, scalar, whole
from dockercise_prefect.compiler.reading.values import Field, Reader, boolean, duration, globs, one_of, reads, text, texts, word
from dockercise_prefect.compiler.spelling.key_checks import check_keys, no_hint
from dockercise_prefect.compiler.spelling.suggest import suggestion
from dockercise_prefect.compiler.spelling.words_of_conditions import hint_for_condition, hint_for_event, hint_for_status
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Mapping as MappingNode
from dockercise_prefect.frontend.nodes import Node, Scalar, Sequence, is_null
from dockercise_prefect.pipeline import Code, CodeHistory, Concurrency, Overlap, Retries, RetryReason, RunEvent, RunsOn, When
from dockercise_prefect.pipeline.history import DEPTH
from dockercise_prefect.pipeline.lifecycle import RetryOn
from dockercise_prefect.quantities import NUMBER, processors_of, seconds_of

MOST_RETRIES = 100
"""The most retries of a stage."""

MOST_BACKOFF = 100
"""The biggest `backoff`."""

MOST_RUNS = 1_000
"""The biggest limit of runs at once."""

MOST_COMMITS = 1_000_000
"""The biggest `depth` of a history. `0` is for all of it."""

LONGEST_DELAY = 7 * 24 * 3600
"""Seconds. The longest delay before a retry."""

_EXIT_CODES = range(1, 256)


def _whole_schema(source: str, least: int, most: int) -> Schema:
    """A whole number; `source` matches its text."""
    wanted = f"write a whole number from {least} to {most}"
    return {**whole(source, wanted), "type": ["string", "integer"], "minimum": least, "maximum": most}


_TIMES = _whole_schema("0*(?:[0-9]{1,2}|100)", 0, MOST_RETRIES)
LIMIT = _whole_schema("0*(?:[1-9][0-9]{0,2}|1000)", 1, MOST_RUNS)
_DEPTH = _whole_schema("0*(?:[0-9]{1,6}|1000000)", 0, MOST_COMMITS)


@reads(duration.schema)
def grace(field: Field) -> float | None:
    """A duration that may be `0s`; in seconds."""
    value = text(field)
    if value is not None and seconds_of(value) == 0:
        return 0
    return None if value is None else duration(field)


def whole_number(field: Field, least: int, most: int) -> int | None:
    """A whole number within bounds."""
    value = text(field)
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal()) or not least <= int(value) <= most:
        field.wrong_value(f"`{value}` is not a whole number from {least} to {most}")
        return None
    return int(value)


def parts_of(
    field: Field, keys: Mapping[str, Key], wanted: str, hint_for: Callable[[str], str | None] = no_hint
) -> dict[str, Field] | None:
    """The keys of a mapping, each as a field, without those that are null. None if the value is not a mapping.

    Args:
        field: the mapping.
        keys: the keys that exist.
        wanted: what the value must be, for the message.
        hint_for: returns the hint for an unknown key, or None.
    """
    if not isinstance(field.node, MappingNode):
        field.wrong_type(wanted)
        return None
    owner = f"{field.owner}: {field.key}"
    check_keys(owner, field.node, keys, field.findings, hint_for=hint_for)
    return {
        key: Field(owner, key, value, field.findings)
        for key, value in field.node.by_key.items()
        if key in keys and not is_null(value)
    }


_FACTOR: Schema = {
    **whole(NUMBER, "write a number such as 2 or 1.5"),
    "type": ["string", "number"],
    "minimum": 1,
    "maximum": MOST_BACKOFF,
}

_RETRY_KEYS = {
    "times": Key(_TIMES, "How many more attempts there are, at most."),
    "delay": Key(grace.schema, "How long to wait before the first retry."),
    "backoff": Key(_FACTOR, "Each delay is longer by this factor."),
    "on": Key(
        one_or_many(scalar(rf"[0-9]{{1,3}}|{'|'.join(RetryReason)}", "write an exit code, timeout, oom or error")),
        "Only after these failures: exit codes, `timeout`, `oom`, `error`.",
    ),
}


@reads({"anyOf": [_TIMES, mapping_of(_RETRY_KEYS, required=["times"])]})
def retries(field: Field) -> Retries | None:
    """A number, or a mapping of `times`, `delay`, `backoff` and `on`."""
    if isinstance(field.node, Scalar):
        times = whole_number(field, 0, MOST_RETRIES)
        return None if times is None else Retries(times)
    parts = parts_of(field, _RETRY_KEYS, "a number, or a mapping of `times`, `delay`, `backoff` and `on`")
    if parts is None:
        return None
    if "times" not in parts:
        field.wrong_value("`times` is missing", "write `{times: 3, delay: 10s}`")
        return None
    times = whole_number(parts["times"], 0, MOST_RETRIES)
    delay = grace(parts["delay"]) if "delay" in parts else 0
    backoff = _backoff(parts["backoff"]) if "backoff" in parts else 1
    failures = _failures(parts["on"]) if "on" in parts else ()
    if times is None or delay is None or backoff is None or failures is None:
        return None
    found = Retries(times, delay, backoff, failures)
    if times and found.delay_after(times) > LONGEST_DELAY:
        field.wrong_value("the last delay would be longer than a week", "lower `delay`, `backoff` or `times`")
        return None
    return found


def _backoff(field: Field) -> float | None:
    value = text(field)
    if value is None:
        return None
    number = processors_of(value)
    if number is None or not 1 <= number <= MOST_BACKOFF:
        field.wrong_value(f"`{value}` is not a number from 1 to {MOST_BACKOFF}")
        return None
    return number


def _failures(field: Field) -> tuple[RetryOn, ...] | None:
    found: list[RetryOn] = []
    wrong = False
    for written, place in texts(field):
        if written in list(RetryReason):
            found.append(RetryReason(written))
        elif written.isascii() and written.isdecimal() and int(written) in _EXIT_CODES:
            found.append(int(written))
        else:
            wrong = True
            hint = suggestion(written, [*RetryReason])
            if written == "0":
                hint = "exit code 0 is a success"
            field.findings.error(
                Code.WRONG_VALUE,
                f"{field.owner}: `{field.key}`: `{written}` is neither an exit code nor a failure",
                place,
                hint=hint,
            )
    return None if wrong else tuple(dict.fromkeys(found))


_SHELL_HINT = "write a command with arguments as a list: `[bash, -eo, pipefail]`"


_ONE_WORD = scalar(rf"[{SPACE}]*[^{SPACE}]+[{SPACE}]*", "write a command with arguments as a list")


@reads({"anyOf": [_ONE_WORD, {"type": "array", "items": TEXT}]})
def shell(field: Field) -> tuple[str, ...] | None:
    """The command that runs the script: a name or path, or a list of it and its arguments."""
    if isinstance(field.node, Scalar):
        value = text(field)
        if value is not None and len(value.split()) > 1:
            field.wrong_value(f"`{value}` contains white space", _SHELL_HINT)
            return None
        return None if value is None else (value,)
    found = tuple(written for written, _ in texts(field))
    if not all(found) or not found:
        field.wrong_value("the command is empty", _SHELL_HINT)
        return None
    return found


_WHEN_KEYS = {
    "status": Key(one_of(RunsOn).schema, "After which outcome of the stages that it comes after."),
    "branch": Key(globs.schema, "Globs of branches. `!x` excludes what an earlier one matched."),
    "tag": Key(globs.schema, "Globs of tags."),
    "event": Key(one_or_many(one_of(RunEvent).schema), "How the run began."),
    "changed": Key(globs.schema, "Globs: the push changed a matching file. Holds where nobody knows what changed."),
}


@reads({"anyOf": [one_of(RunsOn).schema, mapping_of(_WHEN_KEYS)]})
def when(field: Field) -> When | None:
    """`success`, `failure` or `always`, or a mapping of conditions."""
    if isinstance(field.node, Scalar):
        status = _status(field)
        return None if status is None else When(status=status)
    wanted = "`success`, `failure`, `always`, or a mapping of conditions"
    if isinstance(field.node, Sequence):
        field.wrong_type(wanted, "all conditions of the mapping must hold; write another stage for other conditions")
        return None
    parts = parts_of(field, _WHEN_KEYS, wanted, hint_for_condition)
    if parts is None:
        return None
    status = _status(parts["status"]) if "status" in parts else RunsOn.SUCCESS
    patterns = {name: tuple(globs(parts[name])) for name in ("branch", "tag", "changed") if name in parts}
    for name, found in patterns.items():
        if not found:
            parts[name].wrong_value("the list is empty", "remove the key, or write a pattern")
        elif all(pattern.startswith("!") for pattern in found):
            parts[name].wrong_value("every pattern excludes, so nothing can match", "begin with `'*'`, or `'**'` for files")
    events = _events(parts["event"]) if "event" in parts else ()
    return None if status is None else When(status=status, event=events, **patterns)


def _status(field: Field) -> RunsOn | None:
    hint = hint_for_status(field.node.text) if isinstance(field.node, Scalar) else None
    if isinstance(field.node, Scalar) and hint:
        field.wrong_value(f"`{field.node.text}` is not an allowed value", hint)
        return None
    return one_of(RunsOn)(field)


def _events(field: Field) -> tuple[RunEvent, ...]:
    found = []
    words = [event.value for event in RunEvent]
    for written, place in texts(field):
        if written in words:
            found.append(RunEvent(written))
        else:
            message = f"{field.owner}: `{field.key}`: `{written}` is not an event"
            field.findings.error(Code.WRONG_VALUE, message, place, hint=hint_for_event(written) or suggestion(written, words))
    return tuple(dict.fromkeys(found))


_CONCURRENCY_KEYS = {
    "group": Key(word.schema, "Runs with the same group count together; by default the pipeline's name."),
    "limit": Key(LIMIT, "How many runs at once; by default 1."),
    "overlap": Key(one_of(Overlap).schema, "What happens to a run above the limit: `wait`, `skip`, or `cancel` the oldest."),
}


@reads({"anyOf": [LIMIT, mapping_of(_CONCURRENCY_KEYS)]})
def concurrency(field: Field) -> Concurrency | None:
    """A number of runs, or a mapping of `group`, `limit` and `overlap`."""
    if isinstance(field.node, Scalar):
        limit = whole_number(field, 1, MOST_RUNS)
        return None if limit is None else Concurrency(limit=limit)
    parts = parts_of(field, _CONCURRENCY_KEYS, "a number, or a mapping of `group`, `limit` and `overlap`")
    if parts is None:
        return None
    group = word(parts["group"]) if "group" in parts else None
    limit = whole_number(parts["limit"], 1, MOST_RUNS) if "limit" in parts else 1
    overlap = one_of(Overlap)(parts["overlap"]) if "overlap" in parts else Overlap.WAIT
    return None if limit is None or overlap is None else Concurrency(group=group, limit=limit, overlap=overlap)


_CODE_KEYS = {
    "git": Key(boolean.schema, "`true`: the code is a git checkout, with history and tags."),
    "depth": Key(_DEPTH, f"How many commits deep the history is, `0` for all of it; by default {DEPTH}."),
}


@reads(mapping_of(_CODE_KEYS))
def history(field: Field) -> CodeHistory | None:
    """A mapping of `git` and `depth`; None if the code is not a checkout."""
    parts = parts_of(field, _CODE_KEYS, "a mapping of `git` and `depth`")
    if parts is None:
        return None
    depth = whole_number(parts["depth"], 0, MOST_COMMITS) if "depth" in parts else DEPTH
    is_checkout = "git" in parts and boolean(parts["git"])
    return CodeHistory(depth) if is_checkout and depth is not None else None


@dataclass(frozen=True, slots=True)
class RunSetting:
    """A key of `meta` about a run. It sets an attribute of `Pipeline` to the value that the reader returns."""

    attribute: str
    read: Reader[Any]
    meaning: str

    @property
    def schema(self) -> Schema:
        """What the reader accepts, in addition to null."""
        return self.read.schema


RUN: Mapping[str, RunSetting] = {
    "timeout": RunSetting("timeout", duration, "After this time, the run is stopped and has failed."),
    "cleanupGrace": RunSetting(
        "cleanup_grace", grace, "How long all clean-up stages together may take after a run was stopped; by default `60s`."
    ),
    "cleanupAfterCrash": RunSetting(
        "cleanup_after_crash", boolean, "`true`: the clean-up stages of a run whose process died are run by whoever finds it."
    ),
    "concurrency": RunSetting("concurrency", concurrency, "How many runs of the pipeline, or of a group, go on at once."),
    "code": RunSetting("history", history, "`{git: true}`: `code` is a git checkout, and not only files."),
}
"""Keys of `meta` about a run."""


def read_run(by_key: Mapping[str, Node], findings: Findings) -> dict[str, Any]:
    """How a run goes, by the attributes of `Pipeline`. Wrong values are left out.

    Args:
        by_key: the keys of `meta`, without those that are null.
        findings: collects what is wrong.
    """
    found = {
        setting.attribute: setting.read(Field("meta", key, by_key[key], findings))
        for key, setting in RUN.items()
        if key in by_key
    }
    return {attribute: value for attribute, value in found.items() if value is not None}
