"""Measures compiling: to JSON, compared with `yaml.compose` of the same text; to a module, compared with `import prefect`.

    python benchmarks/compile.py [--rounds 5] [--stages 10000]

Each round does the same work, one after the other, in one process: `yaml.compose` with libyaml for every file, then the
compiler and its JSON. Ratios are calculated for each round, from processor seconds. The table shows medians. In the rows
named "kept", and in those with one file, all composed files are kept until the last one is read, as in any program that joins
them. In the other rows, each file is discarded immediately, which saves the plain reader the work of the garbage collector and
most of the memory. These rows are shown without a limit. Modules are imported by separate processes, the compiled one with
and without its `.pyc`. Memory is the peak of a process that compiles, as reported by Linux. npm installs `gitlab-ci-local`
(for `--list`) into a temporary folder.

The exit status is 1 if a limit is exceeded.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from dockercise_prefect.compiler import compile_sources
from dockercise_prefect.emit import FORMATS, Request
from dockercise_prefect.frontend.discover import Source

FILES = 500
SIZES = (1_000, 2_000, 5_000, 10_000, 20_000)
JOBS = 1_000
GITLAB_CI_LOCAL = "gitlab-ci-local@4.61.1"
"""Later versions need a later Node.js than distributions have."""

COMPOSE_AT_MOST = 3.0
GROWTH_AT_MOST = 1.5
IMPORT_AT_MOST = 2.0

LAYER = 10
"""Parallel stages in one layer of diamonds."""

ROOT = Path(__file__).resolve().parents[1]


def chain(count: int) -> list[str]:
    """Stages that each use the value of the previous one."""
    first = "s0:\n  img: busybox\n  run: echo 0\n"
    return [first] + [f"s{n}:\n  img: busybox\n  env: s{n - 1}\n  run: echo $S{n - 1}.\n" for n in range(1, count)]


def wide(count: int) -> list[str]:
    """Parallel stages between a first and a last one."""
    middle = [f"s{n}" for n in range(1, count - 1)]
    stages = [f"{name}:\n  img: busybox\n  env: first\n  run: echo $FIRST {name}\n" for name in middle]
    last = f"last:\n  img: busybox\n  after: [{', '.join(middle)}]\n  run: echo done\n"
    return ["first:\n  img: busybox\n  run: echo first\n", *stages, last]


def diamonds(count: int) -> list[str]:
    """Alternating layers: stages that each come after one stage above, and stages that come after the whole layer above."""
    return [_in_layers(n) for n in range(count)]


def _in_layers(number: int) -> str:
    layer = number // LAYER
    above = range((layer - 1) * LAYER, layer * LAYER) if layer else range(0)
    earlier = above if layer % 2 else [number - LAYER] if layer else []
    after = f"  after: [{', '.join(f's{n}' for n in earlier)}]\n" if earlier else ""
    return f"s{number}:\n  img: busybox\n{after}  run: echo {number}\n"


def gitlab_jobs(count: int) -> str:
    """A `.gitlab-ci.yml` with `count` jobs. Each job needs the previous one."""
    first = "s0:\n  image: busybox\n  script: echo 0\n"
    needs = [f"s{n}:\n  image: busybox\n  needs: [s{n - 1}]\n  script: echo {n}\n" for n in range(1, count)]
    return first + "".join(needs)


def in_files(stages: Sequence[str], count: int) -> dict[str, str]:
    """The stages, distributed over files in order: paths and texts."""
    each = -(-len(stages) // count)
    parts = [stages[begin : begin + each] for begin in range(0, len(stages), each)]
    return {f"f{number:05}.dockercise.yaml": "".join(part) for number, part in enumerate(parts)}


SHAPES: Mapping[str, Callable[[int], list[str]]] = {"chain": chain, "wide": wide, "diamonds": diamonds}


@dataclass
class Table:
    """Prints rows, and remembers whether a limit was exceeded."""

    missed: list[str] = field(default_factory=list)

    def head(self, *columns: str) -> None:
        """Print the names of the two sides."""
        print(f"\n{'':<34}" + "".join(f"{name:>14}" for name in (*columns, "ratio", "at most")), flush=True)

    def row(self, name: str, sides: tuple[str, str], ratio: float, at_most: float | None) -> None:
        """Print one comparison. Without a limit, it is only shown."""
        bound = "" if at_most is None else f"{at_most:.2f}"
        print(f"{name:<34}{sides[0]:>14}{sides[1]:>14}{ratio:>14.2f}{bound:>14}", flush=True)
        if at_most is not None and ratio > at_most:
            self.missed.append(name)


def as_sources(stages: Sequence[str], files: int) -> list[Source]:
    """The files in the form that the compiler needs."""
    return [Source(path, text.encode()) for path, text in in_files(stages, files).items()]


def to_json(sources: Sequence[Source]) -> str:
    """Do what `compile --format json` does after it has read the files."""
    return FORMATS["json"].emit(Request(compile_sources(sources, "bench").pipeline))


def compose(texts: Sequence[str]) -> None:
    """The plain reader. Each file is discarded immediately."""
    for text in texts:
        yaml.compose(text, Loader=yaml.CSafeLoader)


def compose_and_keep(texts: Sequence[str]) -> None:
    """The plain reader. All files are kept until the last one is read."""
    kept = [yaml.compose(text, Loader=yaml.CSafeLoader) for text in texts]
    del kept


def processor_seconds(work: Callable[[], object]) -> float:
    """The processor time of some work, in seconds."""
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began


def against_compose(table: Table, stages: int, rounds: int) -> None:
    """Compare compiling to JSON with reading the YAML."""
    table.head("compose, s", "ours, s")
    for shape, make in SHAPES.items():
        for files in (1, FILES):
            sources = as_sources(make(stages), files)
            texts = [source.data.decode() for source in sources]
            ways = {"": compose_and_keep} if files == 1 else {", kept": compose_and_keep, ", dropped": compose}
            for suffix, bare in ways.items():
                pairs = [
                    (processor_seconds(lambda: bare(texts)), processor_seconds(lambda: to_json(sources)))  # noqa: B023  called here
                    for _ in range(rounds)
                ]
                ratio = statistics.median(ours / theirs for theirs, ours in pairs)
                theirs, ours = (statistics.median(side) for side in zip(*pairs, strict=True))
                name = f"{stages:,} {shape}, {files} file{'s' if files > 1 else ''}{suffix}"
                bound = COMPOSE_AT_MOST if bare is compose_and_keep else None
                table.row(name, (f"{theirs:.3f}", f"{ours:.3f}"), ratio, bound)


def growth(table: Table, rounds: int) -> None:
    """Compare the time and memory for each stage with those in the smallest pipeline."""
    for what, unit, measured in (("time", "µs", microseconds_each), ("memory", "kB", kilobytes_each)):
        table.head(f"{SIZES[0]:,}, {unit}", f"more, {unit}")
        for shape in SHAPES:
            first, *more = [(size, measured(shape, size, rounds)) for size in SIZES]
            for size, each in more:
                sides = (f"{first[1]:.1f}", f"{each:.1f}")
                table.row(f"{what} a stage, {shape} of {size:,}", sides, each / first[1], GROWTH_AT_MOST)


def microseconds_each(shape: str, stages: int, rounds: int) -> float:
    """The processor time for one stage."""
    sources = as_sources(SHAPES[shape](stages), 1)
    return 1e6 * statistics.median(processor_seconds(lambda: to_json(sources)) for _ in range(rounds)) / stages


def kilobytes_each(shape: str, stages: int, rounds: int) -> float:
    """The peak memory for one stage, minus that of a process that compiles almost nothing."""
    peaks = [peak_kilobytes(shape, stages) - peak_kilobytes(shape, 2) for _ in range(rounds)]
    return statistics.median(peaks) / stages


def peak_kilobytes(shape: str, stages: int) -> int:
    """The peak memory of a process that compiles."""
    command = [sys.executable, __file__, "--peak", shape, str(stages)]
    result = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    return int(result.stdout)


def own_peak_kilobytes() -> int:
    """The peak memory of this process. `getrusage` would include the peak of the parent process."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


