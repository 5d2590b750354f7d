"""Images that stages build or leave: the same scenarios on the scripted engine and on the real one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import Stage, built_from, code, stage
from dockercise_prefect.runtime.engine import Engine, Leftover
from dockercise_prefect.status import StageStatus
from tests.engines.driving import PATIENCE, rehearse
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine
from tests.runtime.workspaces import Ran, cancelled, run_all, sh, workspace


def write(root: Path, *lines: str, name: str = "Dockerfile") -> Path:
    """Write a folder with a Dockerfile on the tests' image."""
    (root / name).write_text("\n".join((f"FROM {BUSYBOX}", *lines, "")))
    return root


def builds(name: str, run: str | None = None, **more: object) -> Stage:
    """A stage that builds the code."""
    return stage(name, build=built_from(code), run=run, **more)  # type: ignore[arg-type]  # free keywords


def left(engine: Engine, run_id: str) -> list[Leftover]:
    """Everything that a run left on the engine."""
    return [each for each in engine.leftovers() if each.labels["dockercise.run"] == run_id]


@pytest.mark.usefixtures("attempts")
def test_a_chain_of_images(engine: Engine, run_id: str, tmp_path: Path) -> None:
    """An image is built in one stage, changed in a second and tested in a third, and nothing is left."""
    rehearse(engine, "> /tool", Behaviour(writes={"/tool": b"installed\n", "/second/v": b"x"}))
    rehearse(engine, "cat /tool", Behaviour(stdout=b"installed\n"))
    first = builds("first")
    second = sh("second", "echo installed > /tool; echo x > $OUT/v", image=first)
    third = sh("third", "cat /tool; [ ! -e /second/v ] && [ ! -e /out/first ]", image=second)

    ran = run_all(engine, first, second, third, root=write(tmp_path, "RUN true"), run_id=run_id)

    assert [result.status for result in ran.results.values()] == [StageStatus.PASSED] * 3, ran.results
    assert ran.value("third") == b"installed"
    digests = [str(result.image_digest) for result in ran.results.values()]
    assert ran.value("first").decode() == digests[0] == digests[1] != digests[2]
    assert ran.printed("first") == f"{digests[0]}\n".encode()
    assert left(engine, run_id) == []


@pytest.mark.usefixtures("attempts")
def test_a_build_with_a_script(engine: Engine, run_id: str, tmp_path: Path) -> None:
    """The script's stdout is the value; stages that run in the built image do not see the changes of the script."""
    rehearse(engine, "RUN echo log", Behaviour(stderr=b"log\n"))
    rehearse(engine, "> /later", Behaviour(stdout=b"value\n", writes={"/later": b""}))
    first = builds("first", "echo value; > /later")
    second = sh("second", "[ ! -e /later ]", image=first)

    ran = run_all(engine, first, second, root=write(tmp_path, "RUN echo log"), run_id=run_id)

    assert [result.status for result in ran.results.values()] == [StageStatus.PASSED] * 2, ran.results
    assert ran.value("first") == b"value"
    assert b"log\n" in ran.output["first", "stderr"]
    assert ran.results["first"].image_digest == ran.results["second"].image_digest


@pytest.mark.usefixtures("attempts")
def test_a_step_that_fails_fails_the_stage(engine: Engine, run_id: str, tmp_path: Path) -> None:
    """The stage has the exit code and the last lines of the build's log; `neverFail` does not tolerate a failed build."""
    rehearse(engine, "exit 3", Behaviour(stderr=b"why\n", exit_code=3))
    first = builds("first", never_fail=True)

    ran = run_all(engine, first, root=write(tmp_path, "RUN echo why; exit 3"), run_id=run_id)

    result = ran.results["first"]
    assert (result.status, result.exit_code, result.image_digest) == (StageStatus.FAILED, 3, None)
    lines = str(result.message).splitlines()
    assert lines[0] == "exit code 3"
    assert "why" in lines
    assert left(engine, run_id) == []


def test_a_sensitive_build_keeps_its_log_to_itself(engine: Engine, run_id: str, tmp_path: Path) -> None:
    """With `noLog`, the message contains no line of the build's log."""
    rehearse(engine, "exit 3", Behaviour(stderr=b"s3cret\n", exit_code=3))

    ran = run_all(engine, builds("first", no_log=True), root=write(tmp_path, "RUN echo s3cret; exit 3"), run_id=run_id)

    assert ran.results["first"].message == "exit code 3"


def test_neverfail_tolerates_the_script_of_a_build(engine: Engine, run_id: str, tmp_path: Path) -> None:
    """With `neverFail`, a failure of the script after a successful build counts as success."""
    rehearse(engine, "exit 4", Behaviour(exit_code=4))

    ran = run_all(engine, builds("first", "exit 4", never_fail=True), root=write(tmp_path), run_id=run_id)

    assert (ran.results["first"].status, ran.results["first"].exit_code) == (StageStatus.TOLERATED, 4)


