"""Converts how stages and runs go to JSON and back. Whatever has its default is left out, so that digests stay the same."""

from __future__ import annotations

from typing import Any

from dockercise_prefect.pipeline.as_json.parts import Json
from dockercise_prefect.pipeline.cache import Cache
from dockercise_prefect.pipeline.each import MOST_MEMBERS, Each
from dockercise_prefect.pipeline.gates import Approval, StageConcurrency
from dockercise_prefect.pipeline.history import CodeHistory
from dockercise_prefect.pipeline.lifecycle import (
    CLEANUP_GRACE,
    ORDINARY,
    STOP_GRACE,
    Concurrency,
    Overlap,
    Retries,
    RetryOn,
    RetryReason,
    RunsOn,
    When,
)
from dockercise_prefect.pipeline.model import Pipeline, Stage
from dockercise_prefect.pipeline.run_context import RunEvent


def lifecycle_of_stage(stage: Stage) -> Json:
    """How a stage goes."""
    entry: Json = {}
    if stage.retries is not None:
        entry["retries"] = _retries_to_json(stage.retries)
    if stage.stop_grace != STOP_GRACE:
        entry["stop_grace"] = stage.stop_grace
    if stage.when != ORDINARY:
        entry["when"] = _when_to_json(stage.when)
    if stage.shell:
        entry["shell"] = list(stage.shell)
    if stage.entrypoint is not None:
        entry["entrypoint"] = list(stage.entrypoint)
    if stage.gpus is not None:
        entry["gpus"] = stage.gpus
    if stage.cache is not None:
        entry["cache"] = {"for": stage.cache.max_age, "salt": stage.cache.salt, "also": list(stage.cache.also)}
    return {**entry, **_around_attempts(stage)}


def _around_attempts(stage: Stage) -> Json:
    """What counts before and after the attempts at a stage."""
    entry: Json = {}
    if stage.each is not None:
        entry["each"] = _each_to_json(stage.each)
    if stage.approve is not None:
        entry["approve"] = {"text": stage.approve.text, "timeout": stage.approve.timeout}
    if stage.concurrency is not None:
        entry["concurrency"] = {"group": stage.concurrency.group, "limit": stage.concurrency.limit}
    if stage.junit:
        entry["junit"] = list(stage.junit)
    return entry


def stage_lifecycle_from_json(entry: Json) -> dict[str, Any]:
    """Read what `lifecycle_of_stage` returned, as arguments of `Stage`.

    Raises:
        KeyError, TypeError, ValueError: the object is not from `lifecycle_of_stage`.
    """
    return {
        "retries": _retries_from_json(entry["retries"]) if "retries" in entry else None,
        "stop_grace": entry.get("stop_grace", STOP_GRACE),
        "when": _when_from_json(entry["when"]) if "when" in entry else ORDINARY,
        "shell": tuple(entry.get("shell", ())),
        "entrypoint": tuple(entry["entrypoint"]) if "entrypoint" in entry else None,
        "gpus": entry.get("gpus"),
        "cache": _cache_from_json(entry["cache"]) if "cache" in entry else None,
        "each": _each_from_json(entry["each"]) if "each" in entry else None,
        "approve": Approval(**entry["approve"]) if "approve" in entry else None,
        "concurrency": StageConcurrency(**entry["concurrency"]) if "concurrency" in entry else None,
        "junit": tuple(entry.get("junit", ())),
    }


def lifecycle_of_run(pipeline: Pipeline) -> Json:
    """How the runs of a pipeline go."""
    entry: Json = {}
    if pipeline.timeout is not None:
        entry["timeout"] = pipeline.timeout
    if pipeline.cleanup_grace != CLEANUP_GRACE:
        entry["cleanup_grace"] = pipeline.cleanup_grace
    if pipeline.cleanup_after_crash:
        entry["cleanup_after_crash"] = True
    if pipeline.concurrency is not None:
        group = pipeline.concurrency
        entry["concurrency"] = {"group": group.group, "limit": group.limit, "overlap": group.overlap.value}
    if pipeline.history is not None:
        entry["code"] = {"git": True, "depth": pipeline.history.depth}
    return entry


def run_lifecycle_from_json(data: Json) -> dict[str, Any]:
    """Read what `lifecycle_of_run` returned, as arguments of `Pipeline`.

    Raises:
        KeyError, TypeError, ValueError: the object is not from `lifecycle_of_run`.
    """
    group, code = data.get("concurrency"), data.get("code")
    return {
        "timeout": data.get("timeout"),
        "cleanup_grace": data.get("cleanup_grace", CLEANUP_GRACE),
        "cleanup_after_crash": data.get("cleanup_after_crash", False),
        "concurrency": group and Concurrency(group=group["group"], limit=group["limit"], overlap=Overlap(group["overlap"])),
        "history": code and CodeHistory(code["depth"]),
    }


def _retries_to_json(retries: Retries) -> Json:
    return {
        "times": retries.times,
        "delay": retries.delay,
        "backoff": retries.backoff,
        "on": [reason.value if isinstance(reason, RetryReason) else reason for reason in retries.on],
    }


def _retries_from_json(data: Json) -> Retries:
    def failure(written: int | str) -> RetryOn:
        return written if isinstance(written, int) else RetryReason(written)

    return Retries(data["times"], data["delay"], data["backoff"], tuple(failure(written) for written in data["on"]))


def _cache_from_json(data: Json) -> Cache:
    return Cache(max_age=data["for"], salt=data["salt"], also=tuple(data["also"]))


def _each_to_json(each: Each) -> Json:
    most = {} if each.most == MOST_MEMBERS else {"most": each.most}
    return {"stage": each.stage, "limit": each.limit, **most}


def _each_from_json(data: Json) -> Each:
    return Each(data["stage"], data["limit"], data.get("most", MOST_MEMBERS))


def _when_to_json(when: When) -> Json:
    conditions = {
        "branch": list(when.branch),
        "tag": list(when.tag),
        "event": [event.value for event in when.event],
        "changed": list(when.changed),
    }
    return {"status": when.status.value, **{name: globs for name, globs in conditions.items() if globs}}


def _when_from_json(data: Json) -> When:
    return When(
        status=RunsOn(data["status"]),
        branch=tuple(data.get("branch", ())),
        tag=tuple(data.get("tag", ())),
        event=tuple(RunEvent(event) for event in data.get("event", ())),
        changed=tuple(data.get("changed", ())),
    )
