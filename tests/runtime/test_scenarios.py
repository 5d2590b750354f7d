"""How stages end: the same scenarios on the scripted engine and on the real one, so that the scripted engine cannot drift."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import EnvSource, Stage, host, stage
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.engine import Engine, Leftover
from tests.engines.driving import PATIENCE, rehearse
from tests.engines.line import line_to
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine
from tests.runtime import workspaces
from tests.runtime.attempt_process import in_a_process
from tests.runtime.workspaces import Ran, cancelled, run_all, workspace

pytestmark = pytest.mark.usefixtures("attempts")


@dataclass(frozen=True)
class Scenario:
    """One stage, and how it ends.

    Attributes:
        run: its script, for the real engine. behaviour: the same, for the scripted one.
        says: the beginning of its message, None for none.
        value: its value, None for any value. more: further keys of the stage.
    """

    run: str
    behaviour: Behaviour
    status: str
    exit_code: int | None
    says: str | None = None
    value: bytes | None = b""
    more: dict[str, Any] = field(default_factory=dict)


NEVER_FAIL = {"never_fail": True}
BLOCKS = Behaviour(blocks=True)
STUBBORN = Behaviour(blocks=True, ignores_sigterm=True)

SCENARIOS = {
    "passes": Scenario("echo ' hi '", Behaviour(stdout=b" hi \n"), "passed", 0, value=b"hi"),
    "prints no newline": Scenario("printf x", Behaviour(stdout=b"x"), "passed", 0, value=b"x"),
    "prints nothing": Scenario("true", Behaviour(), "passed", 0),
    "stderr is no value": Scenario("echo a >&2; echo b", Behaviour(stdout=b"b\n", stderr=b"a\n"), "passed", 0, value=b"b"),
    "has no input": Scenario("cat; echo end", Behaviour(stdout=b"end\n"), "passed", 0, value=b"end"),
    "exits 1": Scenario("exit 1", Behaviour(exit_code=1), "failed", 1, "exit code 1"),
    "exits 2 and says why": Scenario(
        "echo why >&2; exit 2", Behaviour(stderr=b"why\n", exit_code=2), "failed", 2, "exit code 2\nwhy"
    ),
    "fails in the middle": Scenario(
        "echo a\nfalse\necho b", Behaviour(stdout=b"a\n", exit_code=1), "failed", 1, "exit code 1\na", b"a"
    ),
    "command not found": Scenario("no-such-command", Behaviour(exit_code=127), "failed", 127, "exit code 127"),
    "kills itself": Scenario("kill -9 $$", Behaviour(exit_code=137), "failed", 137, "killed (exit code 137)"),
    "is tolerated": Scenario(
        "echo v; exit 3", Behaviour(stdout=b"v\n", exit_code=3), "tolerated", 3, "exit code 3, tolerated", b"v", NEVER_FAIL
    ),
    "keeps its log to itself": Scenario(
        "echo s3cret; exit 2",
        Behaviour(stdout=b"s3cret\n", exit_code=2),
        "failed",
        2,
        "exit code 2",
        b"s3cret",
        {"no_log": True},
    ),
    "exits 125 by itself": Scenario(
        "cat /proc/1/cmdline; exit 125",
        Behaviour(exit_code=125),
        "tolerated",
        125,
        "exit code 125, tolerated",
        None,
        NEVER_FAIL,
    ),
    "times out": Scenario("sleep 60", BLOCKS, "timed_out", 143, "timed out after 1s", more={"timeout": 1}),
    "times out and ignores it": Scenario(
        "trap '' TERM; while :; do sleep 1; done",
        STUBBORN,
        "timed_out",
        137,
        "timed out after 10s",
        more={"timeout": 10, **NEVER_FAIL},  # by then the shell has set its trap, also on a busy machine
    ),
    "is in time": Scenario("true", Behaviour(), "passed", 0, more={"timeout": 60}),
}


def one(scenario: Scenario) -> Stage:
    """The scenario's stage."""
    return stage("a", image=BUSYBOX, run=scenario.run, **{"stop_grace": 1, **scenario.more})


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_stage_ends_as_it_should(engine: Engine, run_id: str, name: str) -> None:
    """Status, exit code, message and value follow LANGUAGE section 3, and nothing is left on the engine."""
    scenario = SCENARIOS[name]
    rehearse(engine, scenario.run, scenario.behaviour)
    the_stage = one(scenario)

    with workspace(engine, the_stage, run_id=run_id) as ran:
        result = ran.run(the_stage)

    assert (result.status.value, result.exit_code) == (scenario.status, scenario.exit_code), result.message
    assert (result.message or "").startswith(scenario.says or "")
    assert scenario.says is not None or result.message is None
    assert scenario.value is None or ran.value("a") == scenario.value
    assert result.started <= result.finished
    assert left(engine, run_id) == []


