"""Checks of Prefect: its address, version, database and login, and the workers of our registrations. Starts no server."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import httpx
import prefect
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import WorkerStatus
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_REQUEST_TIMEOUT,
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED,
    temporary_settings,
)

from dockercise_prefect.errors import OrchestratorError
from dockercise_prefect.orchestration.doctor.amounts import shown_time
from dockercise_prefect.orchestration.doctor.check import Check, CheckStatus
from dockercise_prefect.orchestration.prefect.api import LOST, configured_api, shown_api
from dockercise_prefect.orchestration.prefect.local_server import ServerFolder
from dockercise_prefect.orchestration.registrations.deployments import Deployed, registrations

OLDEST: Final = (3, 8, 8)
"""The oldest Prefect that is tested (docs/engines.md)."""

ANSWER_SECONDS: Final = 8.0
"""How long one answer may take. A run waits longer, but an answer that takes this long makes every run slow."""

SLOW_SECONDS: Final = 1.0
"""A run waits for several answers for each stage."""

_UNAUTHORIZED: Final = 401
_NOT_PREFECT: Final = "the answer is not one of Prefect's API"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefectFacts:
    """An API of Prefect that was asked.

    Attributes:
        url: its address, safe to show. origin: what named the address.
        client: the version of Prefect here.
        server: the version of Prefect there; None if it did not answer.
        error: why it did not answer.
        refused: whether it refused our login.
        seconds: how long it took to answer.
        database_seconds: how long its database took to answer; None if the database does not answer.
        database: the kind of the database; None if that is not known.
        login: whether it requires a login; None if that is not known.
    """

    url: str
    origin: str
    client: str
    server: str | None = None
    error: str | None = None
    refused: bool = False
    seconds: float = 0.0
    database_seconds: float | None = None
    database: str | None = None
    login: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFacts:
    """A work pool that registered repositories use.

    Attributes:
        kind: its type; None if the pool does not exist.
        registrations: the names of the registrations that are not paused.
        online, offline: how many workers are there, and how many were.
    """

    name: str
    kind: str | None
    paused: bool
    registrations: Sequence[str]
    online: int
    offline: int


class PrefectProbes:
    """The probes of Prefect.

    Args:
        data: the user's data folder, where the local server keeps its files.
    """

    def __init__(self, data: Path) -> None:
        self._folder = ServerFolder(data)

    def prefect(self) -> Iterator[Check]:
        """The API that runs would report to."""
        with self._api() as origin:
            if origin is None:
                yield not_running_check(prefect.__version__)
                return
            facts = self._facts(origin)
        yield from prefect_checks(facts)

    def pools(self) -> Iterator[Check]:
        """The work pools of registered repositories."""
        with self._api() as origin:
            if origin is None:
                yield Check("work pools", CheckStatus.OK, "no Prefect server is running, so nothing is registered there")
                return
            try:
                found = list(_pools())
            except (*LOST, OrchestratorError):  # the check of Prefect says why
                yield Check("work pools", CheckStatus.UNKNOWN, "Prefect does not answer")
                return
        yield from pool_checks(found)

    @contextmanager
    def _api(self) -> Iterator[str | None]:
        """Inside, Prefect's clients ask the API that runs would report to, once and not for long. Gives what named the API."""
        once: dict[Any, Any] = {
            PREFECT_API_REQUEST_TIMEOUT: ANSWER_SECONDS,
            PREFECT_CLIENT_MAX_RETRIES: 0,
            PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED: False,
        }
        origin: str | None = "PREFECT_API_URL" if os.environ.get("PREFECT_API_URL") else "Prefect's settings"
        if not configured_api():
            server = self._folder.seen()
            origin = "the local server" if server else None
            if server:
                once |= {PREFECT_API_URL: server.api_url, PREFECT_API_AUTH_STRING: self._folder.login()}
        with temporary_settings(once):
            yield origin

    def _facts(self, origin: str) -> PrefectFacts:
        unanswered = PrefectFacts(url=shown_api(), origin=origin, client=prefect.__version__)
        try:
            with get_client(sync_client=True) as client:
                server = client.api_version()
                if not _numbers(str(server)):
                    return replace(unanswered, error=_NOT_PREFECT)
                began = time.monotonic()  # the first request opened the connection
                client.request("GET", "/health")
                seconds = time.monotonic() - began
                database = self._database(client, origin)
                answered = _database_seconds(client)
        except PrefectHTTPStatusError as error:
            status = error.response.status_code
            return replace(unanswered, error=f"HTTP status {status}", refused=status == _UNAUTHORIZED)
        except ValueError:  # first: an answer that cannot be read counts as lost elsewhere
            return replace(unanswered, error=_NOT_PREFECT)
        except LOST as error:
            return replace(unanswered, error=_in_words(error))
        login = _needs_login()
        return replace(unanswered, server=server, seconds=seconds, database_seconds=answered, database=database, login=login)

    def _database(self, client: SyncPrefectClient, origin: str) -> str | None:
        """The kind of the database. A server that is not ours often does not tell it, since the address is a secret."""
        if origin == "the local server":
            return "SQLite"
        try:
            told = client.request("GET", "/admin/settings").json()["server"]["database"]["driver"]
        except (*LOST, ValueError, KeyError, TypeError):
            return None
        return {"postgresql": "PostgreSQL", "sqlite": "SQLite"}.get(str(told).partition("+")[0])


