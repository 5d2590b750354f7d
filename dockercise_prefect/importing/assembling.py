"""Makes stages of jobs: their names, their edges, their conditions and their variables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from dockercise_prefect.compiler.reading.names import IDENTIFIER
from dockercise_prefect.compiler.triggers import globs_problem
from dockercise_prefect.importing.combinations import axis_name, is_followed, normalized
from dockercise_prefect.importing.conditions import Test, Wanted, parts_of, wanted
from dockercise_prefect.importing.environment import Environment, environment_of
from dockercise_prefect.importing.images import usable_image
from dockercise_prefect.importing.literals import is_secret
from dockercise_prefect.importing.model import CODE, Job, Variable, Workflow
from dockercise_prefect.importing.names import stage_names
from dockercise_prefect.importing.notes import Notes, quoted
from dockercise_prefect.importing.supported import has_key, has_setting
from dockercise_prefect.importing.values import Value
from dockercise_prefect.importing.variables import Predefined, filled_in
from dockercise_prefect.pipeline.run_context import RUN_VARIABLES

_ASKED_IN = "busybox:1.37"
_GIT = re.compile(r"(?:^|[\s;&|(])git\s+(?!clone\b|config\b)", re.MULTILINE)
_SUDO = re.compile(r"(?:^|[\s;&|(])sudo\s", re.MULTILINE)
_QUESTION = "is-wanted"
_NO_MATRIX = (
    "there is no matrix here yet: this is one combination of it. Write a stage for each, with an anchor for what they share"
)


@dataclass(slots=True)
class Stage:
    """One stage: its keys in the order written, and the job that it comes from."""

    name: str
    job: str | None
    keys: dict[str, Value] = field(default_factory=dict)


@dataclass(slots=True)
class Assembled:
    """The stages, the keys of `meta`, and the variables that somebody has to give."""

    stages: list[Stage]
    meta: dict[str, Value]
    outside: tuple[str, ...]


def folder_of(job: str) -> str:
    """The folder of a job's files, for scripts of readers. The name of the stage is known only later."""
    return f"\0{job}\0"


def assembled(workflow: Workflow, predefined: Predefined, notes: Notes) -> Assembled:
    """Make stages of all jobs of a file."""
    jobs = _linked(workflow.jobs, notes)
    found = {job.name: environment_of(job, predefined, notes.of_job(job.name)) for job in jobs}
    _note_unknown(jobs, found, notes)
    conditions = {job.name: wanted(job.condition) for job in jobs}
    asked = _numbered(question for each in conditions.values() for question in each.questions)
    taken = {name for each in found.values() for name in (*each.outside, *each.axes)}
    hosts = {service.name for job in jobs for service in job.services}
    names = stage_names([*asked.values(), *(job.name for job in jobs)], taken, hosts)
    stages = [_question(names[name], question) for question, name in asked.items()]
    assembly = _Assembly(names, asked, notes)
    stages += [assembly.stage(job, found[job.name], conditions[job.name]) for job in jobs]
    uses_git = workflow.history is not None or any(_GIT.search(job.script) for job in jobs)
    return Assembled(stages, _meta(workflow, found.values(), uses_git=uses_git), _outside(found.values()))


def _note_unknown(jobs: Iterable[Job], found: Mapping[str, Environment], notes: Notes) -> None:
    """Name the variables that the other system sets itself, once each."""
    told: set[str] = set()
    for job in jobs:
        for name in found[job.name].unknown:
            if name not in told:
                notes.changed(f"${name}", f"nothing sets it here: give it a value from outside, as `--env {name}=…`", job.place)
            told.add(name)


def _numbered(questions: Iterable[Test]) -> dict[Test, str]:
    distinct = list(dict.fromkeys(questions))
    return {question: f"{_QUESTION}-{n}" if n > 1 else _QUESTION for n, question in enumerate(distinct, 1)}


