"""Measures runs that reuse stages: how fast they decide, what runs after a change, and what a reused stage costs.

    python benchmarks/reuse.py [--rounds 3] [--stages 1000 10000] [--beside 1000] [--real 1000] [--image busybox]

All pipelines have the same shape: twenty columns. The first stage of a column reads a file of the code, each other stage uses
what the one above it printed, and some use a neighbour's as well.

Deciding: nothing has changed, so all stages are reused. The engine is a scripted one, which answers at once. Each round is a
process of its own, which runs a pipeline of one stage, and then the whole one. The figures are the difference: without the
imports, and without what Prefect needs for any flow run. Processor time counts against the limit, since other processes make a
run longer, but hardly any dearer. What earlier runs left is made by the real scheduler, before the first round and without
Prefect. Beside it, snakemake (from PyPI, in a folder of its own) decides that it has nothing to do for the same graph. Both are
whole processes there, with all their imports; dockercise also writes a record, and Prefect's server has a flow run.

Running: the same pipeline on the real engine, by `dockercise run`. All stages run, then none, then one file is changed: exactly
the stages that can be reached from it must run. A stage that is reused may cost at most a fiftieth of one that runs, in seconds
without what a run of one stage takes. With fewer than a few hundred stages, this mostly measures the noise of the machine.

The exit status is 1 if a limit is exceeded, or if other stages run than those of the cone.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dockercise_prefect.compiler import compile_sources
from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.orchestration.run.launch import launch
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.pipeline import Pipeline
from dockercise_prefect.results.cache.paths import CACHE
from dockercise_prefect.settings import read_settings
from tests.engines.scripted import BUSYBOX, ScriptedEngine
from tests.orchestration.reuse.compared_runs import IN_MEMORY, run_with_reuse

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = 20
AT_ONCE = 10
PLANTED = "20260101T000000Z-0000"
"""The id of the run that has made what is reused."""

DECIDE_AT_MOST: Mapping[int, float] = {1_000: 1.0, 10_000: 4.0}
"""Seconds of processor time, by the number of stages."""

REUSED_AT_MOST = 1 / 50
"""What a reused stage may cost, as a part of what it costs to run it."""

CHANGED = COLUMNS // 2
"""The column whose file is changed."""

SNAKEFILE = """
NEEDS = {needs}

rule all:
    input: expand("out/{{number}}", number=range(len(NEEDS)))

rule stage:
    input: lambda wildcards: NEEDS[int(wildcards.number)]
    output: "out/{{number}}"
    shell: "cat {{input}} > {{output}}"
"""


@dataclass(frozen=True)
class Took:
    """What something took: seconds, and seconds of processor time."""

    seconds: float
    processor: float

    def __sub__(self, other: Took) -> Took:
        """What it took more than something else."""
        return Took(self.seconds - other.seconds, self.processor - other.processor)


@dataclass
class Table:
    """Prints rows, and remembers what was missed."""

    missed: list[str] = field(default_factory=list)

    def head(self, title: str) -> None:
        """Print the heads of the columns."""
        print(f"\n{title:<44}{'seconds':>10}{'processor':>11}{'at most':>9}{'ratio':>9}", flush=True)

    def row(self, name: str, took: Took, at_most: float | None = None, ratio: float | None = None) -> None:
        """Print a row. The limit, if there is one, is for the processor time; the ratio is to it, unless another is given."""
        if at_most is not None:
            ratio = took.processor / at_most
            if ratio > 1:
                self.missed.append(name)
        shown = [f"{took.seconds:10.2f}", f"{took.processor:11.2f}"]
        shown += [f"{one:9.2f}" if one is not None else " " * 9 for one in (at_most, ratio)]
        print(f"{name:<44}{''.join(shown)}", flush=True)

    def check(self, name: str, *, holds: bool) -> None:
        """Print whether something is as it should be."""
        print(f"{name:<74}{'yes' if holds else 'NO':>9}", flush=True)
        if not holds:
            self.missed.append(name)


def needs_of(stages: int) -> list[list[int]]:
    """For each stage, the stages that it needs: the one above it, and for every seventh stage also that one's neighbour."""
    found: list[list[int]] = []
    for number in range(stages):
        row, column = divmod(number, COLUMNS)
        above = [(row - 1) * COLUMNS + column] if row else []
        neighbour = [(row - 1) * COLUMNS + (column + 1) % COLUMNS] if row and number % 7 == 0 else []
        found.append([*above, *neighbour])
    return found


def cone_of(changed: int, needs: Sequence[Iterable[int]]) -> set[int]:
    """The stages that can be reached from one. Each needs only earlier ones."""
    cone = {changed}
    for number, needed in enumerate(needs):
        if cone.intersection(needed):
            cone.add(number)
    return cone