def left(engine: Engine, run_id: str) -> list[Leftover]:
    """Everything that a run left on the engine."""
    return [each for each in engine.leftovers() if each.labels["dockercise.run"] == run_id]


def test_the_message_of_a_sensitive_stage_shows_none_of_its_log(engine: Engine, run_id: str) -> None:
    """With `noLog`, the message of the failure does not contain the output."""
    scenario = SCENARIOS["keeps its log to itself"]
    rehearse(engine, scenario.run, scenario.behaviour)

    ran = run_all(engine, one(scenario), run_id=run_id)

    assert ran.results["a"].message == "exit code 2"


def started(engine: Engine, ran: Ran, text: str) -> str:
    """The id of the running container, once it has printed something."""
    if isinstance(engine, ScriptedEngine):
        return engine.wait_until_running(text)
    assert ran.begun.wait(PATIENCE)
    ours = [each for each in left(engine, ran.run_id) if each.labels.get("dockercise.stage") == "a"]
    return next(each.id for each in ours if each.kind == "container")


def test_a_container_killed_from_outside(engine: Engine, run_id: str) -> None:
    """If somebody kills the container of a stage, the stage fails."""
    rehearse(engine, "echo up; sleep 60", Behaviour(stdout=b"up\n", blocks=True))
    a = stage("a", image=BUSYBOX, run="echo up; sleep 60")
    with workspace(engine, a, run_id=run_id) as ran, ThreadPoolExecutor() as pool:
        future = pool.submit(ran.run, a)

        engine.stop(started(engine, ran, "echo up"), 0)
        result = future.result()

    assert (result.status.value, result.exit_code) == ("failed", 137)
    assert str(result.message).startswith("killed (exit code 137)")


def test_a_container_that_vanishes(engine: Engine, run_id: str) -> None:
    """If somebody removes the container of a stage, the stage fails without an exit code, with or without `neverFail`."""
    rehearse(engine, "echo up; sleep 60", Behaviour(stdout=b"up\n", blocks=True))
    a = stage("a", image=BUSYBOX, run="echo up; sleep 60", never_fail=True)
    with workspace(engine, a, run_id=run_id) as ran, ThreadPoolExecutor() as pool:
        future = pool.submit(ran.run, a)

        engine.remove(started(engine, ran, "echo up"))
        result = future.result()

    assert (result.status.value, result.exit_code) == ("failed", None)
    assert "removed" in str(result.message)


def test_a_cancelled_stage_gets_its_grace(engine: Engine, run_id: str) -> None:
    """SIGTERM reaches the script, and its output after that is still part of the log."""
    script = "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.1; done"
    rehearse(engine, script, Behaviour(stdout=b"up\nbye\n", blocks=True))
    a = stage("a", image=BUSYBOX, run=script)
    with workspace(engine, a, run_id=run_id) as ran, ThreadPoolExecutor() as pool:
        future = pool.submit(ran.run, a)
        started(engine, ran, "trap")

        ran.workspace.cancel(cancelled("SIGTERM"))
        result = future.result()

    assert (result.status.value, str(result.message).splitlines()[0]) == ("cancelled", "cancelled: SIGTERM")
    assert ran.output["a", "stdout"] == b"up\nbye\n"


def test_an_engine_that_goes_away_is_an_error_of_ours(scripted: ScriptedEngine) -> None:
    """The end of the stage is unknown: it did not pass, and it is not the stage's fault, with or without `neverFail`."""
    scripted.script("work", Behaviour(stdout=b"half", engine_dies=True))

    ran = run_all(scripted, stage("a", image=BUSYBOX, run="work", never_fail=True))

    assert (ran.results["a"].status.value, ran.results["a"].exit_code) == ("error", None)


