"""Woodpecker and Drone: steps that share one folder, in order or by `depends_on`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dockercise_prefect.frontend.nodes import Mapping as MappingNode
from dockercise_prefect.frontend.nodes import Node, Scalar, is_null
from dockercise_prefect.importing.conditions import ALWAYS, NEVER, Condition, Matches, Unknown, all_of, any_of
from dockercise_prefect.importing.fields import Budget, Fields, flattened
from dockercise_prefect.importing.model import CODE, Job, Matrix, Outside, Service, Status, Variable, Workflow
from dockercise_prefect.importing.names import variable_name
from dockercise_prefect.importing.notes import Notes, quoted
from dockercise_prefect.importing.scripts import joined
from dockercise_prefect.importing.services import service_name

_ESCAPED = re.compile(r"\$\$(?=[A-Za-z_{])")
_EVENTS = {
    "push": "push",
    "tag": "tag",
    "pull_request": "pull_request",
    "pull-request": "pull_request",
    "cron": "schedule",
    "manual": "manual",
    "custom": "manual",
    "promote": "manual",
    "deployment": "manual",
    "deploy": "manual",
}

_OF_STEPS = {
    "volumes": "write `vol: name:/path` for a folder that the engine keeps, or `vol: /folder:/path` for one of its machine",
    "privileged": "no container is privileged here; images are built with `build`",
    "detach": "write it as a service, or start it in the background in the script of the stage that uses it",
    "settings": "",
    "command": "a service runs the image's own program, or a script in `run`",
    "group": "stages that do not wait for each other run at once",
    "directory": "write `cd` in the script",
    "pull": "",
    "network_mode": "write `network`",
    "backend_options": "",
    "dns": "there is no such key here",
}
_OF_FILES = {
    "trigger": "",
    "clone": "the code is there without being cloned; `meta: {code: {git: true, depth: …}}` gives its history",
    "volumes": "write `vol: name:/path` in the stages",
    "labels": "where a pipeline runs is said when it is registered",
    "node": "where a pipeline runs is said when it is registered",
    "node_selector": "where a pipeline runs is said when it is registered",
    "platform": "write `platform: linux/arm64` in the stages if the engine runs on another one",
    "runs_on": "write `when: failure` or `when: always` in the stages",
    "concurrency": "write `meta: {concurrency: …}`, for runs of the whole pipeline",
    "depends_on": "all stages of a folder are one pipeline: write `after`",
    "image_pull_secrets": "the login of the user's Docker configuration is used",
    "skip_clone": "the code is only copied into stages with `on: code`",
}
_OF_PLUGINS = frozenset(
    {"image", "name", "when", "depends_on", "environment", "group", "pull", "secrets", "settings", "failure", "commands"}
)
_BUILDS_IMAGES = re.compile(r"docker(?!ize)|kaniko|build(?:x|ah)|(?:^|/)(?:drone-)?(?:ecr|gcr|acr)(?::|$)")
"""Plugins that need more rights than a container has here."""

_SILENT = frozenset({"kind", "type", "name", "version", "pull", "backend_options", "settings"})


@dataclass(slots=True)
class _Chain:
    """Which steps share the folder: the last ones, after which the next one goes on."""

    condition: Condition
    prefix: str
    env: tuple[Variable, ...]
    services: tuple[Service, ...]
    matrix: Matrix | None
    after: tuple[str, ...] = ()
    last: list[str] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
    by_dependencies: bool = False


def read_woodpecker(documents: Sequence[MappingNode], notes: Notes, budget: Budget) -> Workflow:
    """The steps of a Woodpecker file."""
    jobs: list[Job] = []
    for document in documents:
        jobs += _jobs(Fields(document, notes), "", notes, budget)
    return Workflow(jobs=tuple(jobs))


def read_drone(documents: Sequence[MappingNode], notes: Notes, budget: Budget) -> Workflow:
    """The steps of all pipelines of a Drone file. Pipelines run at once, unless they depend on each other."""
    pipelines = [fields for fields in (Fields(document, notes) for document in documents) if _is_pipeline(fields, notes)]
    names = [fields.text("name") or f"pipeline-{number}" for number, fields in enumerate(pipelines, 1)]
    jobs: list[Job] = []
    ends: dict[str, tuple[str, ...]] = {}
    for name, fields in zip(names, pipelines, strict=True):
        after = tuple(step for other in fields.texts("depends_on") for step in ends.get(other, ()))
        found = _jobs(fields, f"{name}-" if len(pipelines) > 1 else "", notes, budget, after)
        ends[name] = tuple(job.name for job in found)
        jobs += found
    return Workflow(jobs=tuple(jobs))


def _is_pipeline(fields: Fields, notes: Notes) -> bool:
    kind = fields.text("kind") or "pipeline"
    if kind != "pipeline" and fields.node is not None:
        notes.left_out(f"kind: {kind}", "give its value from outside, as a variable", fields.node)
    return kind == "pipeline"


def _jobs(fields: Fields, prefix: str, notes: Notes, budget: Budget, after: tuple[str, ...] = ()) -> list[Job]:
    env = tuple(_variables(fields.take("environment"), notes))
    condition = all_of([_whens(fields.nodes("when"), notes), _whens(fields.nodes("trigger"), notes), *_branches(fields, notes)])
    services = tuple(_services(fields, notes))
    chain = _Chain(condition, prefix, env, services, _matrix(fields, notes), after)
    steps = [*_named(fields.nodes("steps"), "step"), *_named(fields.nodes("pipeline"), "step")]
    chain.by_dependencies = any("depends_on" in step.by_text for _, step in steps if isinstance(step, MappingNode))
    jobs = []
    for name, node in steps:
        scope = notes.of_job(prefix + name)
        if not isinstance(node, MappingNode):
            notes.left_out(f"step {name}", "it should be a mapping", node)
            continue
        jobs.append(_job(name, node, chain, scope, budget))
    fields.leave_rest(_OF_FILES, _SILENT)
    return jobs


def _named(nodes: Iterable[Node], kind: str) -> list[tuple[str, Node]]:
    """Steps or services with their names: a list of mappings with `name`, or a mapping by names."""
    found: list[tuple[str, Node]] = []
    for position, each in enumerate(nodes, 1):
        if isinstance(each, MappingNode) and not {"image", "commands", "name"} & each.by_text.keys():
            found += [(key.text, value) for key, value in each if not is_null(value)]
            continue
        written = each.by_key.get("name") if isinstance(each, MappingNode) else None
        found.append((written.text if isinstance(written, Scalar) else f"{kind}-{position}", each))
    unique: dict[str, Node] = {}
    for name, node in found:
        number, free = 2, name
        while free in unique:
            free = f"{name}-{number}"
            number += 1
        unique[free] = node
    return list(unique.items())


def _job(name: str, node: MappingNode, chain: _Chain, notes: Notes, budget: Budget) -> Job:
    fields = Fields(node, notes)
    image = fields.text("image")
    commands = [_ESCAPED.sub("$", text) for text in fields.texts("commands") + fields.texts("command")]
    budget.spend(sum(map(len, commands)) + len(commands) + 1, node)
    condition, status = _step_when(fields, notes)
    settings = fields.take("settings")
    needs = [chain.prefix + each for each in fields.texts("depends_on")]
    has_needs = "depends_on" in node.by_text
    group = fields.text("group")
    is_plugin = not commands and image is not None
    runs = image is not None and (bool(commands) or _runs_alone(image, settings, node, fields, notes))
    if image is None:
        notes.left_out("step", "it has no image", node)
    failure = fields.text("failure")
    env = [*chain.env, *_variables(fields.take("environment"), notes), *_secrets(fields, notes)]
    env += _settings(settings, notes) if runs and is_plugin else []
    start, after = _edges(chain, group, needs, has_needs=has_needs)
    full = chain.prefix + name
    if not chain.by_dependencies:
        _advance(chain, group, full)
    fields.leave_rest(_OF_STEPS, _SILENT | (frozenset(node.by_text) if is_plugin else frozenset()))
    return Job(
        name=full, place=node.place, image=image, script=joined(commands), env=tuple(env), after=(*chain.after, *after),
        start=start, condition=all_of([chain.condition, condition]), status=status, services=chain.services,
        matrix=chain.matrix, tolerated=failure == "ignore", user=fields.text("user"), runs=runs,
    )  # fmt: skip


def _edges(chain: _Chain, group: str | None, needs: list[str], *, has_needs: bool) -> tuple[str, list[str]]:
    """With which step's files a step goes on, and which others it comes after."""
    if has_needs or chain.by_dependencies:
        return (needs[-1] if needs else CODE), needs[:-1]
    before = chain.last
    if group is not None and group in chain.groups:
        before = [step for step in before if step not in chain.groups[group]]
    return (before[-1] if before else CODE), before[:-1]


