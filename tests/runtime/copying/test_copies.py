"""When copies are made by overlays, when by bytes, and what is prepared beforehand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import PullPolicy, Stage, code
from dockercise_prefect.runtime.copying.copies import Copies
from dockercise_prefect.runtime.copying.trials import Trial, Trials
from dockercise_prefect.runtime.overlay import WRITABLE_FOR_ALL, OverlayFacts
from dockercise_prefect.runtime.stage.job import JobResult
from dockercise_prefect.status import StageStatus
from tests.engines.files import Entry
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedContainer, ScriptedEngine
from tests.runtime.workspaces import Ran, Seen, run_all, sh, volumes_of, workspace

TRIES = "create_volume over another"


def writes(path: str, text: bytes = b"x") -> Behaviour:
    """A stage that writes a file."""
    return Behaviour(writes={path: text})


def run_with(engine: ScriptedEngine, trials: Trials, *stages: Stage) -> Ran:
    """Run all stages in a run that knows these trials."""
    with workspace(engine, *stages, trials=trials) as ran:
        for each in stages:
            ran.run(each)
    return ran


def is_overlay(result: JobResult) -> bool:
    """Whether the stage's own volume was a copy by an overlay."""
    return result.volume is not None and result.volume.changes is not None


@pytest.mark.usefixtures("attempts")
def test_a_copy_by_an_overlay(scripted: ScriptedEngine) -> None:
    """Where the engine can, a stage works on an overlay: it has the files of the other stage, whose volume stays as it was."""
    seen, seen_later = Seen("/b/f", "/b/g"), Seen("/a/f", "/a/g")
    scripted.script("first", writes("/a/f", b"of a"))
    scripted.script("second", Behaviour(writes={"/b/g": b"of b"}, action=seen))
    scripted.script("third", Behaviour(action=seen_later))
    a = sh("a", "first")
    b = sh("b", "second", on=a)

    ran = run_all(scripted, a, b, sh("c", "third", volumes=[a.volume], after=[b]))

    assert is_overlay(ran.results["b"])
    assert seen.files == {"/b/f": b"of a", "/b/g": b"of b"}
    assert seen_later.files == {"/a/f": b"of a", "/a/g": None}
    assert scripted.leftovers() == []


def refuses(engine: ScriptedEngine) -> None:
    """The engine says that it has no overlays."""
    engine.overlays = OverlayFacts("scripted", refusal="it is rootless")


def breaks_links(engine: ScriptedEngine) -> None:
    """In a copy by an overlay, the names of one file are different files."""
    engine.breaks_links = True


def cannot(engine: ScriptedEngine) -> None:
    """The engine refuses to make such a volume."""
    engine.fail(TRIES, EngineError("no overlays here"), times=9)


@pytest.mark.parametrize(
    ("how", "tried"),
    [
        (refuses, None),
        (breaks_links, "a copy by an overlay differs in second"),
        (cannot, "no overlays here"),
    ],
)
def test_without_overlays_bytes_are_copied(
    scripted: ScriptedEngine, how: Callable[[ScriptedEngine], None], tried: str | None, tmp_path: Path
) -> None:
    """Where the engine refuses, or a trial shows that something is lost, all bytes are copied, and the reason is kept."""
    how(scripted)
    seen = Seen("/b/f")
    scripted.script("first", writes("/a/f", b"of a"))
    scripted.script("second", Behaviour(action=seen))
    a = sh("a", "first")
    trials = Trials(tmp_path)

    ran = run_with(scripted, trials, a, sh("b", "second", on=a))

    assert not is_overlay(ran.results["b"])
    assert seen.files == {"/b/f": b"of a"}
    known = trials.of("scripted")
    assert (known and known.trouble) == tried
    assert scripted.leftovers() == []


