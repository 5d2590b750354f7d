"""The output of stages: where it is kept, and who gets it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from dockercise_prefect.errors import StorageError
from dockercise_prefect.orchestration.run.events import Notice
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.results.record.output_file import OutputFile
from dockercise_prefect.results.record.store import StdoutWriter
from dockercise_prefect.runtime.attempts import RunAttempt
from dockercise_prefect.runtime.stage.attempt import run_attempt
from tests.compiler.sources import compiled
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedContainer, ScriptedEngine
from tests.orchestration.run.stage_world import StageWorld, stage_world
from tests.runtime.attempt_process import in_a_process

PRINTED = b" first\r\n\xff\0 and last \n\n"
SECRET = "correct horse"


def pipeline_text(more: str) -> str:
    """Two stages, of which the second reads the output of the first."""
    return f"meta: {{secrets: PASSWORD}}\na: {{img: {BUSYBOX}, run: print, {more}}}\nb: {{img: {BUSYBOX}, run: use, after: a}}"


def seen_by_consumer(
    scripted: ScriptedEngine, tmp_path: Path, printed: bytes, more: str, outside: Mapping[StageName, Mapping[str, str]]
) -> tuple[StageWorld, list[bytes]]:
    """Run both stages; return the run, and the contents of `/out/a` in the second stage."""
    found: list[bytes] = []

    def look(container: ScriptedContainer) -> None:
        found.append(container.read("/out/a"))

    scripted.script("print", Behaviour(stdout=printed))
    scripted.script("use", Behaviour(action=look))
    with stage_world(scripted, compiled(a=pipeline_text(more)), tmp_path, outside) as world:
        world.run("a")
        world.run("b")
    return world, found


def test_what_is_not_sensitive_is_in_its_file_byte_for_byte(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """The file, the bundle and the consumer have exactly the printed bytes."""
    world, found = seen_by_consumer(scripted, tmp_path, PRINTED, "noLog: false", {})

    assert (world.store.folder / "a.out").read_bytes() == PRINTED
    assert world.bundled() == {"a": PRINTED, "b": b""}
    assert found == [PRINTED]


def test_it_is_there_while_the_stage_prints(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """The file of a running stage has everything that the stage has printed so far."""
    so_far: list[bytes] = []
    with stage_world(scripted, compiled(a=pipeline_text("noLog: false")), tmp_path) as world:
        writer = world.outputs.writer("a")
        for piece in (b"one\n", b"two\n"):
            writer.write(piece)
            so_far.append((world.store.folder / "a.out").read_bytes())
        writer.close()

    assert so_far == [b"one\n", b"one\ntwo\n"]


@pytest.mark.parametrize("attempt", [run_attempt, in_a_process], ids=["here", "in a process"])
@pytest.mark.parametrize(
    ("more", "printed", "why"),
    [
        ("noLog: true", b"quiet\n", None),
        ("env: {PASSWORD: password}", f"it is {SECRET}\n".encode(), "it contains something sensitive"),
    ],
    ids=["noLog", "a secret in it"],
)
def test_what_the_record_may_not_have_lies_in_a_volume_of_the_run(
    scripted: ScriptedEngine, tmp_path: Path, more: str, printed: bytes, why: str | None, *, attempt: RunAttempt
) -> None:
    """Such output is only in a labelled volume on the engine for the consumer; the volume is removed with the run."""
    outside = {"a": {"PASSWORD": SECRET}} if why else {}
    scripted.script("print", Behaviour(stdout=printed))
    with stage_world(scripted, compiled(a=pipeline_text(more)), tmp_path, outside, attempt=attempt) as world:
        stdout = world.run("a").stdout
        assert stdout is not None
        (volume,) = [each for each in scripted.leftovers() if each.id == stdout.volume]
        with world.outputs.open(stdout) as opened:
            kept = b"".join(opened.chunks())

    assert (kept, stdout.file) == (printed, None)
    assert volume.kind == "volume"
    assert volume.labels["dockercise.run"] == "20261122T190312Z-7f3a"
    assert scripted.leftovers() == []
    assert "a.out" not in world.files()
    assert world.entry("a")["left_out"].get("output") == why
    assert world.entry("a")["output_digest"] is None
    assert printed.strip() not in b"".join(path.read_bytes() for path in world.store.folder.iterdir())
    said = [event.text for event in world.events if isinstance(event, Notice)]
    assert said == ([] if why is None else ["the output of a is not kept: it contains something sensitive"])


def test_a_consumer_gets_it_from_there(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """Output that is not in the record reaches the stages that need it byte for byte."""
    world, found = seen_by_consumer(scripted, tmp_path, PRINTED, "noLog: true", {})

    assert found == [PRINTED]
    assert world.bundled() == {"b": b""}


def test_what_a_sensitive_stage_printed_is_kept_if_it_is_clean(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """Output without a secret is in the record when the stage has ended; its value is not in any JSON."""
    world, found = seen_by_consumer(scripted, tmp_path, b"clean\n", "env: {PASSWORD: password}", {"a": {"PASSWORD": SECRET}})

    assert (world.store.folder / "a.out").read_bytes() == b"clean\n"
    assert (world.entry("a")["value"], world.entry("a")["left_out"]) == (None, {})
    assert found == [b"clean\n"]


class FailingStore(LocalStore):
    """A store whose disk is full after some bytes of an output."""

    def output(self, name: str) -> StdoutWriter:
        """See `RunStore`."""
        return FailingFile(self.folder / f"{name}.out")


class FailingFile(OutputFile):
    """A file that takes one piece."""

    def write(self, chunk: bytes) -> None:
        """Append the first piece."""
        if self.path.stat().st_size:
            raise StorageError("the disk is full")
        super().write(chunk)


def test_a_record_that_fails_decides_over_no_stage(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """If the record cannot take all of an output, the stage passes, the consumer gets it, and the run reports it."""
    with stage_world(scripted, compiled(a=pipeline_text("noLog: false")), tmp_path, open_store=FailingStore) as world:
        writer = world.outputs.writer("a")
        for piece in (b"one\n", b"two\n", b"three\n"):
            writer.write(piece)
        stdout = writer.close()
        with world.outputs.open(stdout) as opened:
            kept = b"".join(opened.chunks())

    assert (kept, stdout.file) == (b"one\ntwo\nthree\n", None)
    assert world.record.storage_error == "the disk is full"
    assert "a.out" not in world.files()
