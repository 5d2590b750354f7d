"""Which stages an engine starts, according to its own events."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.support.prefect.prefect_records import eventually


@contextmanager
def started_stages(pipeline: str, log: Path) -> Iterator[Callable[[], list[str]]]:
    """Returns the stages of a pipeline whose containers the engine has started since, according to its events."""
    command = ["docker", "events", '--format={{.Action}} {{index .Actor.Attributes "dockercise.stage"}}']
    command += ["--filter", "type=container", "--filter", f"label=dockercise.pipeline={pipeline}"]
    with log.open("w") as file, subprocess.Popen(command, stdout=file) as process:
        try:
            time.sleep(1)  # until it listens: the engine says nothing about that
            yield partial(_started, log)
        finally:
            process.terminate()


def _started(log: Path) -> list[str]:
    """The stages in the events, which may come late: each container that was made has been removed at the end of its run."""
    events = eventually(
        lambda: [line.split(" ") for line in log.read_text().splitlines()],
        lambda found: [kind for kind, _ in found].count("create") == [kind for kind, _ in found].count("destroy"),
    )
    return [stage for kind, stage in events if kind == "start"]
