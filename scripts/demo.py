"""`make demo`: runs a pipeline with the installed package, and shows the run in Prefect's UI.

Runs on `.venv`'s Python. Each step says what it does. A second run uses everything that already exists.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from typing import Any

from scripts.busybox import ensure_busybox
from scripts.console import SetUpError, run_script, say
from scripts.engine import ensure_engine
from scripts.environment import ROOT

DOCKERCISE = (sys.executable, "-m", "dockercise_prefect")
PIPELINE = "flows/hello"


def show() -> dict[str, Any]:
    """Run the demonstration, and return the run's summary, the object of `dockercise run --json`.

    Raises:
        SetUpError: a step failed.
    """
    with closing(ensure_engine()) as client:
        ensure_busybox(client)
    say("dockercise up: the local Prefect server")
    _dockercise("up")
    say(f"dockercise compile {PIPELINE} -o flows")
    _dockercise("compile", PIPELINE, "-o", "flows")
    say(f"dockercise run -C {PIPELINE}")
    # The summary goes to stdout, and the progress directly to the terminal.
    summary: dict[str, Any] = json.loads(_dockercise("run", "-C", PIPELINE, "--json"))
    return summary


def _dockercise(*arguments: str) -> str:
    done = subprocess.run(
        [*DOCKERCISE, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise SetUpError(
            f"`dockercise {' '.join(arguments)}` ended with exit status {done.returncode}",
            "see what it said above; `make demo` again",
        )
    return done.stdout


def main() -> None:
    """Run the demonstration and print where to look."""
    summary = show()
    say(f"the run in Prefect's UI: {summary['flow_run_url']}")
    say(f"its results: {summary['results']}")
    say("more: .venv/bin/dockercise --help; `.venv/bin/dockercise down` stops the local server")


if __name__ == "__main__":
    run_script(main)
