"""A compiled module that runs as a program."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command import Outcome

FLOW = Path(__file__).parents[3] / "flows" / "hello.py"


Call = Callable[..., Outcome]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs the module with arguments in this process, because a new process takes seconds."""

    def run(*arguments: str) -> Outcome:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [str(FLOW), *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(FLOW), run_name="__main__")
        printed = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), printed.out, printed.err)

    return run


def test_help_is_shown_and_nothing_runs(call: Call) -> None:
    """`--help` shows the arguments of the script, with status 0."""
    ended = call("--help")

    assert ended.status == 0
    assert "STAGE" in ended.out
    assert "dockercise run" in ended.out


def test_an_unknown_option_is_refused(call: Call) -> None:
    """An option is not taken for a stage: it is refused with status 2 before anything starts."""
    ended = call("--jobs", "3")

    assert ended.status == 2
    assert "unrecognized arguments: --jobs" in ended.err