def _question(name: str, question: Test) -> Stage:
    keys: dict[str, Value] = {"img": _ASKED_IN}
    if question.needs_code:
        keys["on"] = CODE
    if question.variables:
        keys["env"] = [name if name in RUN_VARIABLES else f"{name}?" for name in question.variables]
    return Stage(name, None, {**keys, "run": question.script})


def _linked(jobs: Iterable[Job], notes: Notes) -> list[Job]:
    """The jobs of which something is left, with edges only to each other and to earlier ones of a cycle."""
    by_name = {job.name: _with_plain_matrix(job) for job in jobs}
    settled: dict[str, Job] = {}
    for job in by_name.values():
        if job.runs:
            settled[job.name] = _Links(by_name, settled, notes.of_job(job.name)).of(job)
    return list(_with_joins(settled))


def _with_joins(jobs: Mapping[str, Job]) -> Iterator[Job]:
    """The jobs, with a stage between two matrices of which the later one would only wait for its counterpart."""
    made: set[str] = set()
    for job in jobs.values():
        after = []
        for name in job.after:
            before = jobs[name].matrix
            if before is None or job.matrix is None or not is_followed(before, job.matrix):
                after.append(name)
                continue
            join = f"{name}-all"
            if join not in made and join not in jobs:
                made.add(join)
                yield Job(name=join, place=jobs[name].place, after=(name,), start=None)
            after.append(join)
        yield replace(job, after=tuple(after))


def _with_plain_matrix(job: Job) -> Job:
    """The job with a matrix in the form of a stage: the names of its variables are in upper case, in the script too."""
    if job.matrix is None:
        return job
    matrix = normalized(job.matrix)
    used = (name for row in (job.matrix.axes, *job.matrix.include) for name in row)
    names = Predefined((), {name: axis_name(name) for name in used if name != axis_name(name)}, {})
    return replace(
        job,
        matrix=matrix if matrix.axes or matrix.include else None,
        image=job.image and names.translated(job.image),
        prelude=names.translated(job.prelude),
        script=names.translated(job.script),
    )


@dataclass(slots=True)
class _Links:
    """Finds the edges of one job."""

    by_name: Mapping[str, Job]
    settled: Mapping[str, Job]
    notes: Notes

    def of(self, job: Job) -> Job:
        start, after = job.start, [*self._present(job.after, job)]
        seen: set[str] = set()
        while start not in {None, CODE} and start is not None:
            before = self.by_name.get(start)
            if before is None or start in seen or start == job.name or self._leads_to(start, job.name):
                start = CODE
                break
            seen.add(start)
            if before.runs and self._is_sure(before, job) and before.matrix in (None, job.matrix):
                break
            if before.runs and before.matrix not in (None, job.matrix):
                after.append(start)
                self.notes.left_out("files", f"those of {quoted(start)}, which has several instances, are not here", job.place)
            elif before.runs:
                after.append(start)
                self.notes.changed(
                    "files", f"it does not see the files of {quoted(start)}, which does not always run", job.place
                )
            start = before.start
        files = list(self._present(job.files, job))
        for name in files:
            if self.by_name[name].matrix not in (None, job.matrix):
                text = f"{quoted(name)} has a folder for each combination: read the files from there"
                self.notes.changed("files", text, job.place)
            if not self._is_sure(self.by_name[name], job):
                text = f"if {quoted(name)} is skipped, this stage is skipped too, because it uses its files"
                self.notes.changed("files", text, job.place)
        uses = {*files, *({start} if start not in {None, CODE} else ())}
        after = [name for name in dict.fromkeys(after) if name not in uses]
        edges = [*uses, *after]
        after = [name for name in after if not any(self._leads_to(other, name) for other in edges if other != name)]
        return replace(job, start=start, after=tuple(after), files=tuple(dict.fromkeys(files)))

    def _present(self, names: Iterable[str], job: Job) -> Iterator[str]:
        """The jobs of these of which something is left; in place of others, what they come after."""
        waiting, seen = list(names), set()
        while waiting:
            name = waiting.pop(0)
            if name in seen or name == job.name:
                continue
            seen.add(name)
            other = self.by_name.get(name)
            if other is None:
                self.notes.left_out("needs", f"there is no job {quoted(name)}", job.place)
            elif not other.runs:
                waiting += [*other.after, *([other.start] if other.start not in {None, CODE} and other.start else [])]
            elif self._leads_to(name, job.name):
                self.notes.left_out("needs", f"{quoted(name)} comes after this job", job.place)
            else:
                yield name

    def _is_sure(self, before: Job, job: Job) -> bool:
        """Whether a job runs whenever the other one does."""
        return before.status == "success" and before.approval is None and parts_of(before.condition) <= parts_of(job.condition)

    def _leads_to(self, name: str, target: str) -> bool:
        """Whether a job comes after another one, directly or not, by what is settled."""
        waiting, seen = [name], set()
        while waiting:
            job = self.settled.get(waiting.pop())
            if job is None or job.name in seen:
                continue
            seen.add(job.name)
            before = {*job.after, *job.files, *([job.start] if job.start else [])}
            if target in before:
                return True
            waiting += before
        return False


