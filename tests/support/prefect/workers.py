"""Runs Prefect's own workers as processes of the tests."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.prefect import prefect_records
from tests.support.prefect.prefect_records import FlowRunRecord

PREFECT = [sys.executable, "-m", "prefect"]


def create_pool(name: str, api: str) -> None:
    """Create a work pool of type process."""
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    prefect_records.ask(api, "work_pools/", {"name": name, "type": "process", "base_job_template": template})


def start_run(api: str, deployment: str, **parameters: object) -> str:
    """Create a flow run of a deployment, `flow/name`, that waits for a worker, and return its id."""
    found = prefect_records.ask(api, f"deployments/name/{deployment}")
    answer = prefect_records.ask(api, f"deployments/{found['id']}/create_flow_run", {"parameters": parameters})
    return str(answer["id"])


def work_once(pool: str, environment: Mapping[str, str], folder: Path) -> None:
    """Let a worker run all waiting runs of the pool to their end."""
    command = [*PREFECT, "worker", "start", "--pool", pool, "--run-once"]
    subprocess.run(command, check=True, env=environment, cwd=folder, capture_output=True, timeout=300)


def run_to_end(api: str, deployment: str, environment: Mapping[str, str], folder: Path, **parameters: object) -> FlowRunRecord:
    """Create a flow run of a deployment, and let a worker run it to its end."""
    pool = prefect_records.ask(api, f"deployments/name/{deployment}")["work_pool_name"]
    flow_run = start_run(api, deployment, **parameters)
    work_once(pool, environment, folder)
    return prefect_records.flow_run(api, flow_run)


@contextmanager
def working(pool: str, environment: Mapping[str, str], folder: Path) -> Iterator[None]:
    """Run a worker while the body runs."""
    log = folder / f"worker-{pool}.log"
    with log.open("w") as file:
        command = [*PREFECT, "worker", "start", "--pool", pool]
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=file, stderr=file, start_new_session=True)
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:  # it may wait for ever for a run whose process has already been reaped
                process.kill()
                process.wait()
