"""Writes how stages and runs go: as arguments of declarations in Python, and in words."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from dockercise_prefect.emit.calls import bracketed, call
from dockercise_prefect.emit.literals import one_line
from dockercise_prefect.pipeline import (
    CLEANUP_GRACE,
    ORDINARY,
    STOP_GRACE,
    Approval,
    Cache,
    Concurrency,
    Each,
    Overlap,
    Pipeline,
    Retries,
    RetryReason,
    RunsOn,
    Stage,
    StageConcurrency,
    When,
)
from dockercise_prefect.quantities import shown_seconds

_CALLS: Mapping[str, str | tuple[str, ...]] = {"approve": "approval(", "concurrency": ("concurrency(", "at_once(")}
"""How the value of an argument begins if it is a call of a function that has another name."""


def stage_arguments(stage: Stage) -> Iterator[tuple[str, str]]:
    """The arguments of `pipeline.stage` that do not have their default."""
    if stage.when != ORDINARY:
        yield "when", _when(stage.when)
    if stage.retries is not None:
        yield "retries", _retries(stage.retries)
    if stage.stop_grace != STOP_GRACE:
        yield "stop_grace", repr(stage.stop_grace)
    if stage.shell:
        # Not `shell`: linters take an argument of that name for a call of a subprocess.
        yield "interpreter", bracketed([one_line(word) for word in stage.shell], indent=4, before="interpreter=")
    if stage.entrypoint is not None:
        words = [one_line(word) for word in stage.entrypoint]
        yield "entrypoint", bracketed(words, indent=4, before="entrypoint=")
    if stage.gpus is not None:
        yield "gpus", one_line(stage.gpus)
    if stage.cache is not None:
        yield "cache", _cache(stage.cache)
    yield from _around_attempts(stage)


def _around_attempts(stage: Stage) -> Iterator[tuple[str, str]]:
    """The arguments for what counts before and after the attempts at a stage."""
    if stage.approve is not None:
        yield "approve", _approve(stage.approve)
    if stage.concurrency is not None:
        yield "concurrency", _turn(stage.concurrency)
    if stage.junit:
        yield "junit", bracketed([one_line(glob) for glob in stage.junit], indent=4, before="junit=")


def run_arguments(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    """The arguments of `Pipeline` that do not have their default."""
    if pipeline.timeout is not None:
        yield "timeout", repr(pipeline.timeout)
    if pipeline.cleanup_grace != CLEANUP_GRACE:
        yield "cleanup_grace", repr(pipeline.cleanup_grace)
    if pipeline.cleanup_after_crash:
        yield "cleanup_after_crash", "True"
    if pipeline.concurrency is not None:
        yield "concurrency", _concurrency(pipeline.concurrency)
    if pipeline.history is not None:
        yield "history", f"history({pipeline.history.depth})"


def functions_of(pipeline: Pipeline) -> Iterator[str]:
    """The functions of `pipeline` that these arguments call."""
    arguments = [argument for stage in pipeline for argument in stage_arguments(stage)] + [*run_arguments(pipeline)]
    return (value.partition("(")[0] for name, value in arguments if value.startswith(_CALLS.get(name, f"{name}(")))


def stage_in_words(stage: Stage) -> Iterator[tuple[str, str]]:
    """The keys that do not have their default, each with its meaning."""
    if stage.when != ORDINARY:
        yield "when", "; ".join(_conditions(stage.when))
    if stage.retries is not None:
        yield "retries", _retries_in_words(stage.retries)
    if stage.stop_grace != STOP_GRACE:
        yield "stopGrace", f"{shown_seconds(stage.stop_grace)} between SIGTERM and SIGKILL"
    if stage.shell:
        yield "shell", " ".join(stage.shell)
    if stage.entrypoint is not None:
        yield "entrypoint", shlex.join(stage.entrypoint) or "the image's own"
    if stage.gpus is not None:
        yield "gpus", stage.gpus
    if stage.cache is not None:
        yield "cache", "; ".join(_cache_in_words(stage.cache))
    yield from _around_attempts_in_words(stage)


def _around_attempts_in_words(stage: Stage) -> Iterator[tuple[str, str]]:
    if stage.each is not None:
        yield "each", _each_in_words(stage.each)
    if stage.approve is not None:
        limit = "" if stage.approve.timeout is None else f", within {shown_seconds(stage.approve.timeout)}"
        yield "approve", f"somebody must agree{limit}: {' '.join(stage.approve.text.split())}"
    if stage.concurrency is not None:
        count = "1 stage" if stage.concurrency.limit == 1 else f"{stage.concurrency.limit} stages"
        yield "concurrency", f"{count} of the group {stage.concurrency.group} at once, over all runs"
    if stage.junit:
        yield "junit", f"test reports: {', '.join(stage.junit)}"


def run_in_words(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    """The keys of `meta` that do not have their default, each with its meaning."""
    if pipeline.timeout is not None:
        yield "timeout", f"the run is stopped after {shown_seconds(pipeline.timeout)}"
    if pipeline.cleanup_grace != CLEANUP_GRACE:
        yield "cleanupGrace", shown_seconds(pipeline.cleanup_grace)
    if pipeline.cleanup_after_crash:
        yield "cleanupAfterCrash", "the clean-up stages also run after a crash, started by whoever finds the run"
    if pipeline.concurrency is not None:
        yield "concurrency", _concurrency_in_words(pipeline.concurrency)
    if pipeline.history is not None:
        depth = pipeline.history.depth
        has = f"a history of {depth} commit{'' if depth == 1 else 's'}" if depth else "the whole history"
        yield "code", f"a git checkout with {has}"


def _each_in_words(each: Each) -> str:
    limit = "" if each.limit is None else f", at most {each.limit} at once"
    return f"one member for each line of {each.stage}{limit}"


def _when(when: When) -> str:
    if when == When(status=when.status):
        return one_line(when.status)
    arguments = [] if when.status is RunsOn.SUCCESS else [f"status={one_line(when.status)}"]
    lists = (("branch", when.branch), ("tag", when.tag), ("event", when.event), ("changed", when.changed))
    arguments += [f"{name}={_list(one_line(item) for item in items)}" for name, items in lists if items]
    return call("when", arguments, before="when=")


def _retries(retries: Retries) -> str:
    if retries == Retries(retries.times):
        return repr(retries.times)
    arguments = [repr(retries.times)]
    if retries.delay:
        arguments.append(f"delay={retries.delay!r}")
    if retries.backoff != 1:
        arguments.append(f"backoff={retries.backoff!r}")
    if retries.on:
        arguments.append(f"on={_list(_failure(failure) for failure in retries.on)}")
    return call("retries", arguments, before="retries=")


def _cache(cache: Cache) -> str:
    if cache == Cache():
        return "True"
    arguments = [] if cache.max_age is None else [f"max_age={cache.max_age!r}"]
    arguments += [f"salt={one_line(cache.salt)}"] if cache.salt else []
    arguments += [f"also={_list(one_line(glob) for glob in cache.also)}"] if cache.also else []
    return call("cache", arguments, before="cache=")


def _approve(approve: Approval) -> str:
    if approve.timeout is None:
        return one_line(approve.text)
    return call("approval", [one_line(approve.text), f"timeout={approve.timeout!r}"], before="approve=")


def _turn(turn: StageConcurrency) -> str:
    if turn.limit == 1:
        return one_line(turn.group)
    return call("at_once", [one_line(turn.group), repr(turn.limit)], before="concurrency=")


def _failure(failure: int | RetryReason) -> str:
    return one_line(failure) if isinstance(failure, RetryReason) else repr(failure)


def _concurrency(concurrency: Concurrency) -> str:
    arguments = [repr(concurrency.limit)]
    if concurrency.group is not None:
        arguments.append(f"group={one_line(concurrency.group)}")
    if concurrency.overlap is not Overlap.WAIT:
        arguments.append(f"overlap={one_line(concurrency.overlap)}")
    return call("concurrency", arguments, before="concurrency=")


def _list(items: Iterable[str]) -> str:
    return f"[{', '.join(items)}]"


def _conditions(when: When) -> Iterator[str]:
    match when.status:
        case RunsOn.FAILURE:
            yield "after a failure"
        case RunsOn.ALWAYS:
            yield "always, whatever came before"
        case RunsOn.SUCCESS:
            pass
    for what, globs in (("branch", when.branch), ("tag", when.tag)):
        if globs:
            yield f"if the {what} matches {_either(globs)}"
    if when.event:
        yield f"if the run began by {_either(when.event)}"
    if when.changed:
        yield f"if the push changed {_either(when.changed)}"


def _either(items: Sequence[str]) -> str:
    return ", ".join(items)


def _retries_in_words(retries: Retries) -> str:
    text = f"at most {retries.times}"
    if retries.delay:
        text += f", the first after {shown_seconds(retries.delay)}"
        if retries.backoff != 1:
            text += f", each later one after {retries.backoff} times as long"
    if retries.on:
        text += f", only after {', '.join(str(failure) for failure in retries.on)}"
    return text


def _cache_in_words(cache: Cache) -> Iterator[str]:
    yield "spared while nothing that it is made from has changed"
    if cache.max_age is not None:
        yield f"at most {shown_seconds(cache.max_age)} old"
    if cache.salt:
        yield f"salt {cache.salt}"
    if cache.also:
        yield f"depends on {_either(cache.also)} too"


def _concurrency_in_words(concurrency: Concurrency) -> str:
    group = "of this pipeline" if concurrency.group is None else f"of the group {concurrency.group}"
    more = {
        Overlap.WAIT: "a further run waits",
        Overlap.SKIP: "a further run is skipped",
        Overlap.CANCEL: "a further run cancels the oldest",
    }
    return f"{concurrency.limit} {'run' if concurrency.limit == 1 else 'runs'} {group} at once; {more[concurrency.overlap]}"