def yaml(stages: int, image: str) -> str:
    """The pipeline."""
    lines = [f"meta: {{name: bench, defaults: {{img: '{image}', cache: true}}}}"]
    for number, needed in enumerate(needs_of(stages)):
        if needed:
            env, texts = ", ".join(f"s{one}" for one in needed), " ".join(f"$S{one}" for one in needed)
            lines.append(f"s{number}: {{env: [{env}], run: 'echo {number} {texts} | md5sum'}}")
        else:
            lines.append(f"s{number}: {{vol: 'code/d{number}:/src', run: 'cat /src/file'}}")
    return "\n".join(lines) + "\n"


def write_code(folder: Path, stages: int, image: str) -> None:
    """The repository of the pipeline."""
    for column in range(min(stages, COLUMNS)):
        (folder / f"d{column}").mkdir(parents=True)
        (folder / f"d{column}/file").write_text(f"{column}\n")
    (folder / "bench.dockercise.yaml").write_text(yaml(stages, image))


def pipeline_of(stages: int) -> Pipeline:
    """The compiled pipeline, for the scripted engine."""
    return compile_sources([Source("bench.dockercise.yaml", yaml(stages, BUSYBOX).encode())], "bench").pipeline


def child(command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> tuple[Took, bytes]:
    """What a process takes, with the processes that it waits for, and what it prints. It must succeed."""
    began, busy = time.perf_counter(), processor_of_children()
    done = subprocess.run(command, check=False, cwd=cwd, env=environment, capture_output=True)
    took = Took(time.perf_counter() - began, processor_of_children() - busy)
    if done.returncode:
        raise SystemExit(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stderr.decode()[-2000:]}")
    return took, done.stdout


def processor_of_children() -> float:
    """The processor time of all processes that this one has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def median(tooks: Iterable[Took]) -> Took:
    """The medians of both."""
    ones = list(tooks)
    return Took(statistics.median(one.seconds for one in ones), statistics.median(one.processor for one in ones))


# In a process of its own.


def plant(stages: int, folder: Path) -> None:
    """Leave for later runs what a run of all stages leaves. It runs in memory, since each stage waits for the disk."""
    write_code(folder / "code", stages, BUSYBOX)
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as memory:
        run_with_reuse(pipeline_of(stages), folder / "code", Path(memory), PLANTED)
        shutil.copytree(Path(memory, CACHE), folder / "results" / CACHE)


def decide(stages: int, folder: Path) -> None:
    """Reuse all stages, and print what that takes beyond a run of one stage."""
    small = replace(pipeline_of(1), name="small")
    run(small, folder)  # loads what is only loaded in a first run
    alone = run(small, folder)
    took = run(pipeline_of(stages), folder) - alone
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": took.seconds, "processor": took.processor, "peak": peak}))


def run(pipeline: Pipeline, folder: Path) -> Took:
    """Run a pipeline on a scripted engine."""
    settings = replace(read_settings(), results=str(folder / "results"), gc_after_runs=False)
    engine = ScriptedEngine()
    began, busy = time.perf_counter(), time.process_time()
    launch(pipeline, folder / "code", (), RunOptions(settings=settings, engine=engine))
    took = Took(time.perf_counter() - began, time.process_time() - busy)
    if engine.runs and len(pipeline) > 1:
        raise SystemExit(f"{len(engine.runs)} stages were not reused")
    return took


OWN: Mapping[str, Callable[[int, Path], object]] = {
    "plant": plant,
    "decide": decide,
    "once": lambda stages, folder: run(pipeline_of(stages), folder),
}
"""What this file does in processes of its own."""


def own(what: str, stages: int, folder: Path) -> list[str]:
    """The command for such a process."""
    return [sys.executable, str(Path(__file__).resolve()), "--own", what, str(stages), str(folder)]


# The tables.


def deciding(table: Table, given: argparse.Namespace, environment: Mapping[str, str]) -> None:
    """Measure deciding on the scripted engine, and snakemake on the same graphs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        snakemake = installed_snakemake(folder / "venv") if given.beside else None
        for stages in dict.fromkeys([*given.stages, *given.beside]):
            ours, theirs = folder / f"ours-{stages}", folder / f"theirs-{stages}"
            ours.mkdir()
            child(own("plant", stages, ours), folder, environment)
            if stages in given.stages:
                found = [json.loads(child(own("decide", stages, ours), folder, environment)[1]) for _ in range(given.rounds)]
                table.head(f"{stages:,} stages, nothing changed, scripted engine")
                took = median(Took(one["seconds"], one["processor"]) for one in found)
                table.row("deciding, beyond the flow run", took, DECIDE_AT_MOST.get(stages))
                print(f"{'peak memory, MB':<44}{statistics.median(one['peak'] for one in found):10.0f}", flush=True)
            if stages in given.beside and snakemake is not None:
                write_snakemake(theirs, stages)
                command = [snakemake, "--cores", str(AT_ONCE), "--quiet", "all"]
                child([*command, "--touch"], theirs, environment)  # notes that everything was made
                pairs = [
                    (child(command, theirs, environment)[0], child(own("once", stages, ours), folder, environment)[0])
                    for _ in range(given.rounds)
                ]
                table.head(f"{stages:,} stages, nothing changed, whole processes")
                table.row("snakemake", median(one for one, _ in pairs))
                ratio = statistics.median(mine.processor / yours.processor for yours, mine in pairs)
                table.row("dockercise, scripted engine", median(one for _, one in pairs), ratio=ratio)


def installed_snakemake(folder: Path) -> str | None:
    """The path of snakemake, installed into a folder; None if it cannot be installed."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [str(folder / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", "snakemake"]
    installed = subprocess.run(pip, check=False, capture_output=True, text=True)
    if installed.returncode:
        print(f"\nsnakemake is left out: pip could not install it\n{installed.stderr}", flush=True)
        return None
    return str(folder / "bin/snakemake")


def write_snakemake(folder: Path, stages: int) -> None:
    """The same graph for snakemake, with all files that it makes."""
    (folder / "out").mkdir(parents=True)
    needs = [[f"out/{one}" for one in needed] or [f"d{number}"] for number, needed in enumerate(needs_of(stages))]
    (folder / "Snakefile").write_text(SNAKEFILE.format(needs=needs))
    for column in range(min(stages, COLUMNS)):
        (folder / f"d{column}").write_text(f"{column}\n")
    for number in range(stages):
        (folder / f"out/{number}").write_text(f"{number}\n")


def running(table: Table, given: argparse.Namespace, environment: Mapping[str, str]) -> None:
    """Run the pipeline on the real engine: all of it, nothing, and a cone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_code(folder / "one", 1, given.image)
        write_code(folder / "all", given.real, given.image)

        def run_it(code: str) -> tuple[Took, set[str]]:
            results = ["--results", str(folder / f"results-{code}"), "--jobs", str(AT_ONCE)]
            command = [sys.executable, "-m", "dockercise_prefect", "run", "-C", str(folder / code), "--json", *results]
            took, output = child(command, folder, environment)
            return took, {name for name, stage in json.loads(output)["stages"].items() if stage["reused_from"] is None}

        run_it("one")
        first, ran_first = run_it("all")
        none = [(run_it("one")[0], *run_it("all")) for _ in range(given.rounds)]
        (folder / f"all/d{CHANGED}/file").write_text("changed\n")
        then, ran_then = run_it("all")
    alone, reused = median(one for one, _, _ in none), median(whole for _, whole, _ in none)
    cone = {f"s{number}" for number in cone_of(CHANGED, needs_of(given.real))}
    table.head(f"{given.real:,} stages, `dockercise run`, real engine")
    table.row("one stage, which is reused", alone)
    table.row("all stages run", first)
    table.row("nothing changed", reused)
    table.row(f"one file changed: {len(cone):,} stages run", then)
    ratio = (reused - alone).seconds / (first - alone).seconds
    print(f"{'a reused stage, as a part of one that runs':<44}{ratio:10.4f}{'':11}{REUSED_AT_MOST:9.4f}", flush=True)
    table.check("a reused stage costs at most 1/50", holds=ratio <= REUSED_AT_MOST)
    table.check("first all stages run", holds=len(ran_first) == given.real)
    table.check("without a change none runs", holds=not any(ran for _, _, ran in none))
    table.check("the stages of the cone run, and no others", holds=ran_then == cone)


def main() -> int:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stages", type=int, nargs="*", default=list(DECIDE_AT_MOST), help="sizes for the scripted engine")
    parser.add_argument("--beside", type=int, nargs="*", default=[1_000], help="sizes to compare with snakemake")
    parser.add_argument("--real", type=int, default=1_000, help="the size for the real engine; 0 for none")
    parser.add_argument("--image", default="busybox")
    parser.add_argument("--own", nargs=3, metavar=("WHAT", "STAGES", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.own:
        what, stages, folder = given.own
        OWN[what](int(stages), Path(folder))
        return 0
    table = Table()
    with tempfile.TemporaryDirectory() as data:
        environment = os.environ | {"DOCKERCISE_DATA": data, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "dockercise_prefect"]
        try:
            child([*command, "up"], ROOT, environment)
            if given.stages or given.beside:
                deciding(table, given, environment)
            if given.real:
                running(table, given, environment)
        finally:
            subprocess.run([*command, "down"], check=False, env=environment, stdout=subprocess.DEVNULL)
    if table.missed:
        print(f"\nmissed: {', '.join(table.missed)}")
    return 1 if table.missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