@pytest.mark.docker
def test_variables_that_do_not_arrive(
    docker_engine: DockerEngine, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If its variables are lost on the way, a script never runs and its stage is in error, with or without `neverFail`."""
    a = stage("a", image=BUSYBOX, run="echo ran", env={"A": host("A")}, never_fail=True)
    with line_to(docker_engine.info().url, tmp_path) as line:
        monkeypatch.setenv("DOCKER_HOST", line.url)
        line.swallow("stdin=1")

        with closing(DockerEngine.connect()) as engine:
            ran = run_all(engine, a, outside={"A": "secret"}, run_id=run_id)

    assert (ran.results["a"].status.value, ran.results["a"].exit_code) == ("error", None)
    assert "its variables could not be passed to it" in str(ran.results["a"].message)
    assert ran.value("a") == b""


def test_an_image_that_there_is_not(engine: Engine, run_id: str) -> None:
    """Nothing starts, and the error names the image."""
    a = stage("a", image="dockercise-test/no-such:1", run="x", pull="never")

    with pytest.raises(EngineError, match="dockercise-test/no-such:1"), workspace(engine, a, run_id=run_id):
        pass

    assert left(engine, run_id) == []


def test_a_value_too_large_for_a_variable(engine: Engine, run_id: str) -> None:
    """200 KB do not fit into a variable: the consumer fails with advice to read the file, and a consumer of the file passes."""
    rehearse(engine, "head -c 200000", Behaviour(stdout=b"x" * 200_000))
    rehearse(engine, "wc -c", Behaviour(stdout=b"200000\n"))
    a = stage("a", image=BUSYBOX, run="head -c 200000 /dev/zero | tr '\\0' x")
    consumer = stage("b", image=BUSYBOX, run="echo $A", env={"A": a.value})
    reader = stage("c", image=BUSYBOX, run="wc -c </out/a", after=[a])

    ran = run_all(engine, a, consumer, reader, run_id=run_id)

    assert (ran.results["b"].status.value, ran.results["b"].exit_code) == ("failed", None)
    assert "/out/a" in str(ran.results["b"].message)
    assert ran.value("c") == b"200000"


def test_values_and_variables_arrive(engine: Engine, run_id: str) -> None:
    """Values, outside variables and literals reach the script exactly, including quotes, line feeds and ☃."""
    text = 'it\'s "two"\nlines $HOME `x` ☃ \\n'
    rehearse(engine, "cat /from", Behaviour(stdout=b"value\n"))
    rehearse(engine, "printf", Behaviour(stdout=f"value|{text}|1.10|/b|{run_id}".encode()))
    a = stage("a", image=BUSYBOX, run=": cat /from; echo value")
    variables: dict[str, EnvSource | str] = {"A": a.value, "TEXT": host("TEXT"), "LEVEL": "1.10"}
    b = stage(
        "b", image=BUSYBOX, run='printf "%s|" "$A" "$TEXT" "$LEVEL" "$OUT"; printf %s "$DOCKERCISE_RUN_ID"', env=variables
    )

    ran = run_all(engine, a, b, outside={"TEXT": text}, run_id=run_id)

    assert ran.value("b").decode() == f"value|{text}|1.10|/b|{run_id}"


def test_a_process_that_is_killed(engine: Engine, run_id: str) -> None:
    """If the process of an attempt is killed by SIGKILL, the stage is in error, and nothing of the attempt is left."""
    rehearse(engine, "echo up; sleep 60", Behaviour(stdout=b"up\n", blocks=True))
    a = stage("a", image=BUSYBOX, run="echo up; sleep 60")
    processes: list[BaseProcess] = []
    workspaces.ATTEMPT.set(partial(in_a_process, started=processes.append))

    with workspace(engine, a, run_id=run_id) as ran, ThreadPoolExecutor() as pool:
        future = pool.submit(ran.run, a)
        started(engine, ran, "echo up")
        processes[0].kill()
        result = future.result()
        left_of_it = [each for each in left(engine, run_id) if each.labels.get("dockercise.stage") == "a"]

    assert (result.status.value, result.exit_code) == ("error", None)
    assert str(result.message) == "the process of the attempt was ended by SIGKILL"
    assert left_of_it == []
    assert left(engine, run_id) == []
