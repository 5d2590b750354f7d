"""A whole run on one scripted engine: what is made, in which order, and that it is gone at the end."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dockercise_prefect.errors import DefinitionError, EngineError
from dockercise_prefect.pipeline import Pipeline, bind, code, engine_volume, host, stage
from dockercise_prefect.runtime.cleanup.labels import RunIdentity
from dockercise_prefect.runtime.options import RuntimeOptions
from dockercise_prefect.runtime.workspace import Workspace
from dockercise_prefect.status import StageStatus
from tests.engines.scripted import Behaviour, ScriptedEngine
from tests.runtime.workspaces import IDENTITY, Ran, Seen, run_all, sh, workspace
from tests.support.prefect.prefect_records import eventually


def test_out_holds_what_a_stage_depends_on_byte_for_byte_and_nothing_else(scripted: ScriptedEngine) -> None:
    """`/out/<stage>` is the exact stdout of each stage to which there is an edge, and contains no others."""
    seen = Seen("/out/a", "/out/b", "/out/c☃")
    scripted.script("print a", Behaviour(stdout=b" \xff\x00raw \n\n", stderr=b"noise"))
    scripted.script("look", Behaviour(action=seen))
    a, b, c = sh("a", "print a"), sh("b", "print b"), sh("c☃", "print c")

    run_all(scripted, a, b, c, sh("d", "look", after=[a, c]))

    assert seen.files == {"/out/a": b" \xff\x00raw \n\n", "/out/b": None, "/out/c☃": b""}
    assert seen.modes == {"a": 0o444, "c☃": 0o444}


def test_a_stage_without_dependencies_has_no_out(scripted: ScriptedEngine) -> None:
    """If there is nothing to read, nothing is mounted."""
    run_all(scripted, sh("a", "x"))

    assert [mount.target for mount in scripted.specs[0].mounts] == ["/a"]


def test_stages_with_the_same_needs_share_one_out(scripted: ScriptedEngine) -> None:
    """Many stages with the same needs and without a slot share one read-only volume."""
    root = sh("root", "x")
    fan = [sh(f"s{number}", "y", after=[root], network="none") for number in range(5)]

    run_all(scripted, root, *fan)

    mounts = [mount for spec in scripted.specs for mount in spec.mounts if mount.target == "/out"]
    assert len(mounts) == 5
    assert len({mount.source for mount in mounts}) == 1
    assert all(mount.read_only for mount in mounts)


def test_out_is_filled_before_anybody_asks_for_it(scripted: ScriptedEngine) -> None:
    """The output of an ended stage is prepared for the stages that can start now and have no slot, and for no others."""
    scripted.script("print", Behaviour(stdout=b"x"))
    a, b, none = sh("a", "print"), sh("b", "print"), {"network": "none"}
    with workspace(
        scripted, a, b, sh("c", "y", after=[a], **none), sh("d", "y", after=[a, b], **none), sh("e", "y", after=[a])
    ) as ran:
        ran.run(a)
        ran.workspace._background.close()

        volumes = [each.id for each in scripted.leftovers() if each.kind == "volume" and each.id.endswith("-out")]
        files = [sorted(scripted.volume(volume).entries) for volume in volumes]

    assert [names for names in files if names != [""]] == [["", "a"]]


def test_nothing_secret_is_stored(scripted: ScriptedEngine) -> None:
    """No container's configuration contains a stage's value or an outside variable."""
    scripted.script("make token", Behaviour(stdout=b"v4lue\n"))
    a = sh("a", "make token")
    b = sh("b", "use it", env={"A": a.value, "TOKEN": host("TOKEN"), "LEVEL": "plain"})

    run_all(scripted, a, b, outside={"TOKEN": "outs1de"})

    stored = repr(scripted.specs)
    assert "v4lue" not in stored
    assert "outs1de" not in stored
    assert scripted.specs[-1].env["LEVEL"] == "plain"
    assert b"export A='v4lue'" in scripted.runs[-1].stdin
    assert b"export TOKEN='outs1de'" in scripted.runs[-1].stdin


def test_everything_made_carries_the_labels(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """Everything has the labels of run, pipeline, flow run and owner; things of a stage also have the stage's label."""
    a = sh("a'☃.", "x", volumes=[code])
    with workspace(scripted, a, sh("b", "y", after=[a]), root=tmp_path) as ran:
        for each in ran.pipeline:
            ran.run(each)
        left = scripted.leftovers()

    everything = [spec.labels for spec in scripted.specs] + [each.labels for each in left]
    assert all(labels["dockercise.run"] == IDENTITY.run_id for labels in everything)
    assert all(labels["dockercise.pipeline"] == "p☃" for labels in everything)
    assert all(labels["dockercise.flow_run"] == IDENTITY.flow_run_id for labels in everything)
    assert all(labels["dockercise.owner"] for labels in everything)
    assert {labels.get("dockercise.stage") for labels in everything} == {None, "a'☃.", "b"}


