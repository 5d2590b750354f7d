"""The jobs of a CircleCI file, as its workflows use them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dockercise_prefect.frontend.nodes import Mapping as MappingNode
from dockercise_prefect.frontend.nodes import Node, Scalar
from dockercise_prefect.importing.assembling import folder_of
from dockercise_prefect.importing.circleci.filters import condition_of
from dockercise_prefect.importing.circleci.parameters import defaults_of, substituted
from dockercise_prefect.importing.circleci.steps import StepReader, Steps
from dockercise_prefect.importing.conditions import ALWAYS, Condition, Matches, all_of, parts_of
from dockercise_prefect.importing.fields import Budget, Fields, flattened
from dockercise_prefect.importing.images import GENERAL
from dockercise_prefect.importing.model import CODE, Job, Matrix, Service, Status, Variable, Workflow
from dockercise_prefect.importing.names import variable_name
from dockercise_prefect.importing.notes import Notes, quoted
from dockercise_prefect.importing.scripts import joined, shell_of
from dockercise_prefect.importing.services import service_name

_REASONS = {
    "parallelism": "the script is not split over several containers",
    "resource_class": "write `cpus` and `memory` if the stage needs a limit",
    "shell": "write `shell` in the stage",
    "circleci_ip_ranges": "addresses are those of the engine's machine",
}
_OF_SERVICES = {"command": "a service runs the image's own program, or a script in `run`"}
_IN_WORKFLOW = frozenset({"requires", "filters", "context", "matrix", "type", "name", "pre-steps", "post-steps"})
_OF_FILES = {"orbs": "what orbs do has to be written as scripts", "setup": "no pipeline is made during the run"}
_OUTSIDE = ".workspace"


@dataclass(slots=True)
class _File:
    """What the jobs of a file use."""

    jobs: Mapping[str, Node]
    executors: Mapping[str, Node]
    commands: Mapping[str, Node]
    budget: Budget


@dataclass(slots=True)
class _Read:
    """A job, and what other jobs need to know about it."""

    job: Job
    steps: Steps
    home: str
    requires: list[str] = field(default_factory=list)
    asks: bool = False
    further: list[Job] = field(default_factory=list)
    defined: str = ""


def read_circleci(documents: Sequence[MappingNode], notes: Notes, budget: Budget) -> Workflow:
    """The jobs of all workflows, each with its parameters; without workflows, the job `build`."""
    if not documents:
        return Workflow(jobs=())
    raw = Fields(documents[0], notes)
    root = substituted(documents[0], defaults_of(raw.take("parameters")), "pipeline.parameters", budget)
    fields = Fields(root, notes)
    for key in ("version", "parameters", "references", "aliases", "description", "defaults"):
        fields.take(key)
    parts = {key: (node.by_key if (node := fields.mapping(key)) else {}) for key in ("jobs", "executors", "commands")}
    file = _File(parts["jobs"], parts["executors"], parts["commands"], budget)
    found: dict[str, _Read] = {}
    for name, entry, condition in _entries(fields, file.jobs, notes):
        full = _free(name, found)
        found[full] = _job(full, entry, condition, file, notes.of_job(full))
    fields.leave_rest(_OF_FILES)
    used = {read.defined for read in found.values()}
    for name, unused in file.jobs.items():
        if name not in used:
            notes.of_job(name).left_out("job", "no workflow uses it", unused)
    jobs = [job for read in found.values() for job in (_linked(read, found, notes.of_job(read.job.name)), *read.further)]
    return Workflow(jobs=tuple(jobs))


def _free(name: str, taken: Mapping[str, object]) -> str:
    number, free = 2, name
    while free in taken:
        number, free = number + 1, f"{name}-{number}"
    return free


def _entries(fields: Fields, jobs: Mapping[str, Node], notes: Notes) -> Iterator[tuple[str, Node, Condition]]:
    """The jobs of the workflows: name, what the workflow says about it, and the condition of the workflow."""
    workflows = fields.mapping("workflows")
    if workflows is None:
        yield from ((name, node, ALWAYS) for name, node in jobs.items() if name == "build" or len(jobs) == 1)
        return
    for key, value in workflows:
        if isinstance(value, MappingNode):
            workflow = Fields(value, notes, f"workflow {key.text}: ")
            condition = _workflow_condition(workflow, value, notes)
            for node in workflow.nodes("jobs"):
                yield from ((*_entry(node, name), condition) for name in _job_names(node))
            workflow.leave_rest({}, frozenset({"version", "max_auto_reruns"}))


def _workflow_condition(workflow: Fields, node: Node, notes: Notes) -> Condition:
    condition: Condition = ALWAYS
    for trigger in workflow.mappings("triggers"):
        if "schedule" in trigger.by_text:
            notes.changed("schedule", "register the repository with `--cron` for it", trigger)
            condition = Matches("event", ("schedule",))
    for word in ("when", "unless"):
        if word in workflow:
            notes.changed(f"workflow: {word}", "its jobs run without this condition", workflow.take(word) or node)
    return condition


def _job_names(node: Node) -> list[Scalar]:
    if isinstance(node, Scalar):
        return [node]
    return [name for name, _ in node] if isinstance(node, MappingNode) else []


def _entry(node: Node, name: Scalar) -> tuple[str, Node]:
    """The name of a job in a workflow, and what the workflow says about it."""
    said = node.by_key[name.text] if isinstance(node, MappingNode) else node
    alias = said.by_key.get("name") if isinstance(said, MappingNode) else None
    chosen = alias.text if isinstance(alias, Scalar) and "<<" not in alias.text else name.text
    return chosen, _named(said, name) if isinstance(node, MappingNode) else node


def _named(entry: Node, name: Scalar) -> Node:
    """The entry of a workflow with the name of its job, under a key that no parameter can have."""
    entries = dict(entry.by_text) if isinstance(entry, MappingNode) else {}
    return MappingNode(name.path, name.mark, {**entries, "\0job": (name, name)})


def _job(name: str, entry: Node, condition: Condition, file: _File, notes: Notes) -> _Read:
    said = Fields(entry if isinstance(entry, MappingNode) and "\0job" in entry.by_text else None, notes)
    wanted = said.text("\0job") or name
    condition = all_of([condition, condition_of(said.mapping("filters"), notes)])
    requires = [text for node in said.nodes("requires") for text in _required(node)]
    at = said.node or entry
    empty = Job(name=name, place=at.place, condition=condition, runs=False)
    if said.text("type") == "approval":
        return _Read(empty, Steps(), "", requires, asks=True)
    matrix, axes = _matrix(said.mapping("matrix"), notes)
    node = file.jobs.get(wanted)
    if not isinstance(node, MappingNode):
        notes.left_out("job", "an orb defines it: write what it does as a script" if "/" in wanted else "it is not defined", at)
        return _Read(empty, Steps(), "", requires)
    given = said.node.by_key if isinstance(said.node, MappingNode) else {}
    values = {**defaults_of(node.by_key.get("parameters")), **{k: v for k, v in given.items() if k not in _IN_WORKFLOW}, **axes}
    body = Fields(substituted(node, values, "parameters", file.budget), notes)
    for context in said.texts("context"):
        notes.kept(f"context {context}", "its variables come from outside", at)
    steps = [*said.nodes("pre-steps"), *body.nodes("steps"), *said.nodes("post-steps")]
    read = _read_job(name, body, steps, file, notes)
    read.job = replace(read.job, condition=condition, matrix=matrix)
    read.further = [replace(job, condition=condition) for job in read.further]
    read.requires, read.defined = requires, wanted
    return read


def _required(node: Node) -> list[str]:
    if isinstance(node, Scalar):
        return [node.text]
    return list(node.by_text) if isinstance(node, MappingNode) else []


def _matrix(node: MappingNode | None, notes: Notes) -> tuple[Matrix | None, dict[str, Node]]:
    fields = Fields(node, notes, "matrix: ")
    axes: dict[str, tuple[str, ...]] = {}
    names: dict[str, str] = {}
    for key, value in fields.mapping("parameters") or ():
        values = tuple(each.text for each in flattened(value) if isinstance(each, Scalar))
        if values:
            names[key.text] = variable_name(key.text)
            axes[names[key.text]] = values
    excluded = [
        {names.get(key.text, key.text): each.text for key, each in row if isinstance(each, Scalar)}
        for row in fields.mappings("exclude")
    ]
    fields.leave_rest({}, frozenset({"alias"}))
    if not axes or node is None:
        return None, {}
    variables: dict[str, Node] = {name: Scalar(node.path, node.mark, f"${{{variable}}}") for name, variable in names.items()}
    return Matrix(axes, exclude=tuple(row for row in excluded if row)), variables


def _read_job(name: str, body: Fields, nodes: list[Node], file: _File, notes: Notes) -> _Read:
    node = body.node
    assert node is not None  # noqa: S101  a job is a mapping
    executor = _executor(body, file, notes)
    reader = StepReader(file.commands, notes, file.budget)
    reader.read(nodes)
    steps = reader.found
    home = body.text("working_directory") or executor.text("working_directory") or "~/project"
    env = [*_variables(executor, notes), *_variables(body, notes), *steps.env]
    image, services = _containers(body, executor, notes)
    script = joined(steps.parts.get("success", []))
    runs = bool(script) and image is not None
    shell, beginning = shell_of(image or "", script)
    copies = [
        f'mkdir -p "$OUT/{_OUTSIDE}" && cp -R {root}/. "$OUT/{_OUTSIDE}/"'
        for root, _ in steps.persisted
        if _inside(root, home) is None
    ]
    empty_folder = "" if steps.checks_out or steps.attached else 'cd "$OUT"'
    if "BASH_ENV" in script:
        beginning = joined([beginning, 'export BASH_ENV="${BASH_ENV:-$(mktemp)}"'])
    job = Job(
        name=name, place=node.place, image=image, script=joined([beginning, empty_folder, script, *copies]), shell=shell,
        env=tuple(env), start=CODE if steps.checks_out or steps.attached else None, services=tuple(services),
        reports=tuple(steps.reports), runs=runs,
    )  # fmt: skip
    for key in ("docker", "machine", "macos", "executor", "parameters", "description"):
        body.take(key)
    body.leave_rest(_REASONS)
    if not script:
        notes.left_out("job", "it has no commands of its own", node)
    return _Read(job, steps, home, further=list(_follow_ups(job, steps)) if runs else [])


def _follow_ups(job: Job, steps: Steps) -> Iterator[Job]:
    statuses: tuple[Status, ...] = ("failure", "always")
    for status in statuses:
        script = joined(steps.parts.get(status, []))
        if script:
            yield replace(
                job,
                name=f"{job.name}-{status}",
                script=script,
                start=job.name,
                status=status,
                services=(),
                reports=(),
                prelude="",
            )


def _executor(body: Fields, file: _File, notes: Notes) -> Fields:
    node = body.take("executor")
    name = node.text if isinstance(node, Scalar) else Fields(node, notes).text("name")
    executor = file.executors.get(name or "")
    if executor is None:
        if name is not None and node is not None:
            notes.left_out("executor", f"{quoted(name)} is not in this file", node)
        return Fields(None, notes)
    given = node.by_key if isinstance(node, MappingNode) else {}
    parameters = executor.by_key.get("parameters") if isinstance(executor, MappingNode) else None
    return Fields(substituted(executor, {**defaults_of(parameters), **given}, "parameters", file.budget), notes)


def _containers(body: Fields, executor: Fields, notes: Notes) -> tuple[str | None, list[Service]]:
    at = body.node
    nodes = body.nodes("docker") or executor.nodes("docker")
    containers = [Fields(node, notes, "docker: ") for node in nodes if isinstance(node, MappingNode)]
    images = [(container, image) for container in containers if (image := container.text("image"))]
    if images:
        services = []
        for container, image in images[1:]:
            name = service_name(container.text("name") or image)
            services.append(Service(name, image, tuple(_variables(container, notes)), at_localhost=True))
            container.leave_rest(
                {"command": "a service runs the image's own program, or a script in `run`"}, frozenset({"auth"})
            )
        return images[0][1], services
    if "macos" in body or "macos" in executor:
        notes.left_out(
            "job", "it needs macOS, and every stage runs in a container of Linux", at or body.node or body.nodes("macos")[0]
        )
        return None, []
    if at is not None:
        notes.changed("image", f"it runs on a machine, so `{GENERAL}` is a guess: write an image that has its programs", at)
    return GENERAL, []


def _variables(fields: Fields, notes: Notes) -> list[Variable]:
    found = []
    nodes = fields.nodes("environment")
    for key, value in (pair for node in nodes if isinstance(node, MappingNode) for pair in node):
        if isinstance(value, Scalar):
            found.append(Variable(key.text, value.text, key.place))
        else:
            notes.left_out(f"variable {key.text}", "its value should be a string", value)
    return found


def _inside(path: str, home: str) -> str | None:
    """A folder relative to the job's; None if it is elsewhere."""
    plain, base = path.rstrip("/"), home.rstrip("/")
    if plain in {base, ".", "~/project", "./", ""}:
        return "."
    if plain.startswith(f"{base}/"):
        return plain.removeprefix(f"{base}/")
    return None if plain.startswith(("/", "~", "$")) else plain.removeprefix("./")


