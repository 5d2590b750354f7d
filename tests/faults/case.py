"""One case: a random pipeline as a process of `dockercise run`, behind proxies with planned faults or until it is killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.reading.records import Records
from dockercise_prefect.results.reading.run_view import RunView, look
from dockercise_prefect.runtime.engine import Engine, Leftover
from tests.faults.plan import Course, Plan
from tests.faults.proxy import Proxy, port_proxy, socket_proxy
from tests.faults.sketch import Sketch, as_yaml, marks_in, sketched
from tests.faults.truth import Attempt, Ran, Recorded, complaints
from tests.support.killing import flow_runs_of, left_on
from tests.support.prefect.prefect_records import FINAL

LONGEST = 240.0
"""Seconds after which a run counts as hung; then it shows where its threads stand.

If Prefect answers with 503, for example since its database is locked on a busy machine, its own client waits for two minutes.
"""

IMAGE = "busybox"


@dataclass
class Found:
    """What became of a case.

    Attributes:
        status: of the run, as the process said; `hung` or `killed` if it said nothing.
        faults: what the proxies did.
        wrong: what is wrong with its outcome, its record or its flow run.
        left: what was on the engine when the process had ended.
        left_after_gc: the same after `dockercise gc`.
        final: whether the flow run was in a final state when the process had ended.
        trace: whether the user saw a traceback.
        said: everything that the process printed.
    """

    name: str
    status: str
    faults: Sequence[str] = ()
    wrong: list[str] = field(default_factory=list)
    left: list[Leftover] = field(default_factory=list)
    left_after_gc: list[Leftover] = field(default_factory=list)
    final: bool = True
    trace: bool = False
    said: str = ""

    @property
    def bad(self) -> bool:
        """Whether anything happened that must not happen."""
        return bool(self.wrong or self.left_after_gc or self.trace or self.status == "hung")


@dataclass
class Bench:
    """What cases run against.

    Attributes:
        engine: the engine, without a proxy.
        api: the address of Prefect's API, without a proxy.
        engine_line, api_line: the proxies.
    """

    folder: Path
    engine: Engine
    api: str
    engine_line: Proxy
    api_line: Proxy

    def faults(self, seed: int, engine: Plan, api: Plan) -> Found:
        """Run the pipeline of a seed with these faults."""
        case = _Case(self, f"faults-{seed}-{os.getpid()}", _sketch(seed))
        courses = (self.engine_line.follow(engine), self.api_line.follow(api))
        try:
            process = case.run(LONGEST)
        finally:
            self.engine_line.follow(Plan(0))
            self.api_line.follow(Plan(0))
        return case.judged(process, courses)

    def kill(self, seed: int, after: float) -> Found:
        """Kill the run of the pipeline of a seed after so many seconds."""
        case = _Case(self, f"kills-{seed}-{os.getpid()}", _sketch(seed))
        return case.judged_killed(case.run(after))


def _sketch(seed: int) -> tuple[Sketch, ...]:
    return sketched(random.Random(f"pipeline {seed}"))  # noqa: S311  not a secret, and the same for the same seed


@contextmanager
def bench(folder: Path, engine: Engine, engine_url: str, api: str) -> Iterator[Bench]:
    """Proxies in front of an engine at a local socket and of Prefect's API, for one case after the other.

    Args:
        folder: an empty folder with a short path, for the files of the cases.
        engine: the engine itself.
        engine_url: its address, `unix:///…`.
        api: the address of Prefect's API.
    """
    with ExitStack() as stack:
        engine_line = stack.enter_context(socket_proxy(engine_url, folder / "e.sock"))
        api_line = stack.enter_context(port_proxy(api))
        yield Bench(folder, engine, api, engine_line, api_line)


@dataclass(frozen=True)
class _Process:
    exit_status: int | None
    stdout: str
    stderr: str


class _Case:
    def __init__(self, where: Bench, name: str, stages: tuple[Sketch, ...]) -> None:
        self._bench = where
        self._name = name
        self._stages = stages
        self._root = where.folder / name
        self._marks = where.folder / f"{name}-marks"
        self._data = where.folder / f"{name}-data"
        for made in (self._root, self._marks):
            made.mkdir()
        (self._root / "p.dockercise.yaml").write_text(as_yaml(stages, IMAGE, self._marks))

    def run(self, longest: float) -> _Process:
        """Run the pipeline; kill it after so many seconds."""
        lines = {"DOCKER_HOST": self._bench.engine_line.url, "PREFECT_API_URL": f"{self._bench.api_line.url}/api"}
        return self._call(longest, lines, "run", "--json", "-C", str(self._root))

    def judged(self, process: _Process, courses: Sequence[Course]) -> Found:
        """What became of a run that was not killed."""
        done = [line for course in courses for line in course.done]
        found = self._found(process, done, "hung")
        found.final = self._is_final()
        if found.left or not found.final:
            self._collect(found)
        view = self._view(found)
        if process.exit_status is None:
            return found
        summary = json.loads(process.stdout) if process.stdout.strip() else {}
        found.status = summary.get("status", "nothing said")
        if view is None:
            if not (found.status == "error" and done):
                found.wrong.append("there is no record")
            return found
        found.wrong += complaints(self._stages, self._ran(found.status, view, faulty=bool(done)))
        found.wrong += self._of_flow_run(found.status, faulty=bool(done))
        if found.status == "error" and not (summary.get("error") or _messages(view)):
            found.wrong.append("the run is in error without a message")
        return found

    def judged_killed(self, process: _Process) -> Found:
        """What became of a run that was killed, after `dockercise gc`."""
        found = self._found(process, ["killed"] if process.exit_status is None else [], "killed")
        found.final = self._is_final()
        self._collect(found)
        view = self._view(found)
        if process.exit_status is not None:
            found.status = "ended before"
        elif view is not None and view.summary is None:
            found.wrong.append("the record has no summary after gc")
        for run in flow_runs_of(self._bench.api, self._name):
            state: Any = run["state"] or {}
            if run["state_type"] in {"CRASHED", "FAILED"} and not state.get("message"):
                found.wrong.append("the flow run does not say what happened")
        return found

    def _found(self, process: _Process, done: Sequence[str], silent: str) -> Found:
        said = process.stdout + process.stderr
        status = silent if process.exit_status is None else "ended"
        left = left_on(self._bench.engine, self._name)
        return Found(self._name, status, done, left=left, trace="Traceback (most recent" in said, said=said)

    def _collect(self, found: Found) -> None:
        """Let `dockercise gc` do what the run could not do."""
        done = self._call(LONGEST, {"PREFECT_API_URL": self._bench.api}, "gc")
        found.left_after_gc = left_on(self._bench.engine, self._name)
        if "Traceback (most recent" in done.stderr or done.exit_status not in {0, 4}:
            found.wrong.append(f"gc ended with {done.exit_status}: {done.stdout}{done.stderr}")
        if not self._is_final():
            states = [run["state_type"] for run in flow_runs_of(self._bench.api, self._name)]
            found.wrong.append(f"the flow run is {states} after gc")

    def _is_final(self) -> bool:
        return {run["state_type"] for run in flow_runs_of(self._bench.api, self._name)} <= FINAL

    def _of_flow_run(self, status: str, *, faulty: bool) -> Iterator[str]:
        states = {str(run["state_type"]) for run in flow_runs_of(self._bench.api, self._name)}
        right = {"passed": {"COMPLETED"}, "failed": {"FAILED"}, "cancelled": {"CANCELLED"}}.get(status, {"FAILED", "CRASHED"})
        if states - right or not (states or faulty):
            yield f"the run is {status}, but its flow run is {sorted(states)}"

    def _view(self, found: Found) -> RunView | None:
        results = self._data / "results"
        runs = Records(FolderObjects(results)).runs() if results.exists() else []
        if not runs:
            return None
        view = look(runs[0])
        found.wrong += [f"the record: {problem}" for problem in view.problems]
        return view

    def _ran(self, status: str, view: RunView, *, faulty: bool) -> Ran:
        folder = self._data / "results" / self._name / view.run.run_id
        stages = {}
        for name, summary in view.stages.items():
            file = folder / f"{name}.json"
            earlier = json.loads(file.read_bytes()).get("earlier_attempts", []) if file.exists() else []
            attempts = [Attempt(each["status"], each["exit_code"]) for each in earlier]
            if summary.status not in {"skipped", "not_started"}:
                attempts.append(Attempt(summary.status.value, summary.exit_code))
            stages[name] = Recorded(summary.status.value, tuple(attempts), summary.message)
        return Ran(status, stages, marks_in(self._marks), faulty)

    def _call(self, longest: float, further: Mapping[str, str], *arguments: str) -> _Process:
        environment = {**os.environ, "DOCKERCISE_DATA": str(self._data), "PYTHONFAULTHANDLER": "1", **further}
        command = [sys.executable, "-m", "dockercise_prefect", *arguments]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
        )
        try:
            stdout, stderr = process.communicate(timeout=longest)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGABRT if longest == LONGEST else signal.SIGKILL)
            stdout, stderr = process.communicate()
            return _Process(None, stdout, stderr)
        return _Process(process.returncode, stdout, stderr)


def _messages(view: RunView) -> list[str]:
    return [stage.message for stage in view.stages.values() if stage.status == "error" and stage.message]
