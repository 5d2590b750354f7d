"""Recognizes files that were written for another program. They get one finding instead of one for each of their keys."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf

from dockercise_prefect.frontend.convert import is_stage_name
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar, Sequence, is_null
from dockercise_prefect.pipeline import Code

_OF_STAGES_ALONE = frozenset({"after", "dir", "env", "img", "on", "run", "vol"})
"""Keys of stages that do not occur in the outermost mappings of other programs."""

OF_STAGES = _OF_STAGES_ALONE.union(
    (
        "approve",
        "build",
        "cache",
        "concurrency",
        "cpus",
        "each",
        "entrypoint",
        "gpus",
        "if",
        "implicit",
        "junit",
        "matrix",
        "memory",
        "network",
        "neverFail",
        "noLog",
        "platform",
        "pull",
        "retries",
        "secrets",
        "services",
        "shell",
    ),
    ("stopGrace", "sudo", "timeout", "triggers", "unless", "user", "when"),
)
"""All keys of stages."""

OF_OTHERS = frozenset({"image", "script", "commands", "command", "needs", "depends_on"})
"""Keys of stages in other programs. Each gets its own finding, with its name in Dockercise."""

_WRITTEN_FOR: MappingOf[frozenset[str], str] = {
    frozenset({"on", "jobs"}): "GitHub Actions",
    frozenset({"apiVersion", "kind"}): "Kubernetes",
    frozenset({"services"}): "Docker Compose",
    frozenset({"openapi"}): "OpenAPI",
    frozenset({"Resources"}): "CloudFormation",
    frozenset({"jobs", "version"}): "CircleCI",
    frozenset({"jobs", "resources"}): "Concourse",
    frozenset({"kind", "steps"}): "Drone",
    frozenset({"when", "steps"}): "Woodpecker",
    frozenset({"pool"}): "Azure Pipelines",
    frozenset({"trigger"}): "Azure Pipelines",
    frozenset({"language"}): "Travis CI",
    frozenset({"stages"}): "GitLab CI",
}
"""Outermost keys by which a program is recognized, the most certain first."""

_ENOUGH = 2
"""The number of stages from which a file counts as foreign if none of them has a key of stages. One is just a wrong stage."""


def is_foreign(body: Mapping | None, findings: Findings) -> bool:
    """Whether a file is not empty, but nothing in it is a stage. If so, DK015 is reported."""
    if body is None or any(_looks_like_a_stage(value) for _, value in body):
        return False
    named = {key.text: value for key, value in body if is_stage_name(key.text) and not is_null(value)}
    program = next((program for keys, program in _WRITTEN_FOR.items() if keys <= named.keys()), None)
    if program is None and (len(named) < _ENOUGH or any(map(_may_be_a_stage, named.values()))):
        return False
    what = "nothing in this file is a stage" if program is None else f"this was written for {program}: nothing in it is a stage"
    hint = "a stage is a name in the first column, with `img: …` and `run: …` below it, indented"
    findings.error(Code.FOREIGN, what, body.place, hint=hint)
    return True


def _looks_like_a_stage(value: Node) -> bool:
    if not isinstance(value, Mapping) or not value.by_text:
        return False
    if not _OF_STAGES_ALONE.isdisjoint(value.by_text):
        return True
    build = value.by_key.get("build")
    if build is None:
        return OF_STAGES.issuperset(value.by_text)
    return isinstance(build, Scalar) or (isinstance(build, Mapping) and "context" in build.by_text)


def _may_be_a_stage(value: Node) -> bool:
    """Whether the value is empty, or is written like a stage of another program."""
    if not isinstance(value, Mapping):
        return False
    written = value.by_key
    return not written or any(isinstance(written.get(key), Scalar | Sequence) for key in OF_OTHERS)