@dataclass(slots=True)
class _Assembly:
    """Makes the keys of one stage."""

    names: Mapping[str, str]
    asked: Mapping[Test, str]
    notes: Notes

    def stage(self, job: Job, environment: Environment, conditions: Wanted) -> Stage:
        notes = self.notes.of_job(job.name)
        keys: dict[str, Value] = {}
        values = environment.literals
        if job.image is not None:
            keys["img"] = usable_image(filled_in(job.image, values), job.matrix, notes, job.place)
        if job.start is not None and job.image is not None:
            keys["on"] = self.names.get(job.start, job.start)
        if job.files:
            keys["vol"] = [self.names[name] for name in job.files]
        if job.after:
            keys["after"] = [self.names[name] for name in job.after]
        keys |= self._conditions(job, conditions, notes)
        keys |= _matrix(job)
        keys |= _env(environment)
        keys |= self._services(job, values, notes)
        keys |= _simple(job, notes)
        if environment.script:
            keys["run"] = self._with_folders(environment.script)
            lines = len(job.script.splitlines())
            notes.kept("script", f"{lines} line{'s' if lines > 1 else ''} in the stage `{self.names[job.name]}`", job.place)
        return Stage(self.names[job.name], job.name, keys)

    def _with_folders(self, script: str) -> str:
        return re.sub("\0([^\0]*)\0", lambda match: f"/{self.names.get(match[1], match[1])}", script)

    def _conditions(self, job: Job, conditions: Wanted, notes: Notes) -> dict[str, Value]:
        keys: dict[str, Value] = {}
        if conditions.questions:
            keys["if"] = [self.names[self.asked[question]] for question in conditions.questions]
        when: dict[str, Value] = {key: list(patterns) for key, patterns in conditions.when.items()}
        if job.status != "success":
            when = {"status": job.status, **when}
        if job.approval is not None and not has_key("approve"):
            notes.changed("manual", "nobody is asked here yet: it only runs if somebody starts it by hand", job.place)
            when["event"] = "manual"
        if conditions.unknown:
            what = ", ".join(map(quoted, conditions.unknown))
            notes.changed("condition", f"{what} cannot be said here: it only runs if somebody starts it by hand", job.place)
            when["event"] = "manual"
        if when:
            keys["when"] = job.status if list(when) == ["status"] else when
        if job.approval is not None and has_key("approve"):
            keys["approve"] = job.approval
        return keys

    def _services(self, job: Job, values: Mapping[str, str], notes: Notes) -> dict[str, Value]:
        if not job.services:
            return {}
        if not has_key("services"):
            listed = ", ".join(quoted(f"{each.name} ({each.image})") for each in job.services)
            why = "there are no services here yet: start it in the background in the script, or use one that runs elsewhere"
            notes.left_out("services", f"{listed}: {why}", job.place)
            return {}
        services: dict[str, Value] = {}
        for each in job.services:
            if each.at_localhost:
                notes.changed("services", f"{quoted(each.name)} is reached by this name, and not as `localhost`", job.place)
            image = usable_image(filled_in(each.image, values), job.matrix, notes, job.place)
            settings: dict[str, Value] = {"img": image}
            env = [_of_service(variable, values) for variable in each.env if IDENTIFIER.match(variable.name)]
            settings |= {"env": list[Value](env)} if env else {}
            settings |= {"run": each.script} if each.script else {}
            settings |= {"ready": each.ready} if each.ready else {}
            services[each.name] = settings if len(settings) > 1 else image
        return {"services": services}