def test_a_dockerfile_that_is_not_there(engine: Engine, run_id: str, tmp_path: Path) -> None:
    """The stage is in error, its message names the path, and nothing is built."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/f").write_text("x")
    first = stage("first", build=built_from(code, "app", dockerfile="ci/Dockerfile"))

    ran = run_all(engine, first, root=tmp_path, run_id=run_id)

    assert ran.results["first"].status is StageStatus.ERROR
    assert "there is no Dockerfile `ci/Dockerfile` in `app` in the code" in str(ran.results["first"].message)


def test_a_build_that_cannot_be_is_an_error_of_ours(engine: Engine, run_id: str, tmp_path: Path) -> None:
    """A failure without a step's exit code does not fail the stage: the stage is in error, with the engine's message."""
    rehearse(engine, "COPY none", Behaviour(start_error="COPY failed: none"))

    ran = run_all(engine, builds("first", never_fail=True), root=write(tmp_path, "COPY none /"), run_id=run_id)

    assert (ran.results["first"].status, ran.results["first"].exit_code) == (StageStatus.ERROR, None)
    assert "none" in str(ran.results["first"].message)
    assert left(engine, run_id) == []


def test_a_context_from_a_volume(engine: Engine, run_id: str) -> None:
    """In a pipeline, a build can take a volume of another stage, or a folder in it, as its context."""
    text = f"FROM {BUSYBOX}\nCOPY . /built\n"
    rehearse(engine, "$OUT/app", Behaviour(writes={"/first/app/Dockerfile": text.encode(), "/first/app/f": b"from first\n"}))
    rehearse(engine, "cat /built/f", Behaviour(stdout=b"from first\n"))
    script = f"mkdir $OUT/app; printf 'FROM {BUSYBOX}\\nCOPY . /built\\n' > $OUT/app/Dockerfile; echo from first > $OUT/app/f"
    first = sh("first", script)
    second = stage("second", build=built_from(first, "app"), run="cat /built/f")

    ran = run_all(engine, first, second, run_id=run_id)

    assert ran.results["second"].status is StageStatus.PASSED, ran.results["second"].message
    assert ran.value("second") == b"from first"


def building(engine: Engine, ran: Ran, text: str) -> None:
    """Wait until a step of the build runs."""
    if isinstance(engine, ScriptedEngine):
        engine.wait_until_building(text)
    else:
        assert ran.has_said("first", "stderr", b"up\n")


@pytest.mark.parametrize("how", ["cancel", "kill"])
def test_a_build_that_is_cancelled(engine: Engine, run_id: str, tmp_path: Path, how: str) -> None:
    """The build ends, its stage is cancelled, and nothing of the build is left."""
    rehearse(engine, "sleep 1000", Behaviour(stderr=b"up\n", blocks=True))
    first = builds("first", "true")
    with (
        workspace(engine, first, root=write(tmp_path, "RUN echo up; sleep 1000"), run_id=run_id) as ran,
        ThreadPoolExecutor() as pool,
    ):
        future = pool.submit(ran.run, first)
        building(engine, ran, "sleep 1000")

        if how == "cancel":
            ran.workspace.cancel(cancelled("SIGTERM"))
        else:
            ran.workspace.kill()
        result = future.result(PATIENCE)

    assert result.status is StageStatus.CANCELLED, result
    assert left(engine, run_id) == []


def test_a_build_that_takes_too_long(engine: Engine, run_id: str, tmp_path: Path) -> None:
    """The timeout stops the build, and nothing of it is left."""
    rehearse(engine, "sleep 1000", Behaviour(blocks=True))
    first = builds("first", "true", timeout=1)

    ran = run_all(engine, first, root=write(tmp_path, "RUN sleep 1000"), run_id=run_id)

    assert (ran.results["first"].status, ran.results["first"].message) == (StageStatus.TIMED_OUT, "timed out after 1s")
    assert left(engine, run_id) == []


def test_the_timeout_counts_from_the_builds_begin(engine: Engine, run_id: str, tmp_path: Path) -> None:
    """A script after a build has only the time that the build left."""
    rehearse(engine, "sleep 1000", Behaviour(blocks=True))
    first = builds("first", "sleep 1000", timeout=2)

    ran = run_all(engine, first, root=write(tmp_path), run_id=run_id)

    assert ran.results["first"].status is StageStatus.TIMED_OUT
    assert str(ran.results["first"].message).startswith("timed out after 2s")


def test_a_tolerated_stage_leaves_an_image(engine: Engine, run_id: str) -> None:
    """A stage that counts as successful leaves its image."""
    rehearse(engine, "> /f; exit 3", Behaviour(exit_code=3, writes={"/f": b"x\n"}))
    rehearse(engine, "cat /f", Behaviour(stdout=b"x\n"))
    first = sh("first", "echo x > /f; exit 3", never_fail=True)
    second = sh("second", "cat /f", image=first)

    ran = run_all(engine, first, second, run_id=run_id)

    assert ran.results["first"].status is StageStatus.TOLERATED
    assert ran.value("second") == b"x"


def test_a_stage_that_only_joins_leaves_no_image(scripted: ScriptedEngine) -> None:
    """A stage that would run in such an image is in error, and the message names both stages."""
    join = stage("join")
    second = sh("second", "x", image=join)

    ran = run_all(scripted, join, second)

    assert ran.results["second"].status is StageStatus.ERROR
    assert "join left no image for second to run in" in str(ran.results["second"].message)


def test_an_image_is_made_once_and_only_where_it_is_wanted(scripted: ScriptedEngine) -> None:
    """Stages that run in another stage's image share one; if no stage needs it, no image is made."""
    first, alone = sh("first", "x"), sh("alone", "y")
    consumers = [sh(f"s{number}", "z", image=first) for number in range(3)]

    ran = run_all(scripted, first, alone, *consumers)

    assert scripted.calls["commit"] == 1
    assert len({ran.results[stage.name].image_digest for stage in consumers}) == 1


