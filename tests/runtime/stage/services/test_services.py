"""Services of a stage: the same scenarios on the scripted engine and on the real one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from dockercise_prefect.pipeline import EnvSource, Service, Stage, StageValue, host, service
from dockercise_prefect.runtime.engine import Engine, Leftover
from dockercise_prefect.runtime.stage.confinement import METADATA, Confinement
from tests.engines.driving import PATIENCE, rehearse
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine
from tests.runtime.workspaces import cancelled, run_all, sh, workspace

ANYWHERE = pytest.mark.usefixtures("attempts")
"""The attempts are made here, and in processes of their own."""

SERVES = "echo serving; while :; do echo hello | nc -l -p 80; done"
ASKS = "nc web 80 </dev/null"
UP = Behaviour(stdout=b"serving\n", blocks=True)


def web(name: str = "web", run: str = SERVES, ready: str | None = "netstat -ltn | grep -q :80", **more: object) -> Service:
    """A service that answers on port 80."""
    return service(name, BUSYBOX, run=run, ready=ready, **more)  # type: ignore[arg-type]  # free keywords


def left(engine: Engine, run_id: str) -> list[Leftover]:
    """Everything that a run left on the engine."""
    return [each for each in engine.leftovers() if each.labels["dockercise.run"] == run_id]


def asking(name: str = "a", *services: Service, run: str = ASKS, **more: object) -> Stage:
    """A stage that asks its service."""
    return sh(name, run, services=services or [web()], stop_grace=1, **more)


@ANYWHERE
def test_a_stage_reaches_its_service_by_name(engine: Engine, run_id: str) -> None:
    """A service runs before its stage, answers under its name, and nothing of it is left."""
    rehearse(engine, "serving", UP)
    rehearse(engine, ASKS, Behaviour(stdout=b"hello\n"))

    with workspace(engine, asking(), run_id=run_id) as ran:
        result = ran.run(ran.pipeline.by_name["a"])

    assert (result.status.value, result.message) == ("passed", None)
    assert ran.value("a") == b"hello"
    assert ran.output["a.web", "stdout"].startswith(b"serving\n")
    assert left(engine, run_id) == []


def test_two_services_listen_on_one_port(engine: Engine, run_id: str) -> None:
    """Two services of one stage can listen on the same port, and reach each other by name."""
    relays = "echo relaying; nc web 80 </dev/null | nc -l -p 80"
    rehearse(engine, "serving", UP)
    rehearse(engine, "relaying", Behaviour(stdout=b"relaying\n", blocks=True))
    rehearse(engine, "nc relay 80", Behaviour(stdout=b"hello\n"))

    ran = run_all(engine, asking("a", web(), web("relay", relays), run="nc relay 80 </dev/null"), run_id=run_id)

    assert (ran.results["a"].status.value, ran.value("a")) == ("passed", b"hello")


def test_two_stages_at_once_have_services_of_their_own(engine: Engine, run_id: str) -> None:
    """Two stages that run at once each reach their own service, although both have one name and one port."""
    stages = [asking(name, web(run=SERVES.replace("hello", f"hello-{name}"))) for name in ("a", "b")]
    for name in ("a", "b"):
        rehearse(engine, f"hello-{name}", Behaviour(stdout=b"serving\n", blocks=True))
    rehearse(engine, ASKS, Behaviour(stdout=b"hello-?\n"))

    with workspace(engine, *stages, run_id=run_id) as ran, ThreadPoolExecutor() as pool:
        list(pool.map(ran.run, stages))

    values = [ran.value(name) for name in ("a", "b")]
    assert values == [b"hello-?"] * 2 if isinstance(engine, ScriptedEngine) else values == [b"hello-a", b"hello-b"]


def test_a_service_that_does_not_get_ready(engine: Engine, run_id: str) -> None:
    """The stage does not start; its message names the service, its last check and its last lines."""
    stage = asking("a", service("db", BUSYBOX, run="echo starting; sleep 600", ready="echo not yet; exit 1", ready_timeout=1))
    rehearse(engine, "echo starting", Behaviour(stdout=b"starting\n", blocks=True))
    rehearse(engine, "not yet", Behaviour(stdout=b"not yet\n", exit_code=1))

    ran = run_all(engine, stage, run_id=run_id)

    result = ran.results["a"]
    assert (result.status.value, result.exit_code) == ("failed", None)
    assert result.message == (
        "service db did not get ready within 1s; its last check: not yet\nservice db, its last lines:\n  starting"
    )
    assert ("a", "stdout") not in ran.output
    assert left(engine, run_id) == []


def test_a_service_that_ends_before_it_is_ready(engine: Engine, run_id: str) -> None:
    """The stage fails at once, and does not wait until the time is over."""
    stage = asking("a", service("db", BUSYBOX, run="echo no config >&2; exit 3", ready="exit 1", ready_timeout=PATIENCE))
    rehearse(engine, "no config", Behaviour(stderr=b"no config\n", exit_code=3))
    rehearse(engine, "exit 1", Behaviour(exit_code=1))

    ran = run_all(engine, stage, run_id=run_id)

    assert ran.results["a"].status.value == "failed"
    assert ran.results["a"].message == (
        "service db ended with exit code 3 before it was ready\n"
        "service db (ended with exit code 3), its last lines:\n  no config"
    )


@ANYWHERE
def test_a_service_that_dies_while_the_stage_runs(engine: Engine, run_id: str) -> None:
    """The stage is stopped, and fails because of the service."""
    script = "echo up; sleep 600"
    rehearse(engine, "serving", UP)
    rehearse(engine, script, Behaviour(stdout=b"up\n", blocks=True))
    stage = asking("a", web(), run=script)
    with workspace(engine, stage, run_id=run_id) as ran, ThreadPoolExecutor() as pool:
        future = pool.submit(ran.run, stage)

        assert ran.has_said("a", "stdout", b"up\n")
        engine.stop(container_of(engine, run_id, "a.web"), 0)
        result = future.result()

    assert result.status.value == "failed"
    first, *rest = str(result.message).splitlines()
    assert first == "service web ended with exit code 137 while the stage was running"
    assert rest[-1] == "  serving"


def container_of(engine: Engine, run_id: str, name: str) -> str:
    """The id of the container of a service."""
    services = [each for each in left(engine, run_id) if each.kind == "container" and "dockercise.itself" not in each.labels]
    return next(each.id for each in services if engine.running(each.id) is not None and each.labels.get("dockercise.stage"))


def test_a_service_that_has_done_its_work(engine: Engine, run_id: str) -> None:
    """A service without `ready` may end with exit code 0: the stage goes on."""
    rehearse(engine, "echo seeded", Behaviour(stdout=b"seeded\n"))
    rehearse(engine, "echo ok", Behaviour(stdout=b"ok\n"))

    ran = run_all(engine, asking("a", service("seed", BUSYBOX, run="echo seeded"), run="sleep 1; echo ok"), run_id=run_id)

    assert (ran.results["a"].status.value, ran.value("a")) == ("passed", b"ok")


def test_a_failing_stage_shows_the_last_lines_of_its_services(engine: Engine, run_id: str) -> None:
    """The message of a failure ends with the last lines of the services."""
    rehearse(engine, "serving", UP)
    rehearse(engine, "exit 4", Behaviour(exit_code=4))

    ran = run_all(engine, asking("a", web(), run="exit 4"), run_id=run_id)

    assert ran.results["a"].message == "exit code 4\nservice web, its last lines:\n  serving"


def test_a_sensitive_stage_shows_no_lines_of_its_services(engine: Engine, run_id: str) -> None:
    """With `noLog`, nothing that a service printed is in the message."""
    rehearse(engine, "serving", UP)
    rehearse(engine, "exit 4", Behaviour(exit_code=4))

    ran = run_all(engine, asking("a", web(), run="exit 4", no_log=True), run_id=run_id)

    assert ran.results["a"].message == "exit code 4"


def test_getting_ready_counts_in_the_timeout(engine: Engine, run_id: str) -> None:
    """A stage whose service is not ready in time has timed out."""
    rehearse(engine, "serving", UP)
    rehearse(engine, "exit 1", Behaviour(exit_code=1))

    ran = run_all(engine, asking("a", web(ready="exit 1"), timeout=1), run_id=run_id)

    assert ran.results["a"].status.value == "timed_out"
    assert str(ran.results["a"].message).startswith("timed out after 1s, waiting for web to get ready")


@ANYWHERE
def test_a_cancel_while_a_service_gets_ready(engine: Engine, run_id: str) -> None:
    """A cancelled run does not wait for services, and removes them."""
    rehearse(engine, "serving", UP)
    rehearse(engine, "exit 1", Behaviour(exit_code=1))
    stage = asking("a", web(ready="exit 1"))
    with workspace(engine, stage, run_id=run_id) as ran, ThreadPoolExecutor() as pool:
        future = pool.submit(ran.run, stage)

        assert ran.has_said("a.web", "stdout", b"serving\n")
        ran.workspace.cancel(cancelled("SIGTERM"))
        result = future.result()

    assert result.status.value == "cancelled"
    assert left(engine, run_id) == []


def test_a_kill_while_a_stubborn_service_runs(engine: Engine, run_id: str) -> None:
    """A killed run ends services without a grace period."""
    ignores = "trap '' TERM; echo serving; while :; do sleep 1; done"
    rehearse(engine, "serving", replace(UP, ignores_sigterm=True))
    rehearse(engine, "echo up; sleep 600", Behaviour(stdout=b"up\n", blocks=True))
    stage = sh("a", "echo up; sleep 600", services=[web(run=ignores, ready=None)], stop_grace=PATIENCE * 10)
    with workspace(engine, stage, run_id=run_id) as ran, ThreadPoolExecutor() as pool:
        future = pool.submit(ran.run, stage)

        assert ran.has_said("a", "stdout", b"up\n")
        ran.workspace.kill()
        result = future.result(PATIENCE)

    assert result.status.value == "cancelled"
    assert left(engine, run_id) == []


@ANYWHERE
def test_values_and_outside_variables_reach_a_service(engine: Engine, run_id: str) -> None:
    """A service gets values of stages and variables from outside, and so does its check; neither is stored."""
    says = 'echo "$PASSWORD $TOKEN $MODE"; sleep 600'
    checks = 'test "$PASSWORD" = s3cret'
    rehearse(engine, "echo s3cret", Behaviour(stdout=b"s3cret\n"))
    rehearse(engine, "$MODE", Behaviour(stdout=b"s3cret t0ken fast\n", blocks=True))
    env: dict[str, EnvSource | str] = {"PASSWORD": StageValue("pw"), "TOKEN": host("TOKEN"), "MODE": "fast"}
    pw = sh("pw", "echo s3cret")
    stage = sh("a", "true", services=[service("db", BUSYBOX, run=says, ready=checks, env=env)], stop_grace=1)
    with workspace(engine, pw, stage, run_id=run_id) as ran:
        ran.run(pw)

        result = ran.run(stage, of_services={"a.db": {"TOKEN": "t0ken"}})

    assert (result.status.value, result.message) == ("passed", None)
    assert ran.output["a.db", "stdout"] == b"s3cret t0ken fast\n"
    if isinstance(engine, ScriptedEngine):
        spec = next(each for each in engine.specs if "$MODE" in "".join(each.command))
        assert (spec.env, "s3cret" in repr(spec)) == ({"MODE": "fast"}, False)


def test_a_retry_has_fresh_services(engine: Engine, run_id: str) -> None:
    """Each attempt has a service of its own, which remembers nothing of the one before."""
    counts = "echo x >> /tmp/x; wc -l < /tmp/x; sleep 600"
    rehearse(engine, "wc -l", Behaviour(stdout=b"1\n", blocks=True))
    stage = sh("a", "true", services=[service("db", BUSYBOX, run=counts, ready="test -s /tmp/x")], stop_grace=1)
    with workspace(engine, stage, run_id=run_id) as ran:
        for _ in range(2):
            ran.run(stage)

    assert ran.output["a.db", "stdout"] == b"1\n1\n"


def test_a_service_without_check_of_its_own_uses_that_of_the_image(scripted: ScriptedEngine) -> None:
    """If nothing is written, the health check of the image says when a service is ready."""
    scripted.add_image("db:1", command=("postgres",), health_check=("pg_isready", "-q"))
    scripted.script("postgres", UP)
    scripted.script("pg_isready", Behaviour(exit_code=1), Behaviour(exit_code=1), Behaviour())

    ran = run_all(scripted, sh("a", "true", services=[service("db", "db:1")]))

    assert ran.results["a"].status.value == "passed"
    assert len(scripted.executed) == 3


def test_limits_hold_for_services(scripted: ScriptedEngine) -> None:
    """A service has the limits of the run, and its own."""
    scripted.script("serving", UP)
    stage = sh("a", "true", services=[web(ready=None, memory=10**8, cpus=0.5, user="1000")])
    with workspace(scripted, stage, confinement=Confinement(pids=7)) as ran:
        ran.run(stage)

    spec = next(each for each in scripted.specs if "serving" in "".join(each.command))
    assert (spec.pids, spec.memory, spec.cpus, spec.user, spec.gains_rights) == (7, 10**8, 0.5, "1000", False)


def test_services_cannot_reach_closed_addresses(engine: Engine, run_id: str) -> None:
    """If addresses are closed to stages, they are closed to services too, and names still work."""
    route = "ip route | grep -o 169.254.0.0/16"
    rehearse(engine, "serving", Behaviour(stdout=b"169.254.0.0/16\nserving\n", blocks=True))
    rehearse(engine, "nc web 80", Behaviour(stdout=b"169.254.0.0/16\nhello\n"))
    stage = asking("a", web(run=f"{route}; {SERVES}"), run=f"{route}; {ASKS}")
    with workspace(engine, stage, run_id=run_id, confinement=Confinement(closed=METADATA)) as ran:
        result = ran.run(stage)

    assert (result.status.value, result.message) == ("passed", None)
    assert ran.value("a") == b"169.254.0.0/16\nhello"
    assert ran.output["a.web", "stdout"].startswith(b"169.254.0.0/16\nserving")
    assert left(engine, run_id) == []