def not_running_check(client: str) -> Check:
    """No API is configured, and no local server runs."""
    found = f"no local server is running; `dockercise up` or any run starts it (Prefect {client} here)"
    return Check("prefect", CheckStatus.OK, found, facts={"client": client, "server": None, "url": None})


def prefect_checks(facts: PrefectFacts) -> Iterator[Check]:
    """Whether runs can report to this API."""
    numbers: dict[str, str | float | None] = {
        "client": facts.client,
        "server": facts.server,
        "url": facts.url,
        "origin": facts.origin,
    }
    where = f"{facts.url} ({facts.origin})"
    if facts.server is None:
        found = f"{where} does not answer: {facts.error}"
        hint: str | None = (
            "is the server up, and is the address right? It ends in `/api`; `dockercise status` shows the local server"
        )
        if facts.refused:
            found = f"{where} refuses the login"
            hint = "set PREFECT_API_AUTH_STRING to the server's NAME:PASSWORD, or PREFECT_API_KEY for Prefect Cloud"
        yield Check("prefect", CheckStatus.PROBLEM, found, hint, numbers)
        return
    status, hint = _fit(facts.client, facts.server, local=facts.origin == "the local server")
    if status is CheckStatus.OK and facts.seconds > SLOW_SECONDS:
        status, hint = CheckStatus.WARNING, "is the server busy, or far away? Every stage waits for several answers"
    found = f"Prefect {facts.server}, {facts.client} here · {where} · answers in {shown_time(facts.seconds)}"
    yield Check("prefect", status, found, hint, numbers | {"seconds": round(facts.seconds, 3)})
    yield _database_check(facts)
    yield _login_check(facts)


def _fit(client: str, server: str, *, local: bool) -> tuple[CheckStatus, str | None]:
    here, there = _numbers(client), _numbers(server)
    upgrade = "`dockercise down`, then `dockercise up`" if local else "upgrade Prefect on the server"
    if here[:1] != there[:1]:
        return (
            CheckStatus.PROBLEM,
            f"the first numbers of both versions must be the same: {upgrade}, or install its version here",
        )
    if there < OLDEST:
        return CheckStatus.PROBLEM, f"Prefect {'.'.join(map(str, OLDEST))} and later are tested: {upgrade}"
    if there < here:
        return CheckStatus.WARNING, f"a server should not be older than its clients: {upgrade}"
    return CheckStatus.OK, None


