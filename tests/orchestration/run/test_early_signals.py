"""Signals while the command is still loading modules, and while it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, cast

import pytest

from dockercise_prefect import cli
from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.signals import Interruptions
from tests.engines.scripted import BUSYBOX

LOADED = ["click", "dockercise_prefect.compiler.compile", "pydantic", "prefect.settings.base"]
"""Modules whose import marks a moment of the start: of the command line, of the compiler, of Prefect."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a pipeline."""
    root = tmp_path / "early"
    root.mkdir()
    (root / "early.dockercise.yaml").write_text(f"never: {{img: {BUSYBOX}, run: 'true'}}\n")
    return root


@pytest.mark.parametrize("module", LOADED)
@pytest.mark.parametrize(
    "numbers", [(signal.SIGTERM,), (signal.SIGHUP,), (signal.SIGINT, signal.SIGINT)], ids=["TERM", "HUP", "INT-INT"]
)
def test_a_signal_during_the_start_is_answered(numbers: tuple[signal.Signals, ...], module: str, folder: Path) -> None:
    """Whatever is being loaded, the exit status is 130, and `--json` prints the object of a cancelled run."""
    defaults = ["env", "--default-signal=HUP,INT"]
    command = [*defaults, sys.executable, "-X", "importtime", "-m", "dockercise_prefect", "run", "-C", str(folder), "--json"]
    environment = os.environ | {"PREFECT_API_URL": "http://127.0.0.1:9/api"}  # no answer is awaited
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    for line in cast("IO[str]", process.stderr):
        if line.startswith("import time:") and line.rpartition("|")[2].strip() == module:
            break

    for number in numbers:
        process.send_signal(number)
    output, errors = process.communicate(timeout=120)

    assert process.returncode == ExitStatus.INTERRUPTED, errors
    summary = json.loads(output)
    assert summary["status"] == "cancelled"
    assert summary["stages"]["never"]["status"] == "not_started"
    assert "Traceback" not in errors


SERIALIZING = """
import os, signal, sys

def interrupt(frame, event, argument):
    if event == "call" and frame.f_code.co_name == "_ser_model":
        sys.setprofile(None)
        os.kill(os.getpid(), signal.SIGTERM)

sys.setprofile(interrupt)
"""
"""Interrupts Python while Prefect, in its start, has pydantic write out its settings. pydantic raises its own error then."""


def test_a_signal_is_answered_while_prefect_loads_its_settings(folder: Path, tmp_path: Path) -> None:
    """The exit status is 130, `--json` prints the object of a cancelled run, and nobody sees a traceback."""
    (tmp_path / "sitecustomize.py").write_text(SERIALIZING)
    command = [sys.executable, "-m", "dockercise_prefect", "run", "-C", str(folder), "--json"]
    environment = os.environ | {"PREFECT_API_URL": "http://127.0.0.1:9/api", "PYTHONPATH": str(tmp_path)}

    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)

    assert ended.returncode == ExitStatus.INTERRUPTED, ended.stderr
    assert json.loads(ended.stdout)["status"] == "cancelled"
    assert "Traceback" not in ended.stderr


def test_an_error_of_a_library_after_a_signal_is_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that turns a KeyboardInterrupt into its own error does not change how a command ends."""
    signals = Interruptions()

    def interrupted(*_arguments: object, **_options: object) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt as error:
            raise ValueError from error

    monkeypatch.setattr(cli, "OF_THE_COMMAND", signals)
    monkeypatch.setattr(cli.dockercise, "main", interrupted)
    with signals.installed():
        signals.release()

        assert cli.command() == ExitStatus.INTERRUPTED


def test_a_signal_that_is_held_comes_later_and_once() -> None:
    """A signal that arrives while signals are held is raised at their release; a repetition is not."""
    signals = Interruptions()
    with signals.installed():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)

        with pytest.raises(KeyboardInterrupt):
            signals.release()
        signals.release()


def test_a_second_signal_at_once_breaks_nothing_off() -> None:
    """A signal that is not held raises immediately; one that follows immediately is dropped."""
    signals = Interruptions()
    with signals.installed(), signals.released():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

        signal.raise_signal(signal.SIGINT)


def test_handlers_of_before_come_back() -> None:
    """Outside the block, the earlier handlers of signals are in place again."""
    before = signal.getsignal(signal.SIGINT)

    with Interruptions().installed():
        inside = signal.getsignal(signal.SIGINT)

    assert inside != before
    assert signal.getsignal(signal.SIGINT) is before