def test_nothing_is_left(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """After a run, passed or failed, the engine is as it was, and its own volumes are kept."""
    scripted.script("fail", Behaviour(exit_code=2))
    a = sh("a", "x", volumes=[code, engine_volume("cache", "/cache")])

    run_all(scripted, a, sh("b", "fail", after=[a], on=a, user="1000"), root=tmp_path)

    assert scripted.leftovers() == []
    assert scripted.volume_exists("cache")


def test_a_run_removes_nothing_of_another(scripted: ScriptedEngine) -> None:
    """Even if two runs have the same id, each removes only its own things."""
    other = RunIdentity(IDENTITY.run_id, IDENTITY.pipeline, "another flow run")
    one = sh("a", "x")
    with Workspace(scripted, Pipeline("p☃", [one]), other, RuntimeOptions(None, 1, aws=False), print) as space:
        space.prepare()
        Ran(space, Pipeline("p☃", [one])).run(one)

        run_all(scripted, one)

        assert [each.labels["dockercise.flow_run"] for each in scripted.leftovers()] == ["another flow run"]


def test_an_engine_that_fails_for_a_moment_is_asked_again(scripted: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the clean-up fails, it is repeated."""
    monkeypatch.setattr("dockercise_prefect.runtime.workspace.PAUSE", 0)
    with workspace(scripted, sh("a", "x")) as ran:
        ran.run(ran.pipeline.by_name["a"])
        scripted.fail("discard", EngineError("busy"))

    assert scripted.leftovers() == []


def test_what_cannot_be_removed_is_told(scripted: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the engine is gone, the run still ends, and it reports what to look for."""
    monkeypatch.setattr("dockercise_prefect.runtime.workspace.PAUSE", 0)
    with workspace(scripted, sh("a", "x")) as ran:
        ran.run(ran.pipeline.by_name["a"])
        scripted.die()

    assert len(ran.said) == 1
    assert f"dockercise.run={IDENTITY.run_id}" in ran.said[0]


def test_an_image_is_resolved_once(scripted: ScriptedEngine) -> None:
    """All stages that name an image run the same digest; another platform is resolved separately."""
    stages = [sh("a", "x"), sh("b", "x"), sh("c", "x", pull="never"), sh("d", "x", platform="linux/arm64")]

    ran = run_all(scripted, *stages)

    assert len(scripted.resolved) == 2
    assert len({result.image_digest for result in ran.results.values()}) == 1


def test_all_missing_images_are_named_at_once(scripted: ScriptedEngine) -> None:
    """Nothing starts, and one error names every missing image."""
    stages = [stage("a", image="no/such:1", run="x"), sh("b", "x"), stage("c", image="nor/this:2", run="x")]

    with pytest.raises(EngineError) as caught, workspace(scripted, *stages):
        pass

    assert "no/such:1" in str(caught.value)
    assert "nor/this:2" in str(caught.value)
    assert scripted.specs == []


def test_a_bind_below_the_root_stays_below_it(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """`./x` is a path below the root, also through links; one error names all that lead outside or do not exist."""
    root = tmp_path / "root"
    (root / "data").mkdir(parents=True)
    (root / "alias").symlink_to("data")
    (root / "escape").symlink_to("/etc")
    good = sh("a", "x", volumes=[bind("./alias", "/data", "ro"), bind("/srv", "/host")])
    bad = sh("b", "x", volumes=[bind("./escape", "/1"), bind("./none", "/2")])

    run_all(scripted, good, root=root)
    with pytest.raises(DefinitionError) as caught, workspace(scripted, bad, root=root):
        pass

    mounts = {mount.target: (mount.kind, mount.source, mount.read_only) for mount in scripted.specs[0].mounts}
    assert mounts["/data"] == ("host", str(root / "data"), True)
    assert mounts["/host"] == ("host", "/srv", False)
    assert [finding.code for finding in caught.value.diagnostics] == ["DK053", "DK053"]


def test_a_missing_folder_with_the_name_of_a_stage_gets_a_hint(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """If `./a` does not exist and a stage is called `a`, the error suggests the stage's volume."""
    stages = [sh("a", "x"), sh("b", "x", volumes=[bind("./a", "/1"), bind("./none", "/2")])]

    with pytest.raises(DefinitionError) as caught, workspace(scripted, *stages, root=tmp_path):
        pass

    hints = [finding.hint for finding in caught.value.diagnostics]
    assert hints == ["did you mean `a:/1`, the volume of the stage `a`?", None]


def test_an_external_volume_that_is_there_is_left_alone(scripted: ScriptedEngine) -> None:
    """The engine's own volume is used unchanged, and made, without our labels, if it is missing."""
    scripted.create_volume("old", {"by": "hand"})

    run_all(scripted, sh("a", "x", volumes=[engine_volume("old", "/1"), engine_volume("new", "/2", "ro")]))

    assert scripted.calls["create_volume"] == 3
    assert scripted.volume_exists("new")


def test_on_copies_what_a_stage_left(scripted: ScriptedEngine) -> None:
    """`on` starts from a private copy, and the original stays the same."""
    seen = Seen("/a/f")
    scripted.script("first", Behaviour(writes={"/a/f": b"one"}))
    scripted.script("second", Behaviour(writes={"/b/f": b"two"}))
    scripted.script("third", Behaviour(action=seen))
    a = sh("a", "first")
    b = sh("b", "second", on=a)

    run_all(scripted, a, b, sh("c", "third", after=[b], volumes=[a.volume]))

    assert seen.files == {"/a/f": b"one"}


def test_a_volume_that_somebody_removed_is_an_error_of_ours(scripted: ScriptedEngine) -> None:
    """The stage is in error, since the engine would mount an empty volume and the stage might pass."""
    a = sh("a", "x", network="none")
    b = sh("b", "y", volumes=[a.volume])
    with workspace(scripted, a, b) as ran:
        ran.run(a)
        removed = scripted.specs[0].mounts[0].source
        eventually(lambda: {each.kind for each in scripted.leftovers()}, lambda kinds: "container" not in kinds)
        scripted.remove_volume(removed)

        result = ran.run(b)

    assert result.status is StageStatus.ERROR
    assert "volume of a" in str(result.message)


@pytest.mark.parametrize(("user", "mode"), [(None, 0o755), ("0", 0o755), ("root:5", 0o755), ("1000", 0o1777), ("node", 0o1777)])
def test_the_own_volume_is_writable_for_whoever_the_stage_runs_as(scripted: ScriptedEngine, user: str, mode: int) -> None:
    """Root needs nothing; every other user gets a folder to which all may write."""
    seen = Seen("/a☃")
    scripted.script("look", Behaviour(action=seen))

    run_all(scripted, sh("a☃", "look", user=user))

    assert seen.modes["a☃"] == mode


def test_the_images_own_user_counts(scripted: ScriptedEngine) -> None:
    """An image with USER runs as that user, and its stage can write to `$OUT`."""
    scripted.add_image("node:1", user="node")
    seen = Seen("/a")
    scripted.script("look", Behaviour(action=seen))

    run_all(scripted, stage("a", image="node:1", run="look"))

    assert seen.modes["a"] == 0o1777


def test_a_script_too_long_for_an_argument_is_put_into_the_container(scripted: ScriptedEngine) -> None:
    """A long script is copied into the container as a file that the command names."""
    script = "look\n" + "#" * 140_000
    found: list[bytes] = []
    scripted.script("/.dockercise-", Behaviour(action=lambda c: found.append(c.read(c.spec.command[-1]))))

    run_all(scripted, sh("a", script))

    assert found == [script.encode()]


def test_a_stage_without_an_image_joins(scripted: ScriptedEngine) -> None:
    """A stage without an image starts no container, and its value, an outside variable, is in `/out` and in variables."""
    seen = Seen("/out/join", "/join/x")
    scripted.script("look", Behaviour(action=seen))
    a = sh("a", "x")
    join = stage("join", after=[a])
    with workspace(scripted, a, join, consumer := sh("b", "look", env={"J": join.value}, volumes=[join.volume])) as ran:
        ran.run(a)
        result = ran.run(join, {"JOIN": "from outside"})
        ran.run(consumer)

    assert (result.status, result.exit_code, result.image_digest) == (StageStatus.PASSED, None, None)
    assert seen.files == {"/out/join": b"from outside", "/join/x": None}
    assert b"export J='from outside'" in scripted.runs[-1].stdin


@pytest.mark.parametrize("method", ["create_volume", "create", "put", "run"])
def test_an_engine_that_refuses_is_an_error_of_ours(scripted: ScriptedEngine, method: str) -> None:
    """If the engine refuses anything, the stage is in error with the engine's message, and nothing is left."""
    with workspace(scripted, sh("a", "x", user="1000")) as ran:
        scripted.fail(method, EngineError("no space left on device"))

        result = ran.run(ran.pipeline.by_name["a"])

    assert (result.status, result.exit_code) == (StageStatus.ERROR, None)
    assert "no space left" in str(result.message)
    assert scripted.leftovers() == []


def test_an_output_that_cannot_be_kept_ends_the_stage(scripted: ScriptedEngine) -> None:
    """A full disk stops the container and is an error of ours; the output is never cut short."""
    scripted.script("print", Behaviour(stdout=b"x", blocks=True))
    a = sh("a", "print")

    def full(_channel: object, _chunk: bytes) -> None:
        raise OSError(28, "No space left on device")

    with workspace(scripted, a) as ran:
        result = ran.run(a, sink=full)

    assert result.status is StageStatus.ERROR
    assert "No space left" in str(result.message)


def test_the_images_own_command_runs_without_a_script(scripted: ScriptedEngine) -> None:
    """Without `run` and without values, the image's own command runs unchanged and without a shell."""
    scripted.add_image("tool:1", command=("/tool", "--serve"))

    run_all(scripted, stage("a", image="tool:1", env={"LEVEL": "1"}))

    assert scripted.specs[0].command == ("/tool", "--serve")


def test_settings_of_a_stage_reach_its_container(scripted: ScriptedEngine) -> None:
    """User, network, platform and limits are passed on unchanged."""
    wanted = sh("a", "x", user="7", network="none", platform="linux/amd64", cpus=0.5, memory=1024, working_dir="/w")

    run_all(scripted, wanted)

    spec = scripted.specs[-1]
    assert (spec.user, spec.network, spec.platform, spec.cpus, spec.memory) == ("7", "none", "linux/amd64", 0.5, 1024)
    assert spec.working_dir == "/w"


def test_many_at_once(scripted: ScriptedEngine) -> None:
    """Two hundred stages over ten threads pass, each with its own output, and leave nothing."""
    stages = [sh(f"s{number}", f"number {number};") for number in range(200)]
    for number in range(200):
        scripted.script(f"number {number};", Behaviour(stdout=b"%d\n" % number))
    with workspace(scripted, *stages) as ran, ThreadPoolExecutor(10) as pool:
        results = list(pool.map(ran.run, stages))
        values = [ran.value(each.name) for each in stages]

    assert Counter(result.status for result in results) == {StageStatus.PASSED: 200}
    assert values == [b"%d" % number for number in range(200)]
    assert scripted.leftovers() == []
    assert threading.active_count() < 20