def _of_service(variable: Variable, values: Mapping[str, str]) -> str:
    if isinstance(variable.value, str) and not is_secret(variable.name, variable.value):
        return f"{variable.name}={filled_in(variable.value, values)}"
    return variable.name


def _matrix(job: Job) -> dict[str, Value]:
    if job.matrix is None:
        return {}
    matrix: dict[str, Value] = {axis: list(values) for axis, values in job.matrix.axes.items()}
    for key, combinations in (("include", job.matrix.include), ("exclude", job.matrix.exclude)):
        if combinations:
            matrix[key] = [dict(each) for each in combinations]
    return {"matrix": matrix}


def _env(environment: Environment) -> dict[str, Value]:
    values = environment.literals
    env: list[Value] = [
        name if required or name in RUN_VARIABLES else f"{name}?" for name, required in sorted(environment.outside.items())
    ]
    if not env and values:
        return {"env": dict(values)}
    env += [f"{name}={text}" for name, text in values.items() if name not in environment.outside]
    return {"env": env} if env else {}


def _simple(job: Job, notes: Notes) -> dict[str, Value]:
    """The keys that a job has or has not, without a name in them."""
    found: dict[str, Value] = {
        "shell": job.shell[0] if len(job.shell) == 1 else list(job.shell),
        "user": job.user,
        "sudo": _SUDO.search(job.script) is not None,
        "retries": job.retries,
        "timeout": job.timeout,
        "neverFail": job.tolerated,
    }
    keys: dict[str, Value] = {key: value for key, value in found.items() if value}
    if job.group and has_key("concurrency") and "$" not in job.group and not job.group.isdecimal():
        keys["concurrency"] = "-".join(job.group.split())
    elif job.group:
        why = "stages have no limit over several runs here yet; whole runs have `meta.concurrency`"
        notes.left_out("concurrency", why, job.place)
    reports = tuple(path.removeprefix("./") for path in job.reports if "$" not in path and path.strip() == path != "")
    if reports and has_key("junit") and globs_problem(reports) is None:
        keys["junit"] = list(reports)
    elif job.reports:
        why = "they are kept with the other files of the stage, but nothing reads these"
        notes.left_out("test reports", why, job.place)
    return keys


def _meta(workflow: Workflow, found: Iterable[Environment], *, uses_git: bool) -> dict[str, Value]:
    meta: dict[str, Value] = {"implicit": False, "env": {"CI": "true"}}
    secrets = sorted({name for each in found for name in each.secrets})
    if secrets:
        meta["secrets"] = list[Value](secrets)
    if uses_git:
        depth = workflow.history
        meta["code"] = {"git": True} if depth is None else {"git": True, "depth": depth}
    if workflow.concurrency and has_setting("concurrency"):
        meta["concurrency"] = dict(workflow.concurrency)
    return meta


def _outside(found: Iterable[Environment]) -> tuple[str, ...]:
    return tuple(sorted({name for each in found for name in each.outside} - RUN_VARIABLES))
