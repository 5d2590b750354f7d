"""What the benchmark of overhead measures of one version of dockercise: runs, and processes that they are compared with."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psutil

AT_ONCE = 10
"""How many stages of a run start at once."""

IMPORTS = "import os\nfrom dockercise_prefect.cli.run import load_launch\nload_launch()\nos._exit(0)"
"""Imports what a run needs, as a run does, and ends as it does."""

ASKS_ONCE = "from prefect.client.orchestration import *\nwith get_client(sync_client=True) as c: assert not c.api_healthcheck()"

SIMPLEST = """
from prefect import flow, task

@task
def nothing() -> None: ...

@flow
def simplest() -> None:
    nothing()

simplest()
"""


@dataclass(frozen=True)
class Measured:
    """One measurement.

    Attributes:
        seconds: without start-up.
        startup: seconds.
        processor: seconds of the whole machine.
        server: of them, seconds of the Prefect server.
        peak_mb: peak memory of the process, in MB.
        stages: seconds of each stage.
    """

    seconds: float
    startup: float = 0.0
    processor: float = 0.0
    server: float = 0.0
    peak_mb: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """A version of dockercise.

    Attributes:
        name: its name in the table.
        python: the interpreter that has it.
        data: the folder for its local server and its results.
    """

    name: str
    python: str
    data: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its commands."""
        return os.environ | {"DOCKERCISE_DATA": str(self.data)}

    def call(self, command: str, *, check: bool) -> None:
        """Call a command that takes no arguments."""
        words = [self.python, "-m", "dockercise_prefect", command]
        subprocess.run(words, check=check, env=self.environment, stdout=subprocess.DEVNULL, cwd=self.data)

    @property
    def server(self) -> psutil.Process:
        """Its Prefect server."""
        return psutil.Process(json.loads((self.data / "server.json").read_text())["pid"])

    @property
    def api(self) -> str:
        """The address of its Prefect server's API."""
        return f"http://127.0.0.1:{json.loads((self.data / 'server.json').read_text())['port']}/api"

    def run(self, yaml: str) -> Measured:
        """Run the pipeline as a user does. It must pass."""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "bench.dockercise.yaml").write_text(yaml, encoding="utf-8")
            command = [self.python, "-m", "dockercise_prefect", "run", "-C", folder, "--json", "--jobs", str(AT_ONCE)]
            command += ["--results", str(self.data / "results")]
            began, busy, serving = time.time(), processor_seconds(), spent(self.server)
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.environment, cwd=self.data
            ) as process:
                output = process.stdout.read() if process.stdout else b""
                _, _, usage = os.wait4(process.pid, 0)
                process.returncode = 0  # `wait4` has already waited for it, and the summary says how it ended
            ended, busy, serving = time.time(), processor_seconds() - busy, spent(self.server) - serving
        if not output:
            raise SystemExit(f"the run printed nothing; try `{' '.join(command)}`")
        summary = json.loads(output)
        if summary["status"] != "passed":
            raise SystemExit(f"the run did not pass: {summary['error'] or summary['stages']}")
        times = {
            name: [datetime.fromisoformat(stage[key]).timestamp() for key in ("started", "finished")]
            for name, stage in summary["stages"].items()
        }
        seconds = datetime.fromisoformat(summary["finished"]).timestamp() - min(started for started, _ in times.values())
        stages = {name: finished - started for name, (started, finished) in times.items()}
        return Measured(seconds, (ended - began) - seconds, busy, serving, usage.ru_maxrss / 1024, stages)

    def imports(self) -> float:
        """The processor time of a process that only imports what a run needs, in seconds."""
        with subprocess.Popen([self.python, "-c", IMPORTS], env=self.environment, cwd=self.data) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = status
        return usage.ru_utime + usage.ru_stime

    def asking_once(self) -> float:
        """The duration of a process that imports Prefect and asks its API once, in seconds."""
        return seconds([self.python, "-c", f"import prefect\n{ASKS_ONCE}"], self.environment | {"PREFECT_API_URL": self.api})

    def simplest_flow(self) -> float:
        """The duration of a process that runs the simplest flow of Prefect, with one task that does nothing, in seconds."""
        script = self.data / "simplest.py"
        script.write_text(SIMPLEST, encoding="utf-8")
        return seconds([self.python, str(script)], self.environment | {"PREFECT_API_URL": self.api})


def processor_seconds() -> float:
    """The processor time that this machine has spent since it started, except idling, in seconds."""
    user, nice, system, _idle, _iowait, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def spent(process: psutil.Process) -> float:
    """The processor time of a process and of its children that have ended, in seconds."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def seconds(command: list[str], environment: Mapping[str, str] | None = None) -> float:
    """The duration of a command, in seconds."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - began
