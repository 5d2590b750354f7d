"""The page on registering: its commands, typed unchanged in three terminals, do what the page describes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dockercise_prefect.cli import registration_options
from tests.support.prefect.prefect_records import eventually
from tests.test_user_pages import blocks

PAGE = (Path(__file__).resolve().parents[3] / "docs/registering.md").read_text()
BEGIN, REGISTER, WORKER, RECEIVER, PUSH, END = blocks(PAGE, "sh")
REGISTERED, RECEIVED, ENDED = blocks(PAGE, "text")
_VARYING = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID"),
    (r"\b[0-9a-f]{12}\b|\b[0-9a-f]{7}\b", "COMMIT"),
    (r"127\.0\.0\.1:\d+", "PLACE"),
    (r"\d+\.\d ms", "MS"),
    (r"/\S+/shop", "FOLDER"),
]


def alike(text: str) -> list[str]:
    """Lines without the parts that differ from run to run."""
    for pattern, word in _VARYING:
        text = re.sub(pattern, word, text)
    return text.splitlines()


class Terminal:
    """Shells with the same home and folder, whose server and receiver have their own addresses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.places: dict[str, str] = {}
        self._environment = {name: text for name, text in os.environ.items() if not name.startswith("PREFECT_")} | {
            "HOME": str(folder),
            "DOCKERCISE_DATA": str(folder / "data"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.org",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.org",
        }

    def type(self, script: str, within: str = ".") -> str:
        """Run a block of the page, and return its standard output."""
        done = subprocess.run(
            ["bash", "-e", "-c", self._here(script)],
            cwd=self.folder / within,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def another(self, script: str) -> Iterator[Path]:
        """Run a block in a second terminal until Ctrl-C; gives the file with its output."""
        log = self.folder / f"{len(list(self.folder.glob('*.log')))}.log"
        with log.open("w") as file:
            command = ["bash", "-e", "-c", self._here(script)]
            process = subprocess.Popen(
                command, cwd=self.folder, env=self._environment, stdout=file, stderr=file, start_new_session=True
            )
            try:
                yield log
            finally:
                os.killpg(process.pid, signal.SIGINT)
                try:
                    process.wait(timeout=60)
                except subprocess.TimeoutExpired:  # the worker can wait for ever for a run that it has reaped
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()

    def _here(self, script: str) -> str:
        for shown, real in self.places.items():
            script = script.replace(shown, real)
        return script


@pytest.fixture
def terminal(tmp_path: Path, busybox: str) -> Iterator[Terminal]:
    """A new user's first terminal; the server that the user starts is stopped at the end."""
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.type("dockercise down")


@pytest.mark.docker
def test_the_page_does_what_it_says(terminal: Terminal) -> None:
    """Each block, typed in its terminal, prints what the page shows; the run has the targets that the push touched."""
    assert shutil.which("openssl")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    terminal.places = {
        "http://127.0.0.1:8200": f"http://127.0.0.1:{port}",
        "dockercise webhook": f"dockercise webhook --port {port}",
    }
    terminal.type(BEGIN)
    found = re.search(r"http://\S+", terminal.type("dockercise up"))
    assert found is not None
    terminal.places["http://127.0.0.1:4200"] = found[0]

    registered = terminal.type(REGISTER, "shop")
    with terminal.another(WORKER), terminal.another(RECEIVER) as received:
        eventually(received.read_text, lambda text: "waits for pushes" in text)
        answer = terminal.type(PUSH, "shop")
        eventually(received.read_text, lambda text: "passed" in text, patience=120)
        shown = received.read_text()
    ended = terminal.type(f"export PREFECT_API_URL=http://127.0.0.1:4200/api\n{END}")

    assert alike(registered)[1:] == alike(REGISTERED)
    assert '"queued"' in answer
    assert sorted(alike(shown)) == sorted(alike(RECEIVED))
    assert alike(ended) == alike(ENDED)
    assert (terminal.folder / "data/results/shop").is_dir()


def test_every_option_is_told() -> None:
    """The page's table names every option of `register`, and no option that does not exist."""
    table = PAGE.partition("## What can be registered")[2].partition("##")[0]
    told = set(
        re.findall(r"(?<=`| )(--[a-z-]+)", "\n".join(line.split("|")[1] for line in table.splitlines() if line[:1] == "|"))
    )

    command = registration_options.takes_registration(lambda **_given: None)
    there = {option for parameter in command.__click_params__ for option in (*parameter.opts, *parameter.secondary_opts)}  # type: ignore[attr-defined]  # click's own
    assert told == there
