"""The contents of a stage's volume are passed on, on either engine."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator

import pytest

from dockercise_prefect.archives.tarball import members
from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import stage
from dockercise_prefect.runtime.engine import Engine, FileStream
from dockercise_prefect.runtime.secrets.masking import Masker
from dockercise_prefect.status import StageStatus
from tests.engines.scripted import Behaviour, ScriptedEngine
from tests.runtime.workspaces import run_all, sh, workspace
from tests.support.interrupting import press_ctrl_c, wait_for_the_end_of_the_run


def files(volume: bytes | None) -> dict[str, bytes]:
    """The regular files of a volume by their paths."""
    assert volume is not None
    return {member.name: b"".join(content) for member, content in members([volume]) if member.isreg()}


def writing(engine: ScriptedEngine) -> ScriptedEngine:
    """The engine, on which the script `x` of the stage `a` writes a file."""
    engine.script("x", Behaviour(writes={"/a/f": b"\n"}))
    return engine


@pytest.mark.docker
def test_what_a_stage_wrote_is_handed_on(docker_engine: Engine, run_id: str) -> None:
    """Modes, links and times are kept, below the stage's name, also if the stage failed; an empty volume counts as none."""
    wrote = sh("wrote", 'cd "$OUT"; mkdir sub; echo hello > sub/f; chmod 751 sub/f; ln -s sub/f link; exit 3')
    idle = sh("idle", "true")

    ran = run_all(docker_engine, wrote, idle, run_id=run_id)

    entries = {member.name.rstrip("/"): member for member, _ in members([ran.volumes["wrote"] or b""])}
    assert ran.results["wrote"].status is StageStatus.FAILED
    assert files(ran.volumes["wrote"]) == {"wrote/sub/f": b"hello\n"}
    assert entries["wrote/sub/f"].mode & 0o7777 == 0o751
    assert entries["wrote/link"].linkname == "sub/f"
    assert ran.volumes["idle"] is None


@pytest.mark.docker
@pytest.mark.parametrize(
    ("user", "script", "found"),
    [
        (None, "chmod 700 $OUT", (0o700, 0, 0)),
        (None, "chown 5:6 $OUT", (0o755, 5, 6)),
        ("1000:1000", "true", (0o1777, 0, 0)),
        (None, "chmod 700 $OUT; touch $OUT/x; rm $OUT/x; chmod 755 $OUT", None),
    ],
)
def test_the_root_of_an_empty_volume_counts(
    docker_engine: Engine, run_id: str, user: str | None, script: str, found: tuple[int, int, int] | None
) -> None:
    """A volume without files that another stage mounts is passed on if its root has another mode or owner than a new volume."""
    a = sh("a", script, user=user)
    ran = run_all(docker_engine, a, sh("b", "true", volumes=[a.volume]), run_id=run_id)

    roots = (
        [(member.mode & 0o7777, member.uid, member.gid) for member, _ in members([ran.volumes["a"] or b""])] if found else []
    )
    assert roots == ([found] if found else [])
    assert (ran.volumes["a"] is None) is (found is None)


@pytest.mark.parametrize(
    ("script", "writes", "on", "seen", "reads"),
    [
        ("echo hi", {}, False, False, 0),
        ("echo hi", {}, False, True, 1),
        ("date > $OUT/f", {"/b/f": b"\n"}, False, False, 1),
        ("echo hi again", {}, True, False, 1),
    ],
)
def test_a_volume_that_nobody_has_written_to_is_not_read(
    script: str, writes: dict[str, bytes], on: bool, seen: bool, reads: int
) -> None:
    """A volume is read only if it was written to, if another stage uses it, or if it began as a copy."""
    paths: list[str] = []

    class Listening(ScriptedEngine):
        def get(self, container: str, path: str) -> FileStream:
            paths.append(path)
            return super().get(container, path)

    engine = Listening()
    engine.script(script, Behaviour(writes=writes))
    engine.script("$OUT/file", Behaviour(writes={"/a/file": b"\n"}))
    a = sh("a", "echo > $OUT/file")
    b = sh("b", script, **({"on": a} if on else {}))
    c = sh("c", "never", volumes=[b.volume] if seen else [])
    with workspace(engine, a, b, c) as ran:
        ran.run(a)
        ran.run(b)

    assert paths.count("/b") == reads
    assert (ran.volumes["b"] is not None) == (bool(writes) or on)