def _advance(chain: _Chain, group: str | None, name: str) -> None:
    if group is None:
        chain.last = [name]
        return
    if group not in chain.groups:
        chain.groups[group] = list(chain.last)
    chain.last = [step for step in chain.last if step not in chain.groups[group]] + [name]


def _runs_alone(image: str, settings: Node | None, node: MappingNode, fields: Fields, notes: Notes) -> bool:
    """Whether an image without commands runs here. It gets its settings as variables, as in the other system."""
    keys = (
        settings.by_text.keys()
        if isinstance(settings, MappingNode)
        else [key for key in fields.names() if key not in _OF_PLUGINS]
    )
    listed = f" with {', '.join(map(quoted, keys))}" if keys else ""
    if _BUILDS_IMAGES.search(image) or (keys and settings is None):
        why = "plugins do not run here; write what it does as a script, or `build` for an image"
        notes.left_out("plugin", f"{quoted(image)}{listed}: {why}", node)
        return False
    if keys:
        why = "it gets its settings as variables, but not those that the other system sets"
        notes.changed("plugin", f"{quoted(image)}{listed}: {why}", node)
    else:
        notes.kept("image", f"{quoted(image)} runs its own program", node)
    return True


def _settings(node: Node | None, notes: Notes) -> list[Variable]:
    """The settings of a plugin as the variables that it reads."""
    found = []
    for key, value in node if isinstance(node, MappingNode) else ():
        name = variable_name(f"plugin_{key.text}")
        if isinstance(value, MappingNode) and "from_secret" in value.by_text:
            found.append(Variable(name, Outside(name, secret=True), key.place))
        else:
            texts = [each.text for each in flattened(value) if isinstance(each, Scalar)]
            if any(not isinstance(each, Scalar) for each in flattened(value)):
                notes.left_out(f"setting {key.text}", "write its value as JSON in this variable", value)
            else:
                found.append(Variable(name, _ESCAPED.sub("$", ",".join(texts)), key.place))
    return found


