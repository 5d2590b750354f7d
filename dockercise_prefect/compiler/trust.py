"""Restricts an untrusted pipeline. It may not use the engine's machine; everything else is allowed within limits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from dockercise_prefect.errors import DefinitionError
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.pipeline import CLEANUP_GRACE, STOP_GRACE, Code, EngineVolume, HostPath, Network, Pipeline, Stage
from dockercise_prefect.quantities import MIN_DURATION, shown_bytes, shown_seconds

_ROOT = re.compile(r"(?:root|[+-]?0+)?(?::.*)?", re.DOTALL)
"""What the engine reads as user 0 in every image. It reads a sign as part of the number, and an empty name as 0."""

MOST_SERVICES = 8
"""How many services a stage may have. Each has the limits of a stage."""

_Refusal: TypeAlias = tuple[Code, str, str]
"""The code, what the stage does (its name comes before it), and what to do next."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a pipeline that is not trusted.

    Attributes:
        stages: how many stages may run.
        cpus: processors for each stage.
        memory: bytes for each stage.
        timeout: seconds for each stage, with all of its attempts and the delays between them; and for each approval.
    """

    stages: int
    cpus: float
    memory: int
    timeout: float


def restrained(pipeline: Pipeline, limits: Limits) -> Pipeline:
    """The pipeline within limits: a stage that starts a container has each limit that it does not set itself.

    Args:
        pipeline: only the stages that will run; other stages can do no harm.
        limits: the limits that a stage gets, and the highest that it may set.

    Raises:
        DefinitionError: something is refused (DK063, DK070 to DK076, and DK078); the error holds every refusal.
    """
    findings = Findings()
    if len(pipeline) > limits.stages:
        first = sorted(pipeline, key=lambda stage: stage.place or ("", 0, 0))[limits.stages]
        message = (
            f"not trusted: {len(pipeline)} stages would run, but the limit is {limits.stages}: {first.name} is one too many"
        )
        hint = "run fewer stages by naming targets, or ask the operator to raise DOCKERCISE_UNTRUSTED_STAGES"
        findings.error(Code.TOO_MANY_STAGES, message, first.place, hint=hint)
    for stage in pipeline.containers.values():
        for code, what, hint in _refusals(stage, limits):
            findings.error(code, f"not trusted: {stage.name} {what}", stage.place, hint=hint)
    if pipeline.cleanup_grace > max(limits.timeout, CLEANUP_GRACE):
        _, what, hint = _too_much(
            "timeout", "cleanupGrace", shown_seconds(pipeline.cleanup_grace), shown_seconds(limits.timeout)
        )
        findings.error(Code.ABOVE_LIMIT, f"not trusted: meta {what}", None, hint=hint)
    if findings.failed:
        raise DefinitionError(findings.in_order())
    return replace(pipeline, stages=_with_fewer_members([_limited(stage, limits) for stage in pipeline], limits), digest=None)


def guarded(pipeline: Pipeline) -> Pipeline:
    """The pipeline unchanged, if none of its stages reaches the engine's machine: its files, its services, its credentials.

    Args:
        pipeline: only the stages that will run.

    Raises:
        DefinitionError: a stage does (DK070, DK072); the error holds every refusal.
    """
    findings = Findings()
    for stage in pipeline.containers.values():
        for code, what, hint in (*_host_paths(stage), *_host_network(stage)):
            findings.error(code, f"not allowed on this machine: {stage.name} {what}", stage.place, hint=hint)
    if findings.failed:
        raise DefinitionError(findings.in_order())
    return pipeline


def _with_fewer_members(stages: Sequence[Stage], limits: Limits) -> Sequence[Stage]:
    """The stages, whose groups have at most so many members that no more stages run than the limit (`each`)."""
    groups = sum(stage.is_group for stage in stages)
    if not groups:
        return stages
    most = max(1, (limits.stages - (len(stages) - groups)) // groups)
    return [
        stage if stage.each is None else replace(stage, each=replace(stage.each, most=min(most, stage.each.most)))
        for stage in stages
    ]


def _limited(stage: Stage, limits: Limits) -> Stage:
    if stage.approve is not None and stage.approve.timeout is None:
        stage = replace(stage, approve=replace(stage.approve, timeout=limits.timeout))
    if not stage.starts_container:
        return stage
    return replace(
        stage,
        cpus=limits.cpus if stage.cpus is None else stage.cpus,
        memory=limits.memory if stage.memory is None else stage.memory,
        timeout=_share(stage, limits) if stage.timeout is None else stage.timeout,
        services=tuple(
            replace(
                service,
                cpus=limits.cpus if service.cpus is None else service.cpus,
                memory=limits.memory if service.memory is None else service.memory,
            )
            for service in stage.services
        ),
    )


def _attempts(stage: Stage) -> int:
    return 1 if stage.retries is None else stage.retries.times + 1


def _delays(stage: Stage) -> float:
    """Seconds between all attempts together."""
    return sum(stage.retries.delay_after(number) for number in range(1, _attempts(stage))) if stage.retries else 0


def _share(stage: Stage, limits: Limits) -> float:
    """The time of one attempt, so that all of them together stay within the limit."""
    return (limits.timeout - _delays(stage)) / _attempts(stage)


def _refusals(stage: Stage, limits: Limits) -> Iterator[_Refusal]:
    yield from _mounts(stage)
    yield from _host_network(stage)
    if stage.gpus is not None:
        hint = "remove `gpus`: a GPU may keep what other programs left in its memory"
        yield Code.USES_GPUS, f"uses GPUs of the engine's machine (`gpus: {stage.gpus}`)", hint
    if stage.user is not None and _ROOT.fullmatch(stage.user):
        hint = "set another user, or remove `user` to run as the image's user"
        yield Code.ROOT_USER, f"runs as root (`user: {stage.user}`)", hint
    if stage.sudo:
        hint = "remove `sudo`, and use an image that has what the script installs, or whose user may do it"
        yield Code.GAINS_RIGHTS, "lets programs gain rights that its user does not have (`sudo: true`)", hint
    if len(stage.services) > MOST_SERVICES:
        what = f"has {len(stage.services)} services, but the limit is {MOST_SERVICES}"
        yield Code.TOO_MANY_SERVICES, what, "start several programs in one service"
    if stage.build is not None:
        hint = "use an image from a registry: the engine builds with the network of its own machine (`ADD` with an address)"
        yield Code.BUILDS_IMAGE, "builds an image", hint
    yield from _above(stage, limits)


def _host_network(stage: Stage) -> Iterator[_Refusal]:
    if stage.network is Network.HOST:
        hint = "remove `network: host`: a stage reaches the internet through its own network"
        yield Code.HOST_NETWORK, "uses the network of the engine's machine", hint


_MOUNT_INSTEAD = "mount the code (`vol: code`) or volumes of stages"


def _host_paths(stage: Stage) -> Iterator[_Refusal]:
    for mount in stage.mounts:
        if isinstance(mount.source, HostPath):
            yield Code.HOST_PATH, f"mounts `{mount.source.path}` from the engine's machine", _MOUNT_INSTEAD


def _mounts(stage: Stage) -> Iterator[_Refusal]:
    yield from _host_paths(stage)
    for mount in stage.mounts:
        if isinstance(mount.source, EngineVolume):
            what = f"mounts `{mount.source.name}`, a volume of the engine that may belong to someone else"
            yield Code.ENGINE_VOLUME, what, _MOUNT_INSTEAD


def _above(stage: Stage, limits: Limits) -> Iterator[_Refusal]:
    if stage.cpus is not None and stage.cpus > limits.cpus:
        yield _too_much("cpus", "cpus", f"{stage.cpus}", f"{limits.cpus}")
    if stage.memory is not None and stage.memory > limits.memory:
        yield _too_much("memory", "memory", shown_bytes(stage.memory), shown_bytes(limits.memory))
    if stage.timeout is not None and stage.timeout > limits.timeout:
        yield _too_much("timeout", "timeout", shown_seconds(stage.timeout), shown_seconds(limits.timeout))
    elif _share(stage, limits) < max(stage.timeout or 0, MIN_DURATION):
        most = shown_seconds(limits.timeout)
        hint = (
            "write fewer retries or a shorter `delay` or `timeout`, or ask the operator to raise DOCKERCISE_UNTRUSTED_TIMEOUT"
        )
        yield Code.ABOVE_LIMIT, f"may take longer than the limit of {most} with its `retries`", hint
    if stage.approve is not None and (stage.approve.timeout or 0) > limits.timeout:
        wanted = f"{{timeout: {shown_seconds(stage.approve.timeout or 0)}}}"
        yield _too_much("timeout", "approve", wanted, shown_seconds(limits.timeout))
    if stage.stop_grace > max(limits.timeout, STOP_GRACE):
        yield _too_much("timeout", "stopGrace", shown_seconds(stage.stop_grace), shown_seconds(limits.timeout))


def _too_much(limit: str, key: str, wanted: str, most: str) -> _Refusal:
    hint = f"write {most} or less, or ask the operator to raise DOCKERCISE_UNTRUSTED_{limit.upper()}"
    return Code.ABOVE_LIMIT, f"sets `{key}: {wanted}`, but the limit is {most}", hint
