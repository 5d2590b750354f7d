"""How tests call the command line: the whole command, with its output and its exit status, but in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from dockercise_prefect.cli import main


class Outcome(NamedTuple):
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Call `dockercise` with arguments, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    # Commands set them for their own process, which here is the process of all tests.
    monkeypatch.setenv("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    monkeypatch.setenv("PREFECT_LOGGING_INTERNAL_LEVEL", "CRITICAL")

    def call(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["dockercise", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), printed.out, printed.err)

    return call
