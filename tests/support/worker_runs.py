"""Flow runs that a worker has started as processes: what they have on the engine, and their processes."""

from __future__ import annotations

import psutil

from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.engine import Leftover
from tests.support.prefect import prefect_records


def left_by(engine: DockerEngine, flow_run: str, stage: str | None = None) -> list[Leftover]:
    """What a flow run has on the engine, or one of its stages."""
    mine = [each for each in engine.leftovers() if each.labels.get("dockercise.flow_run") == flow_run]
    return [each for each in mine if stage in {None, each.labels.get("dockercise.stage")}]


def running(engine: DockerEngine, flow_run: str, stage: str) -> list[str]:
    """The containers of a stage that run."""
    found = [each.id for each in left_by(engine, flow_run, stage) if each.kind == "container"]
    return [each for each in found if engine.running(each)]


def has_started(engine: DockerEngine, flow_run: str, stage: str = "wait") -> str:
    """Wait until a stage runs, and return its container."""
    return prefect_records.eventually(lambda: running(engine, flow_run, stage), lambda found: found != [])[0]


def processes(flow_run: str) -> tuple[psutil.Process, psutil.Process]:
    """The process of a flow run, and its guardian."""
    mine = [
        each
        for each in psutil.process_iter(["environ"])
        if (each.info["environ"] or {}).get("PREFECT__FLOW_RUN_ID") == flow_run
    ]
    (guardian,) = [each for each in mine if "guardian_process" in " ".join(each.cmdline())]
    (process,) = [each for each in mine if each != guardian]
    return process, guardian


def cancel(api: str, flow_run: str) -> None:
    """Ask a flow run to end."""
    prefect_records.ask(api, f"flow_runs/{flow_run}/set_state", {"state": {"type": "CANCELLING"}})
