"""Measures the overhead of a run: a chain of 20 stages, and 40 parallel stages, compared with plain engine calls.

    python benchmarks/overhead.py [--rounds 3] [--image busybox]

Each round does the same work, one after the other: plain engine calls (create, start, wait, logs, remove; on the default bridge
network), then `dockercise run`. The ratio is calculated for each round. "ours" is the time from the start of the first stage to
the end of the run, including its clean-up. The start-up (Python, Prefect, the flow run, checks) is in a separate column. The
local Prefect server is running before the first round.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import docker

AT_ONCE = 10
CHAIN = 20
WIDE = 40
MANY = 200
CHAIN_AT_MOST = 1.25
WIDE_AT_MOST = 1.35


@dataclass(frozen=True)
class Measured:
    """One of our runs: seconds without start-up, seconds of start-up, peak memory of the process in MB."""

    stages: float
    startup: float
    peak_mb: float


def chain(count: int, image: str) -> str:
    """YAML with stages that each use the value of the previous one."""
    lines = [f"s0: {{img: {image}, run: echo 0}}"]
    lines += [f"s{n}: {{img: {image}, env: s{n - 1}, run: 'echo $S{n - 1}.'}}" for n in range(1, count)]
    return "\n".join(lines) + "\n"


def wide(count: int, image: str) -> str:
    """YAML with parallel stages between a first and a last one."""
    lines = [f"first: {{img: {image}, run: echo first}}"]
    lines += [f"s{n}: {{img: {image}, env: first, run: 'echo $FIRST {n}'}}" for n in range(count)]
    names = ", ".join(f"s{n}" for n in range(count))
    lines.append(f"last: {{img: {image}, after: [{names}], run: cat /out/s0}}")
    return "\n".join(lines) + "\n"


def bare_container(client: docker.APIClient, image: str) -> None:
    """Run one container with plain engine calls, as a simple script does."""
    container = client.create_container(image, ["/bin/sh", "-c", "echo hi"], host_config=client.create_host_config())["Id"]
    client.start(container)
    client.wait(container)
    client.logs(container)
    client.remove_container(container)


def bare_chain(client: docker.APIClient, image: str) -> float:
    """Seconds for containers one after the other."""
    began = time.perf_counter()
    for _ in range(CHAIN):
        bare_container(client, image)
    return time.perf_counter() - began


def bare_wide(client: docker.APIClient, image: str) -> float:
    """Seconds for one container, then forty (ten at once), then one more."""
    began = time.perf_counter()
    bare_container(client, image)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda _: bare_container(client, image), range(WIDE)))
    bare_container(client, image)
    return time.perf_counter() - began


def ours(yaml: str, data: Path) -> Measured:
    """Run the pipeline as a user does. It must pass."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "bench.dockercise.yaml").write_text(yaml, encoding="utf-8")
        command = [sys.executable, "-m", "dockercise_prefect", "run", "-C", folder, "--json", "--jobs", str(AT_ONCE)]
        command += ["--results", str(data / "results")]
        began = time.time()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(data)) as process:
            output = process.stdout.read() if process.stdout else b""
            _, _, usage = os.wait4(process.pid, 0)
            process.returncode = 0  # `wait4` has already waited for it, and the summary says how it ended
        ended = time.time()
    if not output:
        raise SystemExit(f"the run printed nothing; try `{' '.join(command)}`")
    summary = json.loads(output)
    if summary["status"] != "passed":
        raise SystemExit(f"the run did not pass: {summary['error'] or summary['stages']}")
    first = min(datetime.fromisoformat(stage["started"]).timestamp() for stage in summary["stages"].values())
    finished = datetime.fromisoformat(summary["finished"]).timestamp()
    return Measured(finished - first, (ended - began) - (finished - first), usage.ru_maxrss / 1024)


def compile_ratio() -> float:
    """The time of a process that compiles the seed's pipeline, divided by that of a process with only the needed imports."""
    root = Path(__file__).resolve().parents[1]
    ours = seconds([sys.executable, "-m", "dockercise_prefect", "compile", str(root / "flows/infra"), "--format", "json"])
    return ours / seconds([sys.executable, "-c", "import yaml, click"])


def seconds(command: list[str]) -> float:
    """The duration of a command, in seconds."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def environment(data: Path) -> dict[str, str]:
    """The environment for a separate local server and separate results."""
    return os.environ | {"DOCKERCISE_DATA": str(data)}


def compare(name: str, at_most: float, bare: Callable[[], float], run: Callable[[], Measured], rounds: int) -> None:
    """Print one line: the medians of both sides, and the median of the ratios of all rounds."""
    pairs = [(bare(), run()) for _ in range(rounds)]
    ratio = statistics.median(measured.stages / seconds for seconds, measured in pairs)
    seconds = statistics.median(seconds for seconds, _ in pairs)
    stages = statistics.median(measured.stages for _, measured in pairs)
    startup = statistics.median(measured.startup for _, measured in pairs)
    print(f"{name:<22} {seconds:9.2f} {stages:9.2f} {ratio:9.2f} {at_most:9.2f} {startup:9.2f}", flush=True)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--image", default="busybox")
    arguments = parser.parse_args()
    client = docker.APIClient(version="auto")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        dockercise = [sys.executable, "-m", "dockercise_prefect"]
        try:
            subprocess.run([*dockercise, "up"], check=True, env=environment(data), stdout=subprocess.DEVNULL)
            ours(chain(1, arguments.image), data)  # the first flow run on a new database is slower
            print(f"{'':<22} {'bare, s':>9} {'ours, s':>9} {'ratio':>9} {'at most':>9} {'start-up':>9}")
            image, rounds = arguments.image, arguments.rounds
            compare(
                "chain of 20", CHAIN_AT_MOST, lambda: bare_chain(client, image), lambda: ours(chain(CHAIN, image), data), rounds
            )
            compare(
                "wide, 40 at 10 at once",
                WIDE_AT_MOST,
                lambda: bare_wide(client, image),
                lambda: ours(wide(WIDE, image), data),
                rounds,
            )
            compiling = statistics.median(compile_ratio() for _ in range(5))
            print(f"compile flows/infra --format json, against `python -c 'import yaml, click'`: {compiling:.2f} (at most 4)")
            print(f"peak memory of a run of {MANY} stages: {ours(wide(MANY - 2, image), data).peak_mb:.0f} MB")
        finally:
            subprocess.run([*dockercise, "down"], check=False, env=environment(data), stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
