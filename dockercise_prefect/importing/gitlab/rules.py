"""When a job of GitLab runs: `rules`, `only`, `except` and `when`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from shlex import quote

from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar
from dockercise_prefect.importing.conditions import (
    ALWAYS,
    VARIABLES,
    Condition,
    Matches,
    Test,
    Unknown,
    all_of,
    any_of,
    negated,
)
from dockercise_prefect.importing.fields import Fields, flattened
from dockercise_prefect.importing.gitlab.expressions import DEFAULT_BRANCH, condition_of
from dockercise_prefect.importing.model import Status
from dockercise_prefect.importing.notes import Notes, quoted
from dockercise_prefect.importing.regular import glob_of

_REFS: dict[str, Condition] = {
    "branches": Matches("branch", ("**",)),
    "tags": Matches("tag", ("**",)),
    "merge_requests": Matches("event", ("pull_request",)),
    "external_pull_requests": Matches("event", ("pull_request",)),
    "schedules": Matches("event", ("schedule",)),
    "pushes": Matches("event", ("push",)),
    "web": Matches("event", ("manual",)),
    "api": Matches("event", ("manual",)),
    "triggers": Matches("event", ("manual",)),
    "pipelines": Matches("event", ("manual",)),
}
_STATUS: dict[str, Status] = {"on_failure": "failure", "always": "always"}


@dataclass(slots=True)
class Decision:
    """When a job runs.

    Attributes:
        condition: on which code and for which events.
        status: after which outcome of the others.
        manual: whether somebody starts it.
        blocks: whether those after it wait for that.
        tolerated: whether it may fail.
    """

    condition: Condition = ALWAYS
    status: Status = "success"
    manual: bool = False
    blocks: bool = True
    tolerated: bool = False


def decision_of(job: Fields, notes: Notes) -> Decision:
    """Read the keys of a job that say when it runs."""
    found = Decision()
    _choose(job.text("when"), found, notes, job.node)
    found.blocks = not found.manual or (job.text("allow_failure") or "true").lower() == "false"
    if "rules" in job:
        _of_rules(job.nodes("rules"), found, notes)
    only, excepted = job.take("only"), job.take("except")
    parts = [_refs(only, notes)] if only is not None else []
    parts += [negated(_refs(excepted, notes))] if excepted is not None else []
    found.condition = all_of([found.condition, *parts])
    return found


def workflow_condition(rules: Iterable[Node], notes: Notes) -> Condition:
    """The condition of `workflow: rules`, which holds for all jobs."""
    found = Decision()
    nodes = list(rules)
    if nodes:
        _of_rules(nodes, found, notes)
    return found.condition


def _of_rules(nodes: list[Node], found: Decision, notes: Notes) -> None:
    """The first rule that matches decides. Rules that start a job are joined; those before that forbid it are excluded."""
    forbidden: list[Condition] = []
    wanted: list[Condition] = []
    for node in nodes:
        rule = Fields(node, notes, "rules: ")
        condition = _rule(rule, notes)
        when = rule.text("when")
        if when == "never":
            forbidden.append(negated(condition))
            continue
        if not wanted:
            _choose(when, found, notes, node)
            found.tolerated = rule.is_true("allow_failure")
            found.blocks = not found.manual or not found.tolerated
        elif when == "manual":
            found.manual = True
        for key in ("variables", "needs", "interruptible", "auto_cancel"):
            if key in rule:
                notes.left_out(
                    f"rules: {key}", "write it in the stage, or in a second stage with the condition", rule.take(key) or node
                )
        rule.take("allow_failure")
        rule.leave_rest({})
        wanted.append(all_of([*forbidden, condition]))
        if condition == ALWAYS:
            break
    found.condition = all_of([found.condition, any_of(wanted)])


def _rule(rule: Fields, notes: Notes) -> Condition:
    parts: list[Condition] = []
    expression = rule.text("if")
    if expression is not None and rule.node is not None:
        parts.append(_expression(expression, rule.node, notes))
    if "changes" in rule:
        parts.append(_changes(rule.take("changes")))
    exists = [scalar for scalar in _paths(rule.take("exists")) if isinstance(scalar, Scalar)]
    if exists:
        checks = " || ".join(f"ls -d {_path(scalar.text)} >/dev/null 2>&1" for scalar in exists)
        parts.append(Test(checks if len(exists) == 1 else f"{{ {checks}; }}", (), needs_code=True))
    return all_of(parts)


def _path(glob: str) -> str:
    return "".join(piece if piece == "*" else quote(piece) for piece in re.split(r"([*])", glob.replace("**/", "")) if piece)


def _paths(node: Node | None) -> list[Node]:
    return list(flattened(node.by_key.get("paths") if isinstance(node, Mapping) else node))


def _changes(node: Node | None) -> Condition:
    patterns = tuple(each.text for each in _paths(node) if isinstance(each, Scalar))
    return Matches("changed", patterns) if patterns else ALWAYS


def _expression(expression: str, node: Node, notes: Notes) -> Condition:
    def on_default_branch() -> None:
        notes.changed("$CI_DEFAULT_BRANCH", f"it is taken to be `{DEFAULT_BRANCH}`", node)

    return condition_of(expression, on_default_branch)


def _choose(when: str | None, found: Decision, notes: Notes, node: Node | None) -> None:
    if when == "manual":
        found.manual = True
    elif when in _STATUS:
        found.status = _STATUS[when]
    elif when == "delayed" and node is not None:
        notes.changed("when: delayed", "it does not wait before it starts", node)
    elif when == "never":
        found.condition = negated(ALWAYS)


def _refs(node: Node, notes: Notes) -> Condition:
    """`only` or `except`: a list of references, or a mapping of `refs`, `variables`, `changes`."""
    if not isinstance(node, Mapping):
        return any_of(_ref(each.text) for each in flattened(node) if isinstance(each, Scalar))
    fields = Fields(node, notes, "only: ")
    refs = [_ref(text) for text in fields.texts("refs")]
    variables = [_expression(text, node, notes) for text in fields.texts("variables")]
    parts = [any_of(each) for each in (refs, variables) if each]
    if "changes" in fields:
        parts.append(_changes(fields.take("changes")))
    if "kubernetes" in fields:
        notes.left_out("kubernetes", "there is no such condition", fields.take("kubernetes") or node)
    fields.leave_rest({})
    return all_of(parts)


def _ref(text: str) -> Condition:
    name = text.partition("@")[0] if not text.startswith("/") else text
    known = _REFS.get(name)
    if known is not None:
        return known
    if not name.startswith("/"):
        return Matches("branch", (name,))
    pattern, _, flags = name.removeprefix("/").rpartition("/")
    glob = None if flags.startswith("i") else glob_of(pattern, whole=False)
    if glob is not None:
        return (
            any_of([Matches("branch", (glob,)), Matches("tag", (glob,))])
            if _may_be_tag(pattern)
            else Matches("branch", (glob,))
        )
    if "\0" in pattern:
        return Unknown(quoted(text))
    names = f'"${{{VARIABLES["branch"]}:-${VARIABLES["tag"]}}}"'
    return Test(f"printf %s {names} | grep -Eq {quote(pattern)}", (VARIABLES["branch"], VARIABLES["tag"]))


def _may_be_tag(pattern: str) -> bool:
    return pattern.lstrip("^").startswith(("v", "\\d", "[0-9]"))
