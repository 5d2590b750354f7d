"""Measures the overhead of a run: a chain of 20 stages, and 40 parallel stages, compared with plain engine calls.

    python benchmarks/overhead.py [--rounds 3] [--image busybox] [--against ../before/.venv/bin/python]

Each round does the same work, one after the other: plain engine calls (create, start, wait, logs, remove; on the default
bridge network), then `dockercise run` of this version, then of the other one if there is one. Ratios are calculated for each
round; the table has medians. "seconds" is the time from the start of the first stage to the end of the run, including its
clean-up. The start-up (Python, Prefect, the flow run, checks) is in a separate column. "processor" is the processor time of the
whole machine, in seconds, from the start of the command to its end: with the engine, the containers and the Prefect server. It
changes less from round to round than the time. The local Prefect server of each version is running before the first round.
After the table, a line says what `on` of 200 MB costs a stage.
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
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import docker

AT_ONCE = 10
CHAIN = 20
WIDE = 40
MANY = 200
CHAIN_AT_MOST = 1.25
WIDE_AT_MOST = 1.35
COPIED_MB = 200
COPIES = 4
COPY_ROUNDS = 5
COPY_AT_MOST = 0.05
"""Seconds."""

TITLES = ("seconds", "/ calls", "at most", "/ this", "start-up", "processor", "/ this")


@dataclass(frozen=True)
class Measured:
    """One measurement.

    Attributes:
        seconds: without start-up.
        startup: seconds.
        processor: seconds of the whole machine.
        peak_mb: peak memory of the process, in MB.
        stages: seconds of each stage.
    """

    seconds: float
    startup: float
    processor: float
    peak_mb: float
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

    def run(self, yaml: str) -> Measured:
        """Run the pipeline as a user does. It must pass."""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "bench.dockercise.yaml").write_text(yaml, encoding="utf-8")
            command = [self.python, "-m", "dockercise_prefect", "run", "-C", folder, "--json", "--jobs", str(AT_ONCE)]
            command += ["--results", str(self.data / "results")]
            began, busy = time.time(), processor_seconds()
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.environment, cwd=self.data
            ) as process:
                output = process.stdout.read() if process.stdout else b""
                _, _, usage = os.wait4(process.pid, 0)
                process.returncode = 0  # `wait4` has already waited for it, and the summary says how it ended
            ended, busy = time.time(), processor_seconds() - busy
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
        return Measured(seconds, (ended - began) - seconds, busy, usage.ru_maxrss / 1024, stages)


@dataclass(frozen=True)
class Rounds:
    """How many rounds there are, and which versions run in each."""

    count: int
    versions: Sequence[Version]


def processor_seconds() -> float:
    """The processor time that this machine has spent since it started, except idling, in seconds."""
    user, nice, system, _idle, _iowait, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


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


def copies(image: str) -> str:
    """YAML with stages in turn that have no copy and whose copy is an overlay, and then one whose copy is of all bytes.

    What is an overlay cannot be shown by another one. No volume is stored in the results, which would take time meanwhile.
    """
    stage = f"img: {image}, noLog: true"
    lines = [f"made: {{{stage}, run: dd if=/dev/urandom of=/made/bytes bs=1M count={COPIED_MB} 2>/dev/null}}"]
    before = "made"
    for number in range(COPIES):
        lines.append(f"plain{number}: {{{stage}, after: {before}, run: 'true'}}")
        lines.append(f"overlay{number}: {{{stage}, on: made, after: plain{number}, run: 'true'}}")
        before = f"overlay{number}"
    lines.append(f"bytes: {{{stage}, on: {before}, run: 'true'}}")
    return "\n".join(lines) + "\n"


def bare_container(client: docker.APIClient, image: str) -> None:
    """Run one container with plain engine calls, as a simple script does."""
    container = client.create_container(image, ["/bin/sh", "-c", "echo hi"], host_config=client.create_host_config())["Id"]
    client.start(container)
    client.wait(container)
    client.logs(container)
    client.remove_container(container)


def bare_chain(client: docker.APIClient, image: str) -> None:
    """Containers one after the other."""
    for _ in range(CHAIN):
        bare_container(client, image)


def bare_wide(client: docker.APIClient, image: str) -> None:
    """One container, then forty (ten at once), then one more."""
    bare_container(client, image)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda _: bare_container(client, image), range(WIDE)))
    bare_container(client, image)


def measured(work: Callable[[], None]) -> Measured:
    """Measure work of this process."""
    began, busy = time.perf_counter(), processor_seconds()
    work()
    return Measured(time.perf_counter() - began, 0.0, processor_seconds() - busy, 0.0)


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


def compare(name: str, at_most: float, bare: Callable[[], None], run: Callable[[Version], Measured], sides: Rounds) -> None:
    """Print a line for the plain calls and one for each version."""
    rounds = [[measured(bare), *map(run, sides.versions)] for _ in range(sides.count)]
    plain, *ours = zip(*rounds, strict=True)
    print(f"{name:<24} {middle(one.seconds for one in plain):9.2f} {'':>39} {middle(one.processor for one in plain):9.2f}")
    for version, ones in zip(sides.versions, ours, strict=True):
        ratio = middle(one.seconds / calls.seconds for one, calls in zip(ones, plain, strict=True))
        before = middle(one.seconds / first.seconds for one, first in zip(ones, ours[0], strict=True))
        busy = middle(one.processor / first.processor for one, first in zip(ones, ours[0], strict=True))
        print(
            f"  {version.name:<22} {middle(one.seconds for one in ones):9.2f} {ratio:9.2f} {at_most:9.2f} {before:9.2f}"
            f" {middle(one.startup for one in ones):9.2f} {middle(one.processor for one in ones):9.2f} {busy:9.2f}",
            flush=True,
        )


def compare_copies(image: str, version: Version) -> None:
    """Print what `on` costs a stage, by an overlay and as a copy of all bytes, in the same runs."""
    overlays: list[float] = []
    whole: list[float] = []
    for _ in range(COPY_ROUNDS):
        stages = version.run(copies(image)).stages
        overlays += [stages[f"overlay{number}"] - stages[f"plain{number}"] for number in range(COPIES)]
        whole.append(stages["bytes"] - middle(stages[f"plain{number}"] for number in range(COPIES)))
    limit = COPY_AT_MOST * 1000
    by_overlay, by_bytes = (middle(each) * 1000 for each in (overlays, whole))
    print(f"`on` of {COPIED_MB} MB, {version.name}: {by_overlay:.0f} ms by an overlay (at most {limit:.0f})", end="")
    print(f", {by_bytes:.0f} ms as a copy of all bytes", flush=True)


def middle(numbers: Iterable[float]) -> float:
    """The median."""
    return statistics.median(numbers)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--image", default="busybox")
    parser.add_argument("--against", help="the interpreter of another checkout, to compare with")
    arguments = parser.parse_args()
    image = arguments.image
    client = docker.APIClient(version="auto")
    with tempfile.TemporaryDirectory() as folder:
        versions = [Version("this version", sys.executable, Path(folder, "this"))]
        if arguments.against:
            versions.append(Version("the other", str(Path(arguments.against).absolute()), Path(folder, "other")))
        try:
            for version in versions:
                version.data.mkdir()
                version.call("up", check=True)
                version.run(chain(1, image))  # the first flow run on a new database is slower
            print(f"{'':<24}", *(f"{title:>9}" for title in TITLES))
            sides = Rounds(arguments.rounds, versions)
            compare(
                f"chain of {CHAIN}",
                CHAIN_AT_MOST,
                lambda: bare_chain(client, image),
                lambda version: version.run(chain(CHAIN, image)),
                sides,
            )
            compare(
                f"wide, {WIDE} at {AT_ONCE} at once",
                WIDE_AT_MOST,
                lambda: bare_wide(client, image),
                lambda version: version.run(wide(WIDE, image)),
                sides,
            )
            for version in versions:
                compare_copies(image, version)
            compiling = statistics.median(compile_ratio() for _ in range(5))
            print(f"compile flows/infra --format json, against `python -c 'import yaml, click'`: {compiling:.2f} (at most 4)")
            for version in versions:
                peak = version.run(wide(MANY - 2, image)).peak_mb
                print(f"peak memory of a run of {MANY} stages, {version.name}: {peak:.0f} MB")
        finally:
            for version in versions:
                version.call("down", check=False)


if __name__ == "__main__":
    main()