def test_stages_that_have_no_volume_to_keep_say_so_once(engine: Engine, run_id: str) -> None:
    """A sensitive stage, one that joins others and one that never ran pass on nothing, and report that once."""
    silent = sh("silent", 'echo x > "$OUT/f"', no_log=True)
    ran = run_all(engine, silent, stage("join"), run_id=run_id)

    assert ran.volumes == {"silent": None, "join": None}


def test_a_volume_that_cannot_be_read_raises_where_it_is_read() -> None:
    """The code that keeps the volume gets the engine's error, and the stage still passes."""

    class Gone(ScriptedEngine):
        def get(self, container: str, path: str) -> FileStream:
            if path == "/a":
                raise EngineError("the engine is gone")
            return super().get(container, path)

    met: list[EngineError] = []

    def keep(given: Iterator[bytes] | None) -> None:
        with pytest.raises(EngineError) as error:
            list(given or ())
        met.append(error.value)

    a = sh("a", "x")
    with workspace(writing(Gone()), a) as ran:
        result = ran.run(a, keep=keep)

    assert result.status is StageStatus.PASSED
    assert [error.message for error in met] == ["the engine is gone"]


def test_reading_ends_when_nobody_wants_to_wait() -> None:
    """After `kill`, the reading of a volume ends early, and the container is removed."""
    reading, killed = threading.Event(), threading.Event()
    met: list[EngineError] = []

    class Endless(ScriptedEngine):
        def get(self, container: str, path: str) -> Generator[bytes, None, None]:
            if path != "/a":
                yield from super().get(container, path)
                return
            while True:
                yield bytes(65_536)

    def keep(given: Iterator[bytes] | None) -> None:
        try:
            for _ in given or ():
                reading.set()
                killed.wait(60)
        except EngineError as error:
            met.append(error)

    engine = writing(Endless())
    a = sh("a", "x")
    with workspace(engine, a) as ran:
        ran.run(a, keep=keep)
        assert reading.wait(60)
        ran.workspace.kill()
        killed.set()

    assert [error.message for error in met] == ["the run was killed"]
    assert engine.leftovers() == []


def test_reading_ends_when_the_end_of_a_run_is_interrupted() -> None:
    """If the clean-up is interrupted, the reading ends with an error first, so that nobody keeps half a volume."""
    over = threading.Event()
    met: list[str] = []

    class Endless(ScriptedEngine):
        def get(self, container: str, path: str) -> Generator[bytes, None, None]:
            if path != "/a":
                yield from super().get(container, path)
                return
            wait_for_the_end_of_the_run()
            press_ctrl_c()
            while not over.wait(0.01):
                yield bytes(65_536)

    def keep(given: Iterator[bytes] | None) -> None:
        try:
            for _ in given or ():
                pass
        except EngineError as error:
            met.append(error.message)

    a = sh("a", "x")
    try:
        with pytest.raises(KeyboardInterrupt), workspace(writing(Endless()), a) as ran:
            ran.run(a, keep=keep)
        ended = list(met)
    finally:
        over.set()

    assert ended == ["the run was killed"]


def test_what_is_printed_is_passed_on_masked_and_kept_as_it_is(scripted: ScriptedEngine) -> None:
    """The log and the last lines in a failure's message are masked; the value for other stages is not."""
    scripted.script("leak", Behaviour(stdout=b"key: correct ho", stderr=b"no entry with correct horse\n", exit_code=1))
    masker = Masker()
    masker.add(b"correct horse")
    a = sh("a", "leak")
    with workspace(scripted, a, masker=masker) as ran:
        result = ran.run(a)

    assert ran.output["a", "stderr"] == b"no entry with ***\n"
    assert ran.output["a", "stdout"] == b"key: correct ho"
    assert "correct horse" not in str(result.message)
    assert ran.value("a") == b"key: correct ho"


def test_what_is_no_archive_is_an_error_of_the_engine() -> None:
    """A stream that ends in its middle is not taken for an empty volume."""

    class Cut(ScriptedEngine):
        def get(self, container: str, path: str) -> FileStream:
            return (each for each in [b"x" * 700]) if path == "/a" else super().get(container, path)

    a = sh("a", "x")
    met: list[EngineError] = []

    def keep(given: Iterator[bytes] | None) -> None:
        with pytest.raises(EngineError) as error:
            list(given or ())
        met.append(error.value)

    with workspace(writing(Cut()), a) as ran:
        ran.run(a, keep=keep)

    assert "as a damaged archive" in met[0].message