def imports(table: Table, stages: int, rounds: int) -> None:
    """Compare the import of the compiled module with `import prefect`, in separate processes."""
    table.head("prefect, s", "module, s")
    for shape, make in SHAPES.items():
        with tempfile.TemporaryDirectory() as folder:
            compiled = compile_sources(as_sources(make(stages), 1), "bench").pipeline
            module = Path(folder, "bench.py")
            module.write_text(FORMATS["python"].emit(Request(compiled)), encoding="utf-8")
            environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "PYTHONPYCACHEPREFIX": f"{folder}/cache"}
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
            for code in ("import prefect", "import bench"):
                python(code, environment)
            cached = next(Path(folder, "cache").rglob("bench.*.pyc"))
            for name in ("first import", "with .pyc"):
                pairs = []
                for _ in range(rounds):
                    prefect = python("import prefect", environment)
                    if name == "first import":
                        cached.unlink()
                    pairs.append((prefect, python("import bench", environment)))
                ratio = statistics.median(ours / theirs for theirs, ours in pairs)
                theirs, ours = (statistics.median(side) for side in zip(*pairs, strict=True))
                table.row(f"{stages:,} {shape}, {name}", (f"{theirs:.2f}", f"{ours:.2f}"), ratio, IMPORT_AT_MOST)


