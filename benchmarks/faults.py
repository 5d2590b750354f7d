"""Runs random pipelines with random faults, and counts what goes wrong.

    python -m benchmarks.faults [--seed 1] [--runs 500] [--at-once 3] [--minutes 60] [--kind cut] [--side engine] [--kills]

Each run has a random pipeline and a random plan with faults of one kind, either between dockercise and the engine or between
dockercise and Prefect. The number of a run decides both, so `--seed 17 --runs 1` repeats run 17. The scripts note what they did
and saw in a folder; `tests/faults` compares this with the record, with Prefect, and with the engine.

With `--kills` there are no faults, but each run is killed with SIGKILL at a random moment. Then `dockercise gc` has to bring
everything in order.

Several runs may go on at once. Each has proxies, folders and a pipeline of its own, so whatever is found belongs to it. They
share Prefect's server. Since a run also cleans up after others, `left` and `not final` may be too small then.

The exit status is 1 if there was a wrong outcome, something left after `dockercise gc`, a hung run, a traceback, or a run that
this program could not judge.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from dockercise_prefect.orchestration.prefect.local_server import ServerFolder
from dockercise_prefect.runtime.docker.connection import connect
from dockercise_prefect.runtime.docker.engine import DockerEngine
from scripts.busybox import ensure_busybox
from scripts.engine import ensure_engine
from tests.faults.case import Bench, Found, bench
from tests.faults.plan import ENGINE_REQUESTS, PREFECT_REQUESTS, Kind, Plan, random_plan
from tests.support.prefect.prefect_server import with_one_certificate

COLUMNS = (
    "runs",
    "no fault",
    "passed",
    "failed",
    "our errors",
    "wrong",
    "left",
    "after gc",
    "not final",
    "hung",
    "traces",
    "unjudged",
)
BAD = ("wrong", "after gc", "hung", "traces", "unjudged")
"""The columns that must be empty."""

SIDES = ("engine", "prefect")
UNJUDGED = "unjudged"
LATEST_KILL = 14.0
"""The latest moment of a kill, in seconds; a small run takes about as long on a busy machine."""


def main() -> int:
    """Run and print the table."""
    options = _options()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dkf-", dir="/tmp")))
        os.environ["PREFECT_API_SSL_CERT_FILE"] = with_one_certificate(folder)
        with closing(ensure_engine()) as client:
            ensure_busybox(client)
        client, address = connect()
        client.close()
        engine = stack.enter_context(closing(DockerEngine.connect()))
        server = ServerFolder(folder / "server")
        api = server.up(lambda _text: None).api_url
        stack.callback(server.down)
        table: dict[str, Counter[str]] = defaultdict(Counter)
        for label, found in _cases(options, folder, engine, address.url, api):
            table[label] += _counts(found)
            table["all"] += _counts(found)
            _tell(label, found)
        _print(table)
        if missing := options.runs - table["all"]["runs"]:
            print(f"{missing} of {options.runs} runs were not started: the time was over")
        return int(any(table["all"][column] for column in BAD))


def _cases(
    options: argparse.Namespace, folder: Path, engine: DockerEngine, engine_url: str, api: str
) -> Iterator[tuple[str, Found]]:
    own = threading.local()
    until = time.monotonic() + 60 * options.minutes

    with ExitStack() as stack:
        lock = threading.Lock()

        def one(seed: int) -> tuple[str, Found] | None:
            if time.monotonic() > until:
                return None
            with lock:
                if not hasattr(own, "bench"):
                    place = Path(tempfile.mkdtemp(dir=folder))
                    own.bench = stack.enter_context(bench(place, engine, engine_url, api))
            found = _judged(own.bench, seed, options)
            for path in own.bench.folder.glob(f"*-{seed}-{os.getpid()}*"):
                shutil.rmtree(path, ignore_errors=True)
            return found

        with ThreadPoolExecutor(options.at_once) as threads:
            yield from filter(None, threads.map(one, range(options.seed, options.seed + options.runs)))


def _judged(where: Bench, seed: int, options: argparse.Namespace) -> tuple[str, Found]:
    """A run, and what became of it. If it cannot be judged, it is counted as such, and the other runs go on."""
    label, run = _planned(where, seed, options)
    try:
        return label, run()
    except Exception:  # noqa: BLE001  whatever it is, it is shown and counted
        return label, Found(f"run-{seed}-{os.getpid()}", UNJUDGED, said=traceback.format_exc())


def _planned(where: Bench, seed: int, options: argparse.Namespace) -> tuple[str, Callable[[], Found]]:
    chance = random.Random(f"case {seed}")  # noqa: S311  not a secret
    if options.kills:
        return "killed", partial(where.kill, seed, chance.uniform(0.5, LATEST_KILL))
    side = options.side or chance.choice(SIDES)
    kind = options.kind or chance.choice(list(Kind))
    requests = ENGINE_REQUESTS if side == "engine" else PREFECT_REQUESTS
    plan, none = random_plan(seed, Kind(kind), requests), Plan(seed)
    plans = (plan, none) if side == "engine" else (none, plan)
    return f"{side}: {kind}", partial(where.faults, seed, *plans)


def _counts(found: Found) -> Counter[str]:
    return Counter(
        {
            "runs": 1,
            "no fault": not found.faults,
            "passed": found.status == "passed",
            "failed": found.status == "failed",
            "our errors": found.status == "error",
            "wrong": bool(found.wrong),
            "left": bool(found.left),
            "after gc": bool(found.left_after_gc),
            "not final": not found.final,
            "hung": found.status == "hung",
            "traces": found.trace,
            "unjudged": found.status == UNJUDGED,
        }
    )


def _tell(label: str, found: Found) -> None:
    faults = "; ".join(found.faults)
    print(f"{found.name} {label}: {found.status} {'BAD' if found.bad else ''} [{faults}]", flush=True)
    for line in found.wrong:
        print(f"    {line}", flush=True)
    for left in found.left:
        print(f"    left: {left.kind} {left.id[:12]} {left.labels.get('dockercise.stage', '')}", flush=True)
    if found.bad or found.status == UNJUDGED:
        print("    | " + "\n    | ".join(found.said.splitlines()[-40:]), flush=True)


def _print(table: dict[str, Counter[str]]) -> None:
    print(f"{'':20}" + "".join(f"{column:>11}" for column in COLUMNS))
    for label in sorted(table, key=lambda each: (each == "all", each)):
        print(f"{label:20}" + "".join(f"{table[label][column]:>11}" for column in COLUMNS))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="the number of the first run")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=600, help="start no run after so many minutes")
    parser.add_argument("--kind", choices=[kind.value for kind in Kind])
    parser.add_argument("--side", choices=SIDES)
    parser.add_argument("--kills", action="store_true", help="kill each run at a random moment")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
