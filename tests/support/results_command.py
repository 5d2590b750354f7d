"""`aws results` as a process, and a browser for it without a screen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Shown:
    """A running command.

    Attributes:
        place: its first line, which names the bucket and the account.
        first: its second line, the address that lets one browser in.
        status: its exit status, after it has been interrupted.
        errors: what it printed on stderr.
    """

    place: str
    first: str
    status: int | None = None
    errors: str = field(default="")


@contextmanager
def showing(environment: Mapping[str, str], *arguments: str) -> Iterator[Shown]:
    """The command, ready to be opened. At the end, it is interrupted as by Ctrl-C."""
    command = [sys.executable, "-m", "dockercise_prefect", "aws", "results", "--no-browser", "--port", "0", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=dict(environment), **pipes) as process:  # type: ignore[call-overload]  # of Popen
        try:
            place, first = process.stdout.readline().strip(), process.stdout.readline().strip()
            assert first.startswith("http://127.0.0.1:"), process.stderr.read()
            shown = Shown(place, first)
            yield shown
            process.send_signal(2)
            _, shown.errors = process.communicate(timeout=120)
            shown.status = process.returncode
        finally:
            process.kill()
