"""The jobs of a GitLab file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, product

from dockercise_prefect.frontend.nodes import Mapping as MappingNode
from dockercise_prefect.frontend.nodes import Node, Scalar
from dockercise_prefect.importing.assembling import folder_of
from dockercise_prefect.importing.conditions import Condition, all_of, parts_of
from dockercise_prefect.importing.fields import Budget, Fields, flattened
from dockercise_prefect.importing.gitlab.merging import OF_DEFAULT, Merger
from dockercise_prefect.importing.gitlab.rules import Decision, decision_of, workflow_condition
from dockercise_prefect.importing.images import guessed_image
from dockercise_prefect.importing.model import CODE, Job, Matrix, Service, Variable, Workflow
from dockercise_prefect.importing.notes import Notes, quoted
from dockercise_prefect.importing.scripts import joined, shell_of
from dockercise_prefect.importing.services import service_name
from dockercise_prefect.importing.times import duration

_OF_FILE = frozenset({"default", "include", "stages", "variables", "workflow", "spec", "types", *OF_DEFAULT})
_STAGES = ("build", "test", "deploy")
_MOST_COMBINATIONS = 256
_POWERSHELL = re.compile(r"\$env:\w|\bchoco install\b|\bWrite-(?:Host|Output)\b")
_OF_GIT = re.compile(r"GIT_(?:STRATEGY|DEPTH|CHECKOUT|CLEAN_FLAGS|FETCH_EXTRA_FLAGS|SUBMODULE_\w+)\Z")
"""Variables that say how GitLab makes the checkout."""

_REASONS = {
    "cache": "write `vol: name:/path` for a folder that is kept on the engine, or `cache: true` for a stage that is reused",
    "tags": "where stages run is said when the repository is registered",
    "environment": "nothing records deployments",
    "coverage": "nothing reads it from the output",
    "release": "write the commands of the release in the script",
    "pages": "write the commands that publish the site",
    "trigger": "other pipelines are not started; write the call of their API in a script",
    "secrets": "`env: NAME` takes a secret from outside",
    "id_tokens": "no tokens of an identity provider are made",
    "hooks": "write the commands in the script",
    "dast_configuration": "scanners do not run here",
}
_SILENT = frozenset({"stage", "interruptible", "inherit", "extends", "allow_failure", "description", "type"})
_OF_FILES = {
    "include": "what other files define is not here: import them too, and copy what is needed",
    "spec": "give the inputs as variables from outside",
}


@dataclass(slots=True)
class _Read:
    """A job, and what other jobs need to know about it."""

    job: Job
    stage: str
    decision: Decision
    fields: Fields
    artifacts: tuple[str, ...] = ()
    needs: list[tuple[str, bool]] | None = None
    own_files: list[str] | None = None
    further: list[Job] = field(default_factory=list)


def read_gitlab(documents: Sequence[MappingNode], notes: Notes, budget: Budget) -> Workflow:
    """The jobs of a file; the header with its inputs is not a part of it."""
    roots = [document for document in documents if "spec" not in document.by_text] or list(documents)
    if not roots:
        return Workflow(jobs=())
    root = roots[-1]
    file = Fields(root, notes)
    condition = _workflow(file, notes)
    shared = _variables(file.take("variables"), notes)
    for each in shared:
        if each.name == "GIT_SUBMODULE_STRATEGY":
            notes.changed(each.name, "submodules are plain files in the code", each.place)
    stages = [".pre", *(file.texts("stages") or file.texts("types") or _STAGES), ".post"]
    merger = Merger(root, notes, budget)
    found: dict[str, _Read] = {}
    for name, (_, node) in root.by_text.items():
        if name in _OF_FILE or name.startswith("."):
            continue
        scope = notes.of_job(name)
        merged = merger.job(name)
        if merged is None:
            scope.left_out("job", "it should be a mapping", node)
            continue
        found[name] = _job(name, Fields(merged, scope), condition, shared, budget)
    _leave(root, notes)
    jobs = [job for read in found.values() for job in (_linked(read, found, stages, notes), *read.further)]
    return Workflow(jobs=tuple(jobs))


def _leave(root: MappingNode, notes: Notes) -> None:
    for key in ("include", "spec"):
        node = root.by_key.get(key)
        if node is not None:
            notes.left_out(key, _OF_FILES[key], node)


def _workflow(file: Fields, notes: Notes) -> Condition:
    workflow = Fields(file.mapping("workflow"), notes, "workflow: ")
    condition = workflow_condition(workflow.nodes("rules"), notes)
    workflow.leave_rest({"auto_cancel": "`meta: {concurrency: {overlap: cancel}}` ends older runs"}, frozenset({"name"}))
    return condition


def _job(name: str, fields: Fields, condition: Condition, shared: Sequence[Variable], budget: Budget) -> _Read:
    node, notes = fields.node, fields.notes
    assert node is not None  # noqa: S101  a merged job is a mapping
    decision = decision_of(fields, notes)
    script = joined([*fields.texts("before_script"), *fields.texts("script")])
    afterwards = joined(fields.texts("after_script"))
    runs = bool(script) and _POWERSHELL.search(script) is None
    budget.spend(len(script) + len(afterwards) + 1, node)
    inherit = Fields(fields.mapping("inherit"), notes)
    own = _variables(fields.take("variables"), notes)
    strategy = next((each.value for each in reversed([*shared, *own]) if each.name == "GIT_STRATEGY"), "")
    inherited = shared if inherit.text("variables") != "false" else ()
    env = tuple(each for each in (*inherited, *own) if not _OF_GIT.match(each.name))
    image = _image(fields, script, notes)
    shell, beginning = shell_of(image, script)
    services = tuple(_services(fields, notes))
    exit_codes = fields.take("allow_failure")
    if isinstance(exit_codes, MappingNode):
        notes.changed("allow_failure", "any exit code is tolerated, not only these", exit_codes)
    job = Job(
        name=name, place=node.place, image=image, script=joined([beginning, script]), shell=shell, env=env,
        start=None if strategy == "none" else CODE, condition=all_of([condition, decision.condition]), status=decision.status,
        services=services, matrix=_matrix(fields, notes), retries=_retries(fields), timeout=_timeout(fields, notes),
        tolerated=isinstance(exit_codes, MappingNode) or fields.is_true("allow_failure") or decision.tolerated,
        approval=f"Run {name}?" if decision.manual else None, group=fields.text("resource_group"), runs=runs,
    )  # fmt: skip
    artifacts, reports = _artifacts(fields, notes)
    if not script and "trigger" not in fields:
        notes.left_out("job", "it has no script", node)
    read = _Read(replace(job, reports=reports), fields.text("stage") or "test", decision, fields, artifacts)
    read.needs = _needs(fields, notes)
    read.own_files = fields.texts("dependencies") if "dependencies" in fields or _is_empty(fields, "dependencies") else None
    if script and not runs:
        notes.left_out("job", "its script is one of PowerShell, and every stage runs in a container of Linux", node)
    elif afterwards and runs:
        shell, beginning = shell_of(image, afterwards)
        read.further.append(
            replace(
                job, name=f"{name}-after", script=joined([beginning, afterwards]), shell=shell, start=name, status="always",
                reports=(), services=(), retries=0, approval=None, tolerated=True,
            )
        )  # fmt: skip
        notes.changed("after_script", f"it is the stage `{name}-after`, which goes on with the files", node)
    fields.leave_rest(_REASONS, _SILENT)
    return read


def _is_empty(fields: Fields, key: str) -> bool:
    return key in fields.names()


def _image(fields: Fields, script: str, notes: Notes) -> str:
    node = fields.take("image")
    if isinstance(node, MappingNode):
        image = Fields(node, notes, "image: ")
        name = image.text("name")
        image.leave_rest(
            {"docker": "write `platform` and `user`", "pull_policy": "write `pull: always`"}, frozenset({"entrypoint"})
        )
        if name:
            return name
    elif isinstance(node, Scalar) and node.text:
        return node.text
    guess = guessed_image(script)
    at = fields.node
    if at is not None and script:
        notes.changed("image", f"there is none, so `{guess}` is a guess: write the one of your runner", at)
    return guess


def _services(fields: Fields, notes: Notes) -> list[Service]:
    found = []
    for node in fields.nodes("services"):
        service = Fields(node if isinstance(node, MappingNode) else None, notes, "services: ")
        image = node.text if isinstance(node, Scalar) else service.text("name")
        if image is None:
            continue
        aliases = (service.text("alias") or "").replace(",", " ").split()
        env = tuple(_variables(service.take("variables"), notes))
        command = {"command": "a service runs the image's own program, or a script in `run`"}
        service.leave_rest(command, frozenset({"pull_policy", "docker"}))
        if re.search(r"(?:^|/)docker:[^/]*dind|dind$", image):
            notes.left_out("service docker", "no container is privileged here; images are built with `build`", node)
        else:
            found.append(Service(service_name((aliases or [image])[0]), image, env))
    return found


def _variables(node: Node | None, notes: Notes) -> list[Variable]:
    found = []
    for key, value in node if isinstance(node, MappingNode) else ():
        given = value.by_key.get("value") if isinstance(value, MappingNode) else value
        if isinstance(value, MappingNode) and {"description", "options"} & value.by_text.keys():
            notes.changed(
                f"variable {key.text}", "it has its default; another value is given with `--env` only if you remove it", key
            )
        if isinstance(given, Scalar):
            found.append(Variable(key.text, given.text, key.place))
        elif given is not None:
            notes.left_out(f"variable {key.text}", "its value should be a string", key)
    return found


def _artifacts(fields: Fields, notes: Notes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    artifacts = Fields(fields.mapping("artifacts"), notes, "artifacts: ")
    paths = artifacts.texts("paths")
    if artifacts.is_true("untracked"):
        paths.append(".")
    reports = Fields(artifacts.mapping("reports"), notes, "artifacts: reports: ")
    junit = reports.texts("junit")
    reports.leave_rest(
        {"dotenv": "what a stage prints is its value, `$STAGE` in other stages"}, frozenset({"coverage_report", "cobertura"})
    )
    when = artifacts.text("when")
    artifacts.leave_rest({}, frozenset({"expire_in", "name", "exclude", "expose_as", "public", "access"}))
    if paths and fields.node is not None and when != "on_failure":
        at = artifacts.node or fields.node
        notes.kept("artifacts", "all files that the stage leaves are kept, and other stages can use them", at)
    return (() if when == "on_failure" else tuple(path.lstrip("/") for path in paths)), tuple(junit)


def _needs(fields: Fields, notes: Notes) -> list[tuple[str, bool]] | None:
    """The jobs in `needs`, each with whether its artifacts are wanted; None if the order of stages counts."""
    if "needs" not in fields.names():
        return None
    found: list[tuple[str, bool]] = []
    for node in fields.nodes("needs"):
        need = Fields(node if isinstance(node, MappingNode) else None, notes, "needs: ")
        name = node.text if isinstance(node, Scalar) else need.text("job")
        if name is None or {"pipeline", "project"} & set(need.names()):
            notes.left_out("needs", "jobs of other pipelines are not known here", node)
        else:
            found.append((name, (need.text("artifacts") or "true") != "false"))
    return found


def _linked(read: _Read, all_jobs: Mapping[str, _Read], stages: Sequence[str], notes: Notes) -> Job:
    """The job with what it comes after, and with the files of others."""
    scope = notes.of_job(read.job.name)
    if read.needs is not None:
        after = [name for name, _ in read.needs]
        files = [name for name, wanted in read.needs if wanted]
    else:
        earlier = _earlier(read, all_jobs, stages)
        after = _nearest(earlier, stages)
        files = [each.job.name for each in earlier]
    if read.own_files is not None:
        files = [name for name in files if name in read.own_files]
    producers = [all_jobs[name] for name in files if name in all_jobs and all_jobs[name].artifacts and all_jobs[name].job.runs]
    sure = [each for each in producers if _is_sure(each.job, read.job)]
    for each in producers:
        if each not in sure and read.needs is not None:
            scope.left_out(
                "artifacts", f"those of {quoted(each.job.name)}, which does not always run, are not here", read.job.place
            )
    job = replace(read.job, after=tuple(after))
    if not sure or job.start is None:
        return job
    if len(sure) == 1:
        scope.changed(
            "artifacts", f"it goes on with all files of {quoted(sure[0].job.name)}, not only with its artifacts", job.place
        )
        return replace(job, start=sure[0].job.name)
    lines = [
        f"(cd {folder_of(each.job.name)} && tar -cf - {' '.join(map(_word, each.artifacts))}) | tar -xf -" for each in sure
    ]
    return replace(job, files=tuple(each.job.name for each in sure), prelude=joined(lines))


def _word(path: str) -> str:
    return path if re.fullmatch(r"[\w./*?@+=:,-]+", path) else f"'{path}'" if "'" not in path else "."


def _is_sure(producer: Job, job: Job) -> bool:
    return (
        producer.status == "success" and producer.approval is None and parts_of(producer.condition) <= parts_of(job.condition)
    )


def _earlier(read: _Read, all_jobs: Mapping[str, _Read], stages: Sequence[str]) -> list[_Read]:
    """The jobs of earlier stages that a job waits for."""
    position = _position(read, stages)
    return [
        each
        for each in all_jobs.values()
        if _position(each, stages) < position and (each.decision.blocks or not each.decision.manual)
    ]


def _nearest(earlier: Iterable[_Read], stages: Sequence[str]) -> list[str]:
    """Those of the last stage that has jobs: they come after all others. Jobs with their own `needs` may not."""
    found = list(earlier)
    last = max((_position(each, stages) for each in found), default=-1)
    return [each.job.name for each in found if _position(each, stages) == last or each.needs is not None]


def _position(read: _Read, stages: Sequence[str]) -> int:
    return list(stages).index(read.stage) if read.stage in stages else len(stages)


def _retries(fields: Fields) -> int:
    node = fields.take("retry")
    number = node.by_key.get("max") if isinstance(node, MappingNode) else node
    return int(number.text) if isinstance(number, Scalar) and number.text in {"1", "2"} else 0


def _timeout(fields: Fields, notes: Notes) -> str | None:
    text = fields.text("timeout")
    found = duration(text) if text else None
    if text and found is None and fields.node is not None:
        notes.left_out("timeout", f"{quoted(text)} is not a duration that can be written here", fields.node)
    return found


def _matrix(fields: Fields, notes: Notes) -> Matrix | None:
    node = fields.take("parallel")
    if node is None:
        return None
    rows = (
        [row for row in flattened(node.by_key.get("matrix")) if isinstance(row, MappingNode)]
        if isinstance(node, MappingNode)
        else []
    )
    axes = [
        {key.text: tuple(each.text for each in flattened(value) if isinstance(each, Scalar)) for key, value in row}
        for row in rows
    ]
    axes = [row for row in axes if row and all(row.values())]
    if not axes:
        notes.left_out("parallel", "the script is not run several times; write a matrix", node)
        return None
    if len(axes) == 1:
        return Matrix(axes[0])
    combinations = (dict(zip(row, values, strict=True)) for row in axes for values in product(*row.values()))
    return Matrix({}, tuple(islice(combinations, _MOST_COMBINATIONS)))
