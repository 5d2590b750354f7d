"""Measures the overhead of a run: a chain of 20 stages, and 40 parallel stages, compared with plain engine calls.

    python benchmarks/overhead.py [--rounds 5] [--image busybox] [--against ../before/.venv/bin/python]

Each round does the same work, one after the other: plain engine calls (create, start, wait, logs, remove; on the default
bridge network), then `dockercise run` of this version, then of the other one if there is one. Ratios are calculated for each
round; the tables have medians. "seconds" is the time from the start of the first stage to the end of the run, including its
clean-up. The start-up (Python, Prefect, the flow run, checks) is in a separate column. "processor" is the processor time of the
whole machine, in seconds, from the start of the command to its end: with the engine, the containers and the Prefect server. It
changes less from round to round than the time. The local Prefect server of each version is running before the first round.
After the table, a line says what `on` of 200 MB costs a stage.

The second table compares this version with the bounds. The start-up is compared with the whole duration of a process that runs
the simplest flow of Prefect, one task that does nothing, with the same server (docs/adr/0048). Two parts of the processor time
are shown alone, since plain engine calls have nothing like them: importing our own code and Prefect's, and the Prefect server.
If other programs work at the same time, their processor time is counted too. So the last line says how busy they were
in a pause before each round.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import docker

from benchmarks.overhead_version import AT_ONCE, Measured, Version, processor_seconds, seconds

CHAIN = 20
WIDE = 40
MANY = 200
CHAIN_AT_MOST = 0.70
WIDE_AT_MOST = 0.85
PROCESSOR_AT_MOST = 1.25
STARTUP_AT_MOST = 1.15
COMPILE_AT_MOST = 4.0
COPIED_MB = 200
COPIES = 4
COPY_ROUNDS = 5
COPY_AT_MOST = 50.0
"""Milliseconds."""

PAUSE = 2.0
"""Seconds without work of ours, to see what other programs do."""

TITLES = ("seconds", "/ calls", "/ this", "start-up", "processor", "/ calls", "/ this", "server")


@dataclass(frozen=True)
class Bound:
    """A measured ratio and its bound.

    Attributes:
        what: is measured.
        measured: the median of the rounds.
        at_most: what is allowed; None for what has no bound.
    """

    what: str
    measured: float
    at_most: float | None = None

    @property
    def is_kept(self) -> bool:
        """Whether the ratio is allowed."""
        return self.at_most is None or self.measured <= self.at_most

    @property
    def line(self) -> str:
        """The line of the table."""
        if self.at_most is None:
            return f"{self.what:<100} {self.measured:7.2f}"
        return f"{self.what:<100} {self.measured:7.2f} {self.at_most:7.2f}  {'kept' if self.is_kept else 'NOT KEPT'}"


@dataclass(frozen=True)
class Round:
    """What one round has measured: the plain calls and each version, and what this version is compared with besides."""

    plain: Measured
    runs: Sequence[Measured]
    simplest_flow: float
    imports: float
    asking_once: float
    others: float


def others() -> float:
    """The share of the processors that other programs use."""
    busy = processor_seconds()
    time.sleep(PAUSE)
    return (processor_seconds() - busy) / PAUSE / (os.cpu_count() or 1)


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
    return Measured(time.perf_counter() - began, processor=processor_seconds() - busy)


def compile_ratio() -> float:
    """The time of a process that compiles the seed's pipeline, divided by that of a process with only the needed imports."""
    root = Path(__file__).resolve().parents[1]
    ours = seconds([sys.executable, "-m", "dockercise_prefect", "compile", str(root / "flows/infra"), "--format", "json"])
    return ours / seconds([sys.executable, "-c", "import yaml, click"])


def one_round(bare: Callable[[], None], yaml: str, versions: Sequence[Version]) -> Round:
    """Measure all of them, one after the other."""
    idle, plain, this = others(), measured(bare), versions[0]
    runs = [version.run(yaml) for version in versions]
    return Round(plain, runs, this.simplest_flow(), this.imports(), this.asking_once(), idle)


