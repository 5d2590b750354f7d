"""The jobs of a workflow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dockercise_prefect.frontend.nodes import Mapping as MappingNode
from dockercise_prefect.frontend.nodes import Node, Scalar
from dockercise_prefect.importing.conditions import ALWAYS, Condition, Matches, all_of
from dockercise_prefect.importing.fields import Budget, Fields, flattened
from dockercise_prefect.importing.github.conditions import read_if
from dockercise_prefect.importing.github.matrix import read_matrix
from dockercise_prefect.importing.github.steps import StepReader, Steps, output_of
from dockercise_prefect.importing.github.texts import Texts
from dockercise_prefect.importing.images import GENERAL, guessed_image
from dockercise_prefect.importing.model import CODE, Job, Service, Status, Variable, Workflow
from dockercise_prefect.importing.notes import Notes, quoted
from dockercise_prefect.importing.scripts import joined, may_lack_bash
from dockercise_prefect.importing.services import service_name
from dockercise_prefect.importing.times import minutes

_ELSEWHERE = ("windows", "macos")
_REASONS = {
    "environment": "nothing records deployments, and nobody is asked; give its secrets from outside",
    "concurrency": "a limit for whole runs is `meta: {concurrency: {group, overlap}}`",
    "permissions": "there is no token of the system: give one from outside, as a secret",
    "snapshot": "there is no such key here",
}
_SUDO = 'command -v sudo >/dev/null || sudo() { "$@"; }'
"""Machines of GitHub have sudo. Images that take their place run as root, and most have no sudo."""

_SILENT = frozenset({"name", "permissions", "run-name", "outputs", "snapshot"})


def read_github(documents: Sequence[MappingNode], notes: Notes, budget: Budget) -> Workflow:
    """The jobs of a workflow."""
    if not documents:
        return Workflow(jobs=())
    fields = Fields(documents[0], notes)
    condition = _triggers(fields, notes)
    env = fields.mapping("env")
    defaults = _Defaults(fields, None, None, notes)
    title = fields.text("name") or "workflow"
    uploads: dict[str, tuple[str, str]] = {}
    jobs: dict[str, Job] = {}
    depths: list[int] = []
    for key, value in fields.mapping("jobs") or ():
        scope = notes.of_job(key.text)
        if not isinstance(value, MappingNode):
            scope.left_out("job", "it should be a mapping", value)
            continue
        reader = _JobReader(key.text, Fields(value, scope), Texts(scope, workflow=title), budget, uploads)
        job, steps = reader.read(env, defaults)
        above = [jobs[name].condition for name in job.after if name in jobs and job.status == "success"]
        job = replace(job, condition=all_of([condition, job.condition, *above]))
        jobs[job.name] = job
        jobs |= {each.name: each for each in reader.follow_ups(job, steps)}
        depths += [] if steps.depth is None else [steps.depth]
    fields.leave_rest(_REASONS, _SILENT)
    history = None if not depths else 0 if 0 in depths else max(depths)
    return Workflow(jobs=tuple(jobs.values()), history=history if history != 1 else None)


def _triggers(fields: Fields, notes: Notes) -> Condition:
    """What starts the workflow. Which pushes start a run is said at the registration, so only tags are a condition."""
    node = fields.take("on")
    if node is None:
        node = fields.take("true")
    events = Fields(node, notes, "on: ")
    push = Fields(events.mapping("push"), notes, "on: push: ")
    branches, tags = push.texts("branches"), push.texts("tags")
    if node is not None and (branches or tags or "schedule" in events):
        options = [f"--push-branch '{branch}'" for branch in branches] + [f"--push-tag '{tag}'" for tag in tags]
        options += ["--cron '…'"] if "schedule" in events else []
        notes.changed("on", f"say what starts runs when you register the repository: `{' '.join(options)}`", node)
    for each in (push, Fields(events.mapping("pull_request"), notes, "on: pull_request: ")):
        for key in ("paths", "paths-ignore"):
            if key in each and each.node is not None:
                notes.left_out(
                    f"on: {key}", "write `triggers` in the stages: they run if a push changes a matching file", each.node
                )
    only_tags = events.names() == ["push"] and push.names() == ["tags"] and tags
    return Matches("tag", tuple(tags)) if only_tags else ALWAYS


class _Defaults:
    """`defaults: run`: the shell and the folder of scripts."""

    def __init__(self, fields: Fields, folder: str | None, shell: str | None, notes: Notes) -> None:
        run = Fields(Fields(fields.mapping("defaults"), notes).mapping("run"), notes)
        self.folder = run.text("working-directory") or folder
        self.shell = run.text("shell") or shell


class _JobReader:
    """Reads one job."""

    def __init__(self, name: str, fields: Fields, texts: Texts, budget: Budget, uploads: dict[str, tuple[str, str]]) -> None:
        self._name = name
        self._fields = fields
        self._texts = texts
        self._notes = notes = fields.notes
        self._steps = StepReader(texts, notes, budget, uploads, name)

    def read(self, shared: MappingNode | None, defaults: _Defaults) -> tuple[Job, Steps]:
        """The job, and its steps.

        Args:
            shared: the `env` of the workflow.
            defaults: those of the workflow.
        """
        fields, texts = self._fields, self._texts
        node = fields.node
        assert node is not None  # noqa: S101  the caller has checked it
        defaults = _Defaults(fields, defaults.folder, defaults.shell, self._notes)
        runs_on = _labels(fields.take("runs-on"))
        matrix, runs_on = read_matrix(
            Fields(fields.mapping("strategy"), self._notes, "strategy: "), runs_on, texts, self._notes
        )
        when = read_if(fields.text("if"), texts, node)
        env = [*_variables(shared, texts), *_variables(fields.take("env"), texts)]
        self._steps.read(fields.nodes("steps"), defaults.folder, defaults.shell)
        found = self._steps.found
        outputs = self._outputs()
        script = self._steps.outputs(joined(found.parts.get("success", [])))
        runs = bool(script) and self._is_here(runs_on, node)
        image = self._image(runs_on, script, node) if runs else GENERAL
        needs = tuple(fields.texts("needs"))
        prelude = [f'export {variable}="$({output_of(job, name)})"' for (job, name), variable in texts.needs.items()]
        found.files += [other for other, _ in texts.needs]
        prelude += [_SUDO] if "sudo " in script and "container" not in fields else []
        empty_folder = [] if found.checks_out else ['cd "$OUT"']
        tolerated = fields.text("continue-on-error") or ""
        job = Job(
            name=self._name, place=node.place, image=image, prelude=joined([*empty_folder, *prelude]),
            script=joined([script, *outputs]), shell=_shell(image, pipefail=found.pipefail),
            env=(*env, *found.env, *(Variable(name, value, node.place) for name, value in texts.outside.items())), after=needs,
            start=CODE if found.checks_out else None, files=tuple(name for name in dict.fromkeys(found.files) if name in needs),
            condition=when.condition, status=when.status, services=tuple(self._services()), matrix=matrix,
            timeout=minutes(fields.text("timeout-minutes") or ""), tolerated=tolerated.lower() == "true", runs=runs,
        )  # fmt: skip
        if tolerated and tolerated.lower() not in {"true", "false"}:
            self._notes.left_out(
                "continue-on-error", f"{quoted(tolerated)} is not computed here: write `neverFail: true` if it may fail", node
            )
        if not script:
            why = (
                "it uses another workflow: import that too, and copy its stages"
                if "uses" in fields
                else "it has no commands of its own"
            )
            self._notes.left_out("job", why, node)
        for key in ("uses", "with", "secrets"):
            fields.take(key)
        fields.leave_rest(_REASONS, _SILENT)
        return job, found

    def follow_ups(self, job: Job, steps: Steps) -> Iterator[Job]:
        """Steps that run after a failure, or always, as stages of their own."""
        statuses: tuple[Status, ...] = ("failure", "always")
        for status in statuses:
            script = self._steps.outputs(joined(steps.parts.get(status, [])))
            if script and job.runs:
                self._notes.changed("steps", f"those with `{status}()` are the stage `{job.name}-{status}`", job.place)
                after = replace(
                    job, name=f"{job.name}-{status}", script=script, status=status, start=job.name, after=(), files=()
                )
                yield replace(after, prelude="", services=())

    def _is_here(self, runs_on: str, node: Node) -> bool:
        elsewhere = next((system for system in _ELSEWHERE if system in runs_on.lower()), None)
        if elsewhere is not None:
            self._notes.left_out("job", f"it needs {elsewhere}, and every stage runs in a container of Linux", node)
        return elsewhere is None

    def _image(self, runs_on: str, script: str, node: Node) -> str:
        container = self._fields.take("container")
        given = Fields(container, self._notes, "container: ")
        image = container.text if isinstance(container, Scalar) else given.text("image")
        given.take("env")
        given.leave_rest(
            {"options": "write `user`, `memory` and the like", "volumes": "write `vol: name:/path`"}, frozenset({"credentials"})
        )
        if image:
            return self._texts.plain(image, node)
        guess = self._steps.found.image
        why = "it has what the actions set up"
        if guess is None:
            version = runs_on.removeprefix("ubuntu-")
            general = f"buildpack-deps:{version}" if version in {"20.04", "22.04", "24.04"} else GENERAL
            guess, why = guessed_image(script, general), "it is a guess by the commands"
        if script:
            was = quoted(runs_on or "a machine")
            self._notes.changed("runs-on", f"{was} is the image `{guess}`: {why}; other programs must be installed", node)
        return guess

    def _outputs(self) -> list[str]:
        lines = []
        for key, value in self._fields.mapping("outputs") or ():
            if isinstance(value, Scalar):
                text = self._texts.plain(value.text, value)
                lines.append(f'printf \'%s\\n\' "{key.text}={text}" >> "$OUT/.outputs"')
        return lines

    def _services(self) -> Iterator[Service]:
        for key, value in self._fields.mapping("services") or ():
            service = Fields(value, self._notes, f"service {key.text}: ")
            image = value.text if isinstance(value, Scalar) else service.text("image")
            env = tuple(_variables(service.take("env"), self._texts))
            ready = _health(service.text("options") or "")
            service.leave_rest({"volumes": "write `vol` in the service"}, frozenset({"ports", "credentials"}))
            if image:
                at_localhost = "container" not in self._fields
                yield Service(
                    service_name(key.text), self._texts.plain(image, value), env, ready=ready, at_localhost=at_localhost
                )


def _labels(node: Node | None) -> str:
    if isinstance(node, MappingNode):
        node = node.by_key.get("labels")
    return " ".join(each.text for each in flattened(node) if isinstance(each, Scalar))


def _shell(image: str, *, pipefail: bool) -> tuple[str, ...]:
    if may_lack_bash(image):
        return ()
    return ("bash", "-eo", "pipefail") if pipefail else ("bash",)


def _health(options: str) -> str | None:
    """The command after `--health-cmd`."""
    _, found, rest = options.partition("--health-cmd")
    rest = rest.lstrip(" =")
    if not found or not rest:
        return None
    quote = rest[0] if rest[0] in "\"'" else " "
    return rest.lstrip("\"'").split(quote)[0] or None


def _variables(node: Node | None, texts: Texts) -> Iterator[Variable]:
    for key, value in node if isinstance(node, MappingNode) else ():
        if not isinstance(value, Scalar):
            continue
        text = texts.plain(value.text, value)
        outside = texts.outside.get(text.removeprefix("$")) if text.startswith("$") else None
        if outside is not None:
            yield Variable(key.text, outside, key.place)
        elif text != f"${key.text}":
            yield Variable(key.text, text, key.place)