def _linked(read: _Read, found: Mapping[str, _Read], notes: Notes) -> Job:
    job = replace(read.job, after=tuple(read.requires))
    asking = [name for name in read.requires if name in found and found[name].asks]
    if asking:
        job = replace(job, approval=f"Go on after {asking[0]}?")
    if read.steps.attached is None:
        return job
    producers = list(_producers(read, found))
    sure = [name for name in producers if parts_of(found[name].job.condition) <= parts_of(job.condition)]
    for name in producers:
        if name not in sure:
            notes.left_out(
                "attach_workspace", f"the files of {quoted(name)}, which does not always run, are not here", job.place
            )
    at = _inside(read.steps.attached, read.home)
    plain = len(sure) == 1 and at is not None
    if (
        plain
        and not read.steps.checks_out
        and all(_inside(root, found[sure[0]].home) == at for root, _ in found[sure[0]].steps.persisted)
    ):
        notes.changed("attach_workspace", f"it goes on with all files of {quoted(sure[0])}", job.place)
        return replace(job, start=sure[0])
    target = at if at is not None else read.steps.attached
    lines = [f"mkdir -p {target}"] if target != "." else []
    for name in sure:
        for root, paths in found[name].steps.persisted:
            lines += _copies(name, _inside(root, found[name].home), paths, target)
    return replace(job, files=tuple(sure), prelude=joined(lines))


def _copies(name: str, root: str | None, paths: Sequence[str], target: str) -> Iterator[str]:
    if root is None:
        yield f"cp -R {folder_of(name)}/{_OUTSIDE}/. {target}/"
        return
    folder = folder_of(name) if root == "." else f"{folder_of(name)}/{root}"
    plain = [path for path in paths if re.fullmatch(r"[\w./*?@+=,-]+", path)]
    yield f"(cd {folder} && tar -cf - {' '.join(plain or ['.'])}) | (cd {target} && tar -xf -)"


def _producers(read: _Read, found: Mapping[str, _Read]) -> Iterator[str]:
    """The jobs before this one that leave files for others."""
    waiting, seen = list(read.requires), {read.job.name}
    while waiting:
        name = waiting.pop(0)
        if name in seen or name not in found:
            continue
        seen.add(name)
        if found[name].steps.persisted and found[name].job.runs:
            yield name
        waiting += found[name].requires