def _database_check(facts: PrefectFacts) -> Check:
    kind = facts.database or "its kind is not told"
    if facts.database_seconds is None:
        hint = "look at the log of the server, and whether its database is up"
        return Check(
            "prefect database", CheckStatus.PROBLEM, f"{kind}; it does not answer the server", hint, {"kind": facts.database}
        )
    slow = facts.database_seconds > SLOW_SECONDS
    return Check(
        "prefect database",
        CheckStatus.WARNING if slow else CheckStatus.OK,
        f"{kind}, answers in {shown_time(facts.database_seconds)}",
        "use PostgreSQL for many runs at once; otherwise, is the disk of the database busy or full?" if slow else None,
        {"kind": facts.database, "seconds": round(facts.database_seconds, 3)},
    )


def _login_check(facts: PrefectFacts) -> Check:
    said = {True: "required", False: "none: everyone who reaches the address can use it", None: "not known"}[facts.login]
    status = CheckStatus.UNKNOWN if facts.login is None else CheckStatus.OK
    return Check("prefect login", status, said, facts={"required": facts.login})


def pool_checks(pools: Iterable[PoolFacts]) -> Iterator[Check]:
    """Whether the runs of registered repositories find a worker."""
    pools = list(pools)
    if not pools:
        yield Check("work pools", CheckStatus.OK, "no repository is registered")
    for pool in pools:
        numbers = {
            "pool": pool.name,
            "type": pool.kind,
            "paused": pool.paused,
            "online": pool.online,
            "offline": pool.offline,
            "registrations": len(pool.registrations),
        }
        count = len(pool.registrations)
        used = f"{count} registration{'' if count == 1 else 's'}"
        name = f"work pool {pool.name}"
        start = f"`prefect worker start --pool {pool.name}`"
        if pool.kind is None:
            yield Check(name, CheckStatus.PROBLEM, f"it does not exist, but {used} use it", "register them again", numbers)
        elif pool.paused:
            hint = f"`prefect work-pool resume {pool.name}` lets them start"
            yield Check(name, CheckStatus.WARNING, f"paused: runs of {used} wait", hint, numbers)
        elif not pool.online and count:
            yield Check(name, CheckStatus.PROBLEM, f"no worker is online: runs of {used} wait", f"start one: {start}", numbers)
        else:
            workers = f"{pool.online} worker{'' if pool.online == 1 else 's'} online"
            yield Check(name, CheckStatus.OK, f"{pool.kind}, {workers}, {used}", facts=numbers)


def _pools() -> Iterator[PoolFacts]:
    """The pools of all registrations."""
    users: dict[str, list[str]] = {}
    for one in registrations():
        if isinstance(one, Deployed) and one.work_pool:
            names = users.setdefault(one.work_pool, [])
            if not one.paused:
                names.append(one.name)
    with get_client(sync_client=True) as client:
        for pool, names in sorted(users.items()):
            yield _pool(client, pool, names)


def _pool(client: SyncPrefectClient, name: str, users: Sequence[str]) -> PoolFacts:
    try:
        pool = client.read_work_pool(name)
        workers = client.read_workers_for_work_pool(name)
    except ObjectNotFound:
        return PoolFacts(name=name, kind=None, paused=False, registrations=users, online=0, offline=0)
    online = sum(worker.status is WorkerStatus.ONLINE for worker in workers)
    return PoolFacts(
        name=name,
        kind=pool.type,
        paused=pool.is_paused,
        registrations=users,
        online=online,
        offline=len(workers) - online,
    )


def _database_seconds(client: SyncPrefectClient) -> float | None:
    """How long the database of the server takes to answer; None if it does not."""
    began = time.monotonic()
    try:
        client.request("GET", "/ready")
    except LOST:
        return None
    return time.monotonic() - began


def _needs_login() -> bool | None:
    """Whether the API refuses who has no login."""
    url = re.sub(r"(?<=://)[^/@]*@", "", configured_api() or "")
    try:
        answer = httpx.get(f"{url}/admin/version", timeout=ANSWER_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    return answer.status_code == _UNAUTHORIZED


def _in_words(error: Exception) -> str:
    """An error of the connection. Prefect's own errors wrap it."""
    cause = error.__cause__ or error.__context__
    text = str(error) or (str(cause) if cause else "")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(part or 0) for part in found.groups()) if found else ()