def test_an_image_that_cannot_be_made_is_an_error_of_ours(scripted: ScriptedEngine) -> None:
    """Although the script passed, the stage is in error, because its image does not exist."""
    scripted.fail("commit", EngineError("no space left"))
    first = sh("first", "x")

    ran = run_all(scripted, first, sh("second", "y", image=first))

    assert (ran.results["first"].status, ran.results["first"].message) == (StageStatus.ERROR, "no space left")


def test_a_failed_stage_leaves_no_image(scripted: ScriptedEngine) -> None:
    """A stage that failed leaves no image, since no stage will run in it."""
    scripted.script("fail", Behaviour(exit_code=1))
    first = sh("first", "fail")

    run_all(scripted, first, sh("second", "y", image=first))

    assert scripted.calls["commit"] == 0


def test_a_pipeline_without_any_image_makes_an_empty_one(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """Files travel through containers, which need an image; if no stage names an image, an empty one is made once."""
    stages = [builds("one"), builds("two")]

    run_all(scripted, *stages, root=write(tmp_path))

    dockerfiles = [build.spec.dockerfile for build in scripted.builds]
    assert dockerfiles.count(b"FROM scratch\n") == 1
    assert len(dockerfiles) == 3
    assert scripted.leftovers() == []


def test_no_empty_image_where_there_is_another(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """If a stage names any image, that image is used."""
    run_all(scripted, builds("one"), sh("two", "x"), root=write(tmp_path))

    assert len(scripted.builds) == 1


def test_what_a_stage_says_reaches_its_build(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """Arguments, target, network, platform, limits, `pull: always` and the labels of the stage reach the build."""
    build = built_from(code, args={"V": "1.10"}, target="test")
    first = stage("first", build=build, network="none", platform="linux/amd64", pull="always", cpus=0.5, memory=10_000_000)

    run_all(scripted, first, root=write(tmp_path))

    spec = scripted.builds[-1].spec
    assert (spec.args, spec.target, spec.network) == ({"V": "1.10"}, "test", "none")
    assert (spec.platform, spec.pull, spec.cpus, spec.memory) == ("linux/amd64", True, 0.5, 10_000_000)
    assert (spec.what, spec.labels["dockercise.stage"]) == ("first", "first")


def test_pull_never_holds_a_build_back(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """The build does not begin if an image of a FROM is missing, because the engine would pull it."""
    (tmp_path / "Dockerfile").write_text("FROM no/such:1\n")

    ran = run_all(scripted, builds("first", pull="never"), sh("other", "x"), root=tmp_path)

    assert ran.results["first"].status is StageStatus.ERROR
    assert "no/such:1" in str(ran.results["first"].message)
    assert scripted.calls["build"] == 0


def test_nothing_is_stored_with_a_container_that_leaves_an_image(scripted: ScriptedEngine) -> None:
    """Literals also go through standard input, since the image would keep stored variables."""
    first = sh("first", "use it", env={"LEVEL": "1.10", "odd.name": "2"})

    run_all(scripted, first, sh("second", "y", image=first))

    assert scripted.runs[0].spec.env == {"odd.name": "2"}
    assert b"export LEVEL='1.10'" in scripted.runs[0].stdin
    assert b"export OUT='/first'" in scripted.runs[0].stdin
    assert scripted.specs[-1].env["OUT"] == "/second"


def test_a_long_script_is_in_no_image(scripted: ScriptedEngine) -> None:
    """A long script is put into a volume."""
    first = sh("first", "x\n" + "#" * 140_000)
    found: list[str] = []
    scripted.script("look", Behaviour(action=lambda c: found.extend(path for path, e in c.below("/") if e.kind == "file")))

    run_all(scripted, first, sh("second", "look", image=first))

    assert not [path for path in found if "script" in path]