def _step_when(fields: Fields, notes: Notes) -> tuple[Condition, Status]:
    nodes = fields.nodes("when")
    statuses = {
        scalar.text for node in nodes if isinstance(node, MappingNode)
        for scalar in flattened(node.by_key.get("status")) if isinstance(scalar, Scalar)
    }  # fmt: skip
    status: Status = "success"
    if "failure" in statuses:
        status = "always" if "success" in statuses else "failure"
    return _whens(nodes, notes), status


def _whens(nodes: Sequence[Node], notes: Notes) -> Condition:
    """Any of several mappings, each of which has conditions that must all hold."""
    if not nodes:
        return ALWAYS
    return any_of(_when(node, notes) for node in nodes)


def _when(node: Node, notes: Notes) -> Condition:
    if not isinstance(node, MappingNode):
        return Matches("event", tuple(_events([node.text], notes, node))) if isinstance(node, Scalar) else ALWAYS
    fields = Fields(node, notes, "when: ")
    fields.take("status")
    parts: list[Condition] = []
    for key, ours in (("branch", "branch"), ("tag", "tag"), ("path", "changed"), ("paths", "changed")):
        parts += [Matches(ours, patterns) for patterns in [_patterns(fields.take(key), notes)] if patterns]
    parts += _ref(_patterns(fields.take("ref"), notes))
    events, written = [], fields.take("event")
    for pattern in _patterns(written, notes):
        events += [pattern] if pattern.startswith("!") else _events([pattern], notes, node)
    if events:
        excluded = {event.removeprefix("!") for event in events if event.startswith("!")}
        chosen = [event for event in events if not event.startswith("!") and event != "**"]
        chosen = chosen or [event for event in dict.fromkeys(_EVENTS.values()) if event not in excluded]
        parts.append(Matches("event", tuple(dict.fromkeys(chosen))))
    elif written is not None:
        parts.append(NEVER)
    for key in ("evaluate", "matrix", "instance", "repo", "environment", "target", "action", "cron"):
        if key in fields:
            parts += [] if key in {"repo", "cron"} else [Unknown(f"{key}")]
            notes.left_out(f"when: {key}", "there is no such condition", fields.take(key) or node)
    fields.leave_rest({})
    return all_of(parts)