def test_an_engine_is_tried_once(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """Later runs use what a trial has shown. After a version change there is another trial."""
    a = sh("a", "x")
    b = sh("b", "y", on=a)

    tries = []
    for version in ("1", "1", "2"):
        scripted.overlays = OverlayFacts(version)
        before = scripted.calls[TRIES]
        assert is_overlay(run_with(scripted, Trials(tmp_path), a, b).results["b"])
        tries.append(scripted.calls[TRIES] - before - 1)

    assert tries == [1, 0, 1]


def test_a_failed_trial_is_repeated(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """If a trial failed, the next run tries again."""
    a = sh("a", "x")
    b = sh("b", "y", on=a)
    scripted.fail(TRIES, EngineError("not now"))

    first, second = (run_with(scripted, Trials(tmp_path), a, b).results["b"] for _ in range(2))

    assert (is_overlay(first), is_overlay(second)) == (False, True)


def test_after_an_error_there_is_another_trial(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """If the engine cannot run a stage on an overlay, what an earlier trial has shown is forgotten."""
    a = sh("a", "x")
    b = sh("b", "y", on=a)
    trials = Trials(tmp_path)
    run_with(scripted, trials, a, b)
    known = trials.of("scripted")

    with workspace(scripted, a, b, trials=trials) as ran:
        ran.run(a)
        scripted.fail("run", EngineError("cannot mount it"))
        failed = ran.run(b)

    assert (known, failed.status) == (Trial(None), StageStatus.ERROR)
    assert trials.of("scripted") is None


def test_a_copy_that_the_engine_refuses_is_made_of_bytes(scripted: ScriptedEngine) -> None:
    """If the engine refuses one copy by an overlay, the stage gets a copy of all bytes."""
    a = sh("a", "x")
    b = sh("b", "y", on=a)
    with workspace(scripted, a, b, sh("c", "z", on=a)) as ran:
        ran.run(a)
        ran.run(ran.pipeline.by_name["c"])
        scripted.fail(TRIES, EngineError("not this one"))
        result = ran.run(b)

    assert (result.status, is_overlay(result)) == (StageStatus.PASSED, False)


def test_what_is_no_plain_volume_is_copied(scripted: ScriptedEngine) -> None:
    """A volume that is a copy by an overlay itself is copied as bytes, and a copy of that is an overlay again."""
    scripted.script("first", writes("/a/f"))
    scripted.script("look", Behaviour(action=(seen := Seen("/d/f"))))
    a = sh("a", "first")
    b = sh("b", "x", on=a)
    c = sh("c", "x", on=b)
    d = sh("d", "look", on=c)

    ran = run_all(scripted, a, b, c, d)

    assert [is_overlay(ran.results[name]) for name in "abcd"] == [False, True, False, True]
    assert seen.files == {"/d/f": b"x"}


def test_one_copy_of_bytes_spares_several(scripted: ScriptedEngine) -> None:
    """If several stages copy what a stage leaves on its copy, that copy is one of all bytes, and theirs are overlays."""
    a = sh("a", "x")
    b = sh("b", "x", on=a)

    ran = run_all(scripted, a, b, sh("c", "x", on=b), sh("d", "x", on=b))

    assert [is_overlay(ran.results[name]) for name in "abcd"] == [False, False, True, True]


def test_what_may_still_be_written_is_copied(scripted: ScriptedEngine) -> None:
    """If nobody knows whether a stage has ended, a clean-up stage gets a copy of all bytes of what it left."""
    a = sh("a", "x")
    b = sh("b", "y", on=a, when="always")
    with workspace(scripted, a, b) as ran:
        scripted.fail("run", EngineError("its output was interrupted"))
        ran.run(a)
        result = ran.run(b)

    assert (ran.results["a"].exit_code, result.status, is_overlay(result)) == (None, StageStatus.PASSED, False)


@pytest.mark.parametrize(("user", "overlay"), [(None, True), ("0", True), ("1000", False)])
def test_the_code_for_another_user_is_copied(scripted: ScriptedEngine, tmp_path: Path, user: str | None, overlay: bool) -> None:
    """The code's files belong to the user of the stage, so an overlay can only show them to root."""
    (tmp_path / "f").write_text("x")

    ran = run_all(scripted, sh("a", "x", on=code, user=user), root=tmp_path)

    assert is_overlay(ran.results["a"]) is overlay


@pytest.mark.parametrize(
    ("user", "root", "seen"),
    [
        (None, Entry("folder", 0o755), (0o755, 0, 0)),
        (None, Entry("folder", 0o1777), (0o1777, 0, 0)),
        (None, Entry("folder", 0o2750, 7, 8), (0o2750, 7, 8)),
        ("1000", Entry("folder", 0o2750, 7, 8), (0o1777, 0, 0)),
    ],
)
def test_the_root_of_a_copy(scripted: ScriptedEngine, user: str | None, root: Entry, seen: tuple[int, int, int]) -> None:
    """The root has the mode and owner of the other volume's. If the stage does not run as root, everybody can write there."""
    found = []

    def look(container: ScriptedContainer) -> None:
        entry = container.entry("/b")
        assert entry is not None
        found.append((entry.mode, entry.uid, entry.gid))

    scripted.script("first", Behaviour(action=lambda container: container.write("/a", root)))
    scripted.script("second", Behaviour(action=look))
    a = sh("a", "first")

    run_all(scripted, a, sh("b", "second", on=a, user=user))

    assert found == [seen]


def test_a_discarded_attempt_leaves_nothing(scripted: ScriptedEngine) -> None:
    """If an attempt is made again, the volume with the changes of the first one is removed with it."""
    a = sh("a", "x")
    b = sh("b", "y", on=a)
    with workspace(scripted, a, b) as ran:
        ran.run(a)
        first = ran.run(b)
        ran.workspace.discard(first)
        second = ran.run(b)
        assert first.volume is not None
        assert second.volume is not None
        changes = [first.volume.changes, second.volume.changes]
    assert None not in changes
    assert changes[0] != changes[1]
    assert scripted.leftovers() == []


def test_what_can_be_prepared_is_prepared(scripted: ScriptedEngine) -> None:
    """The volume for changes and the look at the other volume's root come before the stage, which then costs no call more."""
    image = scripted.resolve_image(BUSYBOX, pull=PullPolicy.NEVER, platform=None, progress=print).id
    volumes = volumes_of(scripted)
    origin = volumes.empty("origin")
    tasks: list[Callable[[], object]] = []
    copies = Copies(scripted, volumes, Trials(None), tasks.append, lambda: image)
    copies.expect("b")
    copies.look_at(origin)
    nothing_yet = scripted.calls["put"]
    for task in tasks:
        task()
    before = scripted.calls.total()

    plan = copies.plan("b", origin)

    assert (nothing_yet, scripted.calls.total()) == (0, before)
    assert plan is not None
    assert sorted(scripted.volume(plan.changes).entries) == [
        "",
        "new",
        "new/upper",
        "new/work",
        "writable",
        "writable/upper",
        "writable/work",
    ]
    assert scripted.volume(plan.changes).entries["writable/upper"].mode == WRITABLE_FOR_ALL.mode
    assert copies.plan("b", origin) != plan


def test_a_run_without_copies_tries_nothing(scripted: ScriptedEngine) -> None:
    """A run in which no stage has `on`, or only stages that may be reused, makes no trial."""
    a = sh("a", "x")
    cached = replace(sh("b", "y", on=a), cache=sh("c", "z", cache=True).cache)
    with workspace(scripted, a, cached) as ran:
        ran.run(a)

    assert scripted.calls[TRIES] == 0


@pytest.mark.parametrize("damage", ["", "{}", "[]", "\udcff"])
def test_a_damaged_trial_is_not_known(tmp_path: Path, damage: str) -> None:
    """A file that cannot be read counts as no trial."""
    trials = Trials(tmp_path)
    trials.note("e", Trial("why"))
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_text()) == {"trouble": "why"}

    file.write_bytes(damage.encode("utf-8", "surrogateescape"))

    assert trials.of("e") is None


def test_a_folder_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    """Where trials cannot be kept, they are not known."""
    (tmp_path / "file").touch()
    trials = Trials(tmp_path / "file/folder")

    trials.note("e", Trial(None))
    trials.forget("e")

    assert trials.of("e") is None