def python(code: str, environment: dict[str, str]) -> float:
    """The processor seconds of a Python process."""
    return child_seconds([sys.executable, "-c", code], environment, None)


def child_seconds(command: Sequence[str], environment: dict[str, str] | None, folder: Path | None) -> float:
    """The processor seconds of a command and its child processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def beside_gitlab(table: Table, rounds: int) -> None:
    """Compare with gitlab-ci-local, which lists the same number of jobs, in separate processes."""
    if shutil.which("npm") is None:
        print("\ngitlab-ci-local is left out: npm is not installed", flush=True)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        installed = subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder / "npm"), GITLAB_CI_LOCAL],
            check=False,
            capture_output=True,
            text=True,
        )
        if installed.returncode:
            print(f"\ngitlab-ci-local is left out: npm could not install it\n{installed.stderr}", flush=True)
            return
        theirs = folder / "gitlab"
        ours = folder / "ours"
        for path, text in (
            (theirs / ".gitlab-ci.yml", gitlab_jobs(JOBS)),
            (ours / "f.dockercise.yaml", "".join(SHAPES["chain"](JOBS))),
        ):
            path.parent.mkdir()
            path.write_text(text, encoding="utf-8")
        git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.org"]
        for step in (
            ["init", "-q"],
            ["add", "."],
            ["commit", "-qm", "jobs"],
            ["remote", "add", "origin", "git@example.org:a/b.git"],
        ):
            subprocess.run([*git, *step], check=True, cwd=theirs)
        lister = [str(folder / "npm/node_modules/.bin/gitlab-ci-local"), "--list"]
        compiler = [sys.executable, "-m", "dockercise_prefect", "compile", str(ours), "--format", "json"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        pairs = [(child_seconds(lister, None, theirs), child_seconds(compiler, environment, None)) for _ in range(rounds)]
        medians = [statistics.median(side) for side in zip(*pairs, strict=True)]
        table.head("gitlab, s", "ours, s")
        ratio = statistics.median(mine / yours for yours, mine in pairs)
        table.row(f"{JOBS:,} jobs, whole processes", (f"{medians[0]:.2f}", f"{medians[1]:.2f}"), ratio, None)


def main() -> int:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stages", type=int, default=10_000)
    parser.add_argument(
        "--peak", nargs=2, metavar=("SHAPE", "STAGES"), help="only compile, and print this process's peak in kB"
    )
    arguments = parser.parse_args()
    if arguments.peak:
        shape, stages = arguments.peak
        to_json(as_sources(SHAPES[shape](int(stages)), 1))
        print(own_peak_kilobytes())
        return 0
    table = Table()
    against_compose(table, arguments.stages, arguments.rounds)
    growth(table, arguments.rounds)
    imports(table, arguments.stages, arguments.rounds)
    beside_gitlab(table, arguments.rounds)
    print("\nall bounds are kept" if not table.missed else f"\nmissed: {'; '.join(table.missed)}")
    return 1 if table.missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