def _ref(patterns: Sequence[str]) -> list[Condition]:
    found: list[Condition] = []
    for pattern in patterns:
        for start, key in (("refs/heads/", "branch"), ("refs/tags/", "tag")):
            if pattern.startswith(start):
                found.append(Matches(key, (pattern.removeprefix(start),)))
    return [any_of(found)] if found else []


def _events(names: Sequence[str], notes: Notes, node: Node) -> list[str]:
    found = []
    for name in names:
        event = _EVENTS.get(name)
        if event is None:
            notes.left_out(f"event {name}", "no run begins in this way here", node)
        else:
            found.append(event)
    return found


def _patterns(node: Node | None, notes: Notes) -> tuple[str, ...]:
    """Globs: a text, a list, or `{include: …, exclude: …}`."""
    if isinstance(node, MappingNode):
        fields = Fields(node, notes, "when: ")
        include, exclude = fields.texts("include"), fields.texts("exclude")
        fields.leave_rest({}, frozenset({"ignore_message", "on_empty"}))
        if not include and not exclude:
            return ()
        return (*(include or ["**"]), *(f"!{pattern}" for pattern in exclude))
    return tuple(each.text for each in flattened(node) if isinstance(each, Scalar) and each.text)


def _branches(fields: Fields, notes: Notes) -> list[Condition]:
    patterns = _patterns(fields.take("branches"), notes)
    return [Matches("branch", patterns)] if patterns else []


def _variables(node: Node | None, notes: Notes) -> list[Variable]:
    """`environment`: a mapping, or a list of `NAME=text`."""
    found: list[Variable] = []
    for each in flattened(node):
        if isinstance(each, Scalar):
            name, _, text = each.text.partition("=")
            found.append(Variable(name, _ESCAPED.sub("$", text), each.place))
        elif isinstance(each, MappingNode):
            for key, value in each:
                secret = value.by_key.get("from_secret") if isinstance(value, MappingNode) else None
                if isinstance(value, Scalar):
                    found.append(Variable(key.text, _ESCAPED.sub("$", value.text), key.place))
                elif isinstance(secret, Scalar):
                    found.append(_secret(key.text, secret, notes))
                else:
                    notes.left_out(f"variable {key.text}", "its value should be a string", value)
    return found


def _secret(name: str, secret: Scalar, notes: Notes) -> Variable:
    source = re.sub(r"\W", "_", secret.text, flags=re.ASCII)
    if source != secret.text or source[:1].isdigit():
        source = name
    notes.kept(f"secret {secret.text}", f"from outside, as `{source.upper()}`", secret)
    return Variable(name, Outside(source, secret=True), secret.place)


def _secrets(fields: Fields, notes: Notes) -> list[Variable]:
    """The old key `secrets`: names, or `{source, target}`."""
    found = []
    for node in fields.nodes("secrets"):
        source = node.by_key.get("source") if isinstance(node, MappingNode) else node
        target = node.by_key.get("target") if isinstance(node, MappingNode) else None
        if isinstance(source, Scalar):
            name = target.text if isinstance(target, Scalar) else source.text
            found.append(_secret(name.upper(), source, notes))
    return found


def _services(fields: Fields, notes: Notes) -> list[Service]:
    found = []
    for name, node in _named(fields.nodes("services"), "service"):
        if not isinstance(node, MappingNode):
            notes.left_out(f"service {name}", "it should be a mapping", node)
            continue
        service = Fields(node, notes, f"service {name}: ")
        image = service.text("image")
        service.take("name")
        script = joined(service.texts("commands")) or None
        variables = tuple(_variables(service.take("environment"), notes))
        service.leave_rest(_OF_STEPS, _SILENT | {"ports", "when", "secrets"})
        if image is not None:
            found.append(Service(service_name(name), image, variables, script))
    return found


def _matrix(fields: Fields, notes: Notes) -> Matrix | None:
    node = fields.take("matrix")
    if node is None:
        return None
    if not isinstance(node, MappingNode):
        notes.left_out("matrix", "it should be a mapping", node)
        return None
    axes: dict[str, tuple[str, ...]] = {}
    include: list[dict[str, str]] = []
    for key, value in node:
        if key.text == "include":
            rows = [row for row in flattened(value) if isinstance(row, MappingNode)]
            include += [{name.text: each.text for name, each in row if isinstance(each, Scalar)} for row in rows]
        else:
            axes[key.text] = tuple(each.text for each in flattened(value) if isinstance(each, Scalar))
    return Matrix({axis: values for axis, values in axes.items() if values}, tuple(row for row in include if row))