def show(name: str, rounds: Sequence[Round], versions: Sequence[Version]) -> None:
    """Print a line for the plain calls and one for each version."""
    plain = [each.plain for each in rounds]
    print(f"{name:<24} {middle(one.seconds for one in plain):9.2f} {'':>29} {middle(one.processor for one in plain):9.2f}")
    for number, version in enumerate(versions):
        ones = [each.runs[number] for each in rounds]
        firsts = [each.runs[0] for each in rounds]
        columns = (
            middle(one.seconds for one in ones),
            middle(one.seconds / calls.seconds for one, calls in zip(ones, plain, strict=True)),
            middle(one.seconds / first.seconds for one, first in zip(ones, firsts, strict=True)),
            middle(one.startup for one in ones),
            middle(one.processor for one in ones),
            middle(one.processor / calls.processor for one, calls in zip(ones, plain, strict=True)),
            middle(one.processor / first.processor for one, first in zip(ones, firsts, strict=True)),
            middle(one.server for one in ones),
        )
        print(f"  {version.name:<22}", *(f"{column:9.2f}" for column in columns), flush=True)


def bounds(name: str, at_most: float, rounds: Sequence[Round]) -> Iterator[Bound]:
    """What this version is measured by, in one kind of pipeline."""
    pairs = [(each.runs[0], each) for each in rounds]
    calls = "against plain calls"
    busy = middle(run.processor / one.plain.processor for run, one in pairs)
    rest = middle((run.processor - run.server - one.imports) / one.plain.processor for run, one in pairs)
    startup = middle(run.startup / one.simplest_flow for run, one in pairs)
    yield Bound(f"{name}: seconds, {calls}", middle(run.seconds / one.plain.seconds for run, one in pairs), at_most)
    yield Bound(f"{name}: processor of the whole machine, {calls}, without the next two", rest, PROCESSOR_AT_MOST)
    yield Bound("  seconds of imports", middle(one.imports for one in rounds))
    yield Bound("  seconds of the Prefect server", middle(run.server for run, _ in pairs))
    yield Bound(f"  all of it, {calls}", busy)
    yield Bound(f"{name}: start-up, against the simplest flow run of Prefect", startup, STARTUP_AT_MOST)
    once = middle(run.startup / one.asking_once for run, one in pairs)
    yield Bound("  the same, against importing Prefect and asking its API once", once)


def compare_copies(image: str, version: Version) -> Bound:
    """Print what `on` costs a stage, by an overlay and as a copy of all bytes, in the same runs. Return the first one."""
    overlays: list[float] = []
    whole: list[float] = []
    for _ in range(COPY_ROUNDS):
        stages = version.run(copies(image)).stages
        overlays += [stages[f"overlay{number}"] - stages[f"plain{number}"] for number in range(COPIES)]
        whole.append(stages["bytes"] - middle(stages[f"plain{number}"] for number in range(COPIES)))
    by_overlay, by_bytes = (middle(each) * 1000 for each in (overlays, whole))
    print(f"`on` of {COPIED_MB} MB, {version.name}: {by_overlay:.0f} ms by an overlay", end="")
    print(f", {by_bytes:.0f} ms as a copy of all bytes", flush=True)
    return Bound(f"`on` of {COPIED_MB} MB by an overlay, milliseconds", by_overlay, COPY_AT_MOST)


def middle(numbers: Iterable[float]) -> float:
    """The median."""
    return statistics.median(numbers)


def main() -> int:
    """Measure, and print the tables. Returns the exit status: 1 if a bound is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
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
            works = (
                (f"chain of {CHAIN}", CHAIN_AT_MOST, bare_chain, chain(CHAIN, image)),
                (f"wide, {WIDE} at {AT_ONCE} at once", WIDE_AT_MOST, bare_wide, wide(WIDE, image)),
            )
            found: list[Bound] = []
            busy: list[float] = []
            for name, at_most, bare, yaml in works:
                rounds = [one_round(partial(bare, client, image), yaml, versions) for _ in range(arguments.rounds)]
                show(name, rounds, versions)
                found += bounds(name, at_most, rounds)
                busy += [each.others for each in rounds]
            found += [compare_copies(image, version) for version in versions][:1]
            compiling = statistics.median(compile_ratio() for _ in range(5))
            found.append(
                Bound("compile flows/infra --format json, against importing yaml and click", compiling, COMPILE_AT_MOST)
            )
            for version in versions:
                peak = version.run(wide(MANY - 2, image)).peak_mb
                print(f"peak memory of a run of {MANY} stages, {version.name}: {peak:.0f} MB")
            print(f"\n{'bounds':<100} {'is':>7} {'at most':>7}")
            for bound in found:
                print(bound.line)
            print(f"other programs used {middle(busy):.0%} of the processors in the pauses")
        finally:
            for version in versions:
                version.call("down", check=False)
    return 0 if all(bound.is_kept for bound in found) else 1


if __name__ == "__main__":
    sys.exit(main())
