"""Members that are made from what a stage printed, in runs on an engine in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dockercise_prefect.pipeline import Pipeline, each, stage
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine
from tests.orchestration.run.stage_world import StageWorld, stage_world
from tests.orchestration.scheduling.scheduled_run import run_all


def fan_out(
    tmp_path: Path, printed: bytes, *, member: Behaviour | None = None, **more: Any
) -> tuple[dict[str, str], StageWorld]:
    """Run `lines`, which prints this, `test` with a member for each line, and `end`. `more` are keys of `lines`."""
    engine = ScriptedEngine()
    engine.script("print the lines", Behaviour(stdout=printed))
    engine.script("test a line", member or Behaviour(stdout=b"fine\n"))
    lines = stage("lines", image=BUSYBOX, run="print the lines", **more)
    test = stage("test", image=BUSYBOX, run="test a line", each=each(lines))
    end = stage("end", image=BUSYBOX, run="end", env={"TEST": test.value}, reads=[test])
    with stage_world(engine, Pipeline("p", [lines, test, end]), tmp_path) as world:
        ends = run_all(world)
    return ends, world


def test_members_of_lines(tmp_path: Path) -> None:
    """There is one member for each line, and the record has its value under its name."""
    ends, world = fan_out(tmp_path, b"a\n\n b/c \na\n")

    assert ends == {"lines": "passed", "test": "passed", "test(a)": "passed", "test(b_c)": "passed", "end": "passed"}
    assert world.entry("test(b_c)")["value"] == "fine"
    assert {"test(a).log", "test(a).out"} <= world.files()
    assert world.bundled().keys() >= {"lines", "test(a)", "test(b_c)"}


def test_too_many_lines(tmp_path: Path) -> None:
    """With more lines than members are allowed, the stage fails and says so, and no member is made."""
    ends, world = fan_out(tmp_path, b"".join(b"%d\n" % number for number in range(1_001)))

    assert ends == {"lines": "passed", "test": "failed", "end": "not_started"}
    assert "lines printed 1,001 lines, but `each` makes at most 1,000 members" in world.entry("test")["message"]


def test_lines_that_are_too_long_together(tmp_path: Path) -> None:
    """A stage that prints megabytes has no members, and its output is not read into memory."""
    ends, world = fan_out(tmp_path, b"x" * (5 << 20))

    assert ends == {"lines": "passed", "test": "failed", "end": "not_started"}
    assert "lines printed more than 4m" in world.entry("test")["message"]


def test_a_line_that_cannot_be_a_variable(tmp_path: Path) -> None:
    """Such a line fails its own member, with the reason of any variable; the others run."""
    ends, world = fan_out(tmp_path, b"a\nnul\0\n\xff\n")

    assert ends["test(a)"] == "passed"
    assert sorted(ends.values()) == ["failed", "failed", "failed", "not_started", "passed", "passed"]
    assert "EACH cannot be a variable: it contains a NUL byte" in world.entry("test(nul_)")["message"]


def test_sensitive_lines(tmp_path: Path) -> None:
    """Members of sensitive lines are numbered, and no file of the record has a line, although a member prints its own."""
    leaking = Behaviour(stdout=b"using hunter2-a\n")
    ends, world = fan_out(tmp_path, b"hunter2-a\nhunter2-b\n", member=leaking, no_log=True)

    assert list(ends) == ["lines", "test", "test(1)", "test(2)", "end"]
    assert world.entry("test(1)")["sensitive"] is True
    for path in world.store.folder.iterdir():
        assert b"hunter2" not in path.read_bytes(), path.name
    assert "hunter2" not in json.dumps([str(event) for event in world.events])
