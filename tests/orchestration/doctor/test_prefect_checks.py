"""What is said about Prefect: real servers, and servers that imitate it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import prefect
import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from dockercise_prefect.orchestration.doctor.check import Check, CheckStatus
from dockercise_prefect.orchestration.doctor.prefect import PoolFacts, PrefectFacts, PrefectProbes, pool_checks, prefect_checks
from dockercise_prefect.orchestration.prefect.local_server import LocalServer, ServerFolder
from dockercise_prefect.orchestration.registrations import deployments
from dockercise_prefect.orchestration.registrations.deployments import DeploymentRequest
from dockercise_prefect.orchestration.registrations.registration import Registration
from dockercise_prefect.orchestration.registrations.timetable import Timetable
from tests.support.prefect.imitation import Answers, healthy, imitation
from tests.support.prefect.workers import create_pool

GOOD = PrefectFacts(
    url="http://h/api", origin="o", client="3.9.1", server="3.9.1", seconds=0.01, database_seconds=0.004, login=False
)


@contextmanager
def asking(address: str, login: str | None = None) -> Iterator[None]:
    """Inside, this API is configured."""
    with temporary_settings({PREFECT_API_URL: address, PREFECT_API_AUTH_STRING: login}):
        yield


def found(answers: Answers, tmp_path: Path) -> dict[str, Check]:
    """The checks of a server with these answers, by name."""
    with imitation(answers) as address, asking(address):
        return {check.name: check for check in PrefectProbes(tmp_path).prefect()}


@pytest.mark.docker  # for the server
def test_the_local_server(server: LocalServer, data_folder: Path) -> None:
    """Without a configured API, the running local server is asked; it has SQLite and no login here."""
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        checks = {check.name: check for check in PrefectProbes(data_folder).prefect()}

    # A machine that is busy with other tests may answer slowly, which is a warning.
    assert [check.name for check in checks.values() if check.status in {CheckStatus.PROBLEM, CheckStatus.UNKNOWN}] == []
    assert checks["prefect"].found.startswith(f"Prefect {prefect.__version__}, {prefect.__version__} here · {server.api_url} ")
    assert checks["prefect database"].facts["kind"] == "SQLite"
    assert checks["prefect login"].facts == {"required": False}


def test_no_server_is_no_problem_and_none_is_started(tmp_path: Path) -> None:
    """A run starts the local server, so it need not run. The examination starts none and writes nothing."""
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        probes = PrefectProbes(tmp_path)
        (check,), (pools,) = probes.prefect(), probes.pools()

    assert (check.status, pools.status) == (CheckStatus.OK, CheckStatus.OK)
    assert "`dockercise up` or any run starts it" in check.found
    assert list(tmp_path.iterdir()) == []
    assert ServerFolder(tmp_path).find() is None


@pytest.mark.parametrize(
    ("version", "status", "hint"),
    [
        ("2.20.9", "problem", "the first numbers of both versions must be the same"),
        ("3.4.0", "problem", "Prefect 3.8.8 and later are tested"),
        ("3.8.8", "warning", "a server should not be older than its clients"),
        (prefect.__version__, "ok", None),
        ("3.99.0", "ok", None),
        ("4.0.0", "problem", "the first numbers of both versions must be the same"),
    ],
)
def test_a_server_of_another_version(version: str, status: str, hint: str | None, tmp_path: Path) -> None:
    """A newer server of the same major version fits; an older one is named, with what to upgrade."""
    check = found(healthy(version), tmp_path)["prefect"]

    assert (check.status, check.facts["server"]) == (CheckStatus(status), version)
    assert hint is None or hint in (check.hint or "")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"/admin/version": (200, "<html>a proxy</html>")}, "the answer is not one of Prefect's API"),
        ({"/admin/version": (200, {"some": "object"})}, "the answer is not one of Prefect's API"),
        ({}, "HTTP status 404"),
        ({"/admin/version": (503, {})}, "HTTP status 503"),
    ],
)
def test_something_else_answers(answers: Answers, said: str, tmp_path: Path) -> None:
    """An address without `/api`, or of another program, is a problem."""
    check = found(answers, tmp_path)["prefect"]

    assert (check.status, said in check.found) == (CheckStatus.PROBLEM, True), check


def test_nothing_answers(tmp_path: Path) -> None:
    """An address where nobody listens is a problem, shown without its password; the pools are then not known."""
    with asking("http://ada:hunter2@127.0.0.1:1/api"):
        (check,), (pools,) = PrefectProbes(tmp_path).prefect(), PrefectProbes(tmp_path).pools()

    assert check.status is CheckStatus.PROBLEM
    assert check.found.startswith("http://***@127.0.0.1:1/api (Prefect's settings) does not answer: Conn")
    assert "hunter2" not in f"{check} {pools}"
    assert (pools.status, pools.found) == (CheckStatus.UNKNOWN, "Prefect does not answer")


def test_a_database_that_is_gone(tmp_path: Path) -> None:
    """A server whose database does not answer is a problem, although the server itself answers."""
    check = found(healthy("3.99.0") | {"/ready": (503, {"message": "Database is not available"})}, tmp_path)["prefect database"]

    assert (check.status, check.found) == (CheckStatus.PROBLEM, "its kind is not told; it does not answer the server")


@pytest.mark.parametrize(
    ("driver", "kind"), [("postgresql+asyncpg", "PostgreSQL"), ("sqlite+aiosqlite", "SQLite"), (None, None)]
)
def test_the_kind_of_database(driver: str | None, kind: str | None, tmp_path: Path) -> None:
    """A server that is not ours tells the kind only if it was configured by its parts."""
    settings = {"server": {"database": {"driver": driver, "connection_url": "**********"}}}
    checks = found(healthy("3.99.0") | {"/admin/settings": (200, settings)}, tmp_path)

    assert checks["prefect database"].facts["kind"] == kind


def test_a_login(tmp_path: Path) -> None:
    """With the right login, it is said that one is required; with a wrong one, it is refused. Neither is shown."""
    right = "Basic YWRhOmh1bnRlcjI="  # ada:hunter2
    with imitation(healthy("3.99.0"), right) as address:
        with asking(address, "ada:hunter2"):
            known = {check.name: check for check in PrefectProbes(tmp_path).prefect()}
        with asking(address, "ada:guess"):
            (refused,) = PrefectProbes(tmp_path).prefect()

    assert known["prefect login"].facts == {"required": True}
    assert (refused.status, refused.found.endswith("refuses the login")) == (CheckStatus.PROBLEM, True)
    assert "PREFECT_API_AUTH_STRING" in (refused.hint or "")
    assert not {"hunter2", "guess"} & {*f"{known} {refused}".split()}


def test_slow_answers_are_warnings() -> None:
    """More than a second for one answer makes every stage slow."""
    slow = PrefectFacts(url="u", origin="o", client="3.9.1", server="3.9.1", seconds=1.5, database_seconds=2.5, login=False)

    api, database, _ = prefect_checks(slow)

    assert (api.status, database.status) == (CheckStatus.WARNING, CheckStatus.WARNING)
    assert api.found.endswith("answers in 1.5 s")
    assert "PostgreSQL" in (database.hint or "")


@pytest.mark.parametrize(
    ("pool", "status", "said"),
    [
        (
            PoolFacts(name="p", kind="process", paused=False, registrations=["a/a"], online=2, offline=1),
            "ok",
            "2 workers online",
        ),
        (PoolFacts(name="p", kind="docker", paused=False, registrations=[], online=0, offline=1), "ok", "0 workers online"),
        (
            PoolFacts(name="p", kind="process", paused=False, registrations=["a/a"], online=0, offline=1),
            "problem",
            "no worker is",
        ),
        (PoolFacts(name="p", kind="process", paused=True, registrations=["a/a"], online=1, offline=0), "warning", "paused"),
        (PoolFacts(name="p", kind=None, paused=False, registrations=["a/a"], online=0, offline=0), "problem", "does not exist"),
    ],
)
def test_a_work_pool(pool: PoolFacts, status: str, said: str) -> None:
    """Runs of registrations need a worker, unless all registrations are paused."""
    (check,) = pool_checks([pool])

    assert (check.name, check.status) == ("work pool p", CheckStatus(status))
    assert said in check.found


@pytest.mark.docker  # for the server
def test_a_registration_without_a_worker(prefect_api: str, tmp_path: Path) -> None:
    """The pool of a registered repository is named, with the command that starts a worker; a missing pool is named too."""
    name = f"doctor-{uuid4().hex[:8]}"
    create_pool(name, prefect_api)
    request = DeploymentRequest(
        flow=name,
        name="shop",
        registration=Registration(url=f"https://git.example.org/{name}", ref="main"),
        description="",
        version=None,
        parameters={},
        parameter_schema={"type": "object", "properties": {}},
        timetable=Timetable(),
        work_pool=name,
        job_variables={},
        concurrency=None,
        skip_overlapping=False,
        paused=False,
    )
    deployed, _ = deployments.save(request)
    try:
        checks = {check.name: check for check in PrefectProbes(tmp_path).pools()}
    finally:
        deployments.remove(deployed)

    check = checks[f"work pool {name}"]
    assert (check.status, check.found) == (CheckStatus.PROBLEM, "no worker is online: runs of 1 registration wait")
    assert check.hint == f"start one: `prefect worker start --pool {name}`"


def test_good_facts_are_in_order() -> None:
    """The facts that other tests change give no warning."""
    assert {check.status for check in prefect_checks(GOOD)} == {CheckStatus.OK}
