"""A hub that the test controls. It is in a file, so a receiver in another process uses the same one."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from dockercise_prefect.hosts.pull_requests import PullRequests
from dockercise_prefect.webhook.payload.address import page_of
from dockercise_prefect.webhook.payload.event import Event
from dockercise_prefect.webhook.payload.pull_request import PullRequest
from dockercise_prefect.webhook.receiver.hub import Hub, HubDownError, PushRefusedError, Registered, RunState, Started, Touched
from tests.webhook.payloads import BEFORE, SECRET, commit_number
from tests.webhook.world import Run

_TABLES = """
CREATE TABLE IF NOT EXISTS registered (id TEXT PRIMARY KEY, content TEXT);
CREATE TABLE IF NOT EXISTS secrets (block TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS runs (
    seq INTEGER PRIMARY KEY, key TEXT UNIQUE, id TEXT, deployment TEXT, commit_id TEXT, targets TEXT, state TEXT,
    pull_request INTEGER
);
CREATE TABLE IF NOT EXISTS touched (commit_id TEXT PRIMARY KEY, targets TEXT, refusal TEXT);
CREATE TABLE IF NOT EXISTS switches (name TEXT PRIMARY KEY, value INTEGER);
CREATE TABLE IF NOT EXISTS calls (seq INTEGER PRIMARY KEY, name TEXT, about TEXT);
"""


def merge_of(head: str) -> str:
    """The commit that the scripted host makes when it merges a pull request with this head."""
    return hashlib.sha1(f"merge {head}".encode(), usedforsecurity=False).hexdigest()


class _File:
    """A database, opened again for each use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self.open() as connection:
            connection.executescript(_TABLES)

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """Inside, there is one transaction."""
        with closing(sqlite3.connect(self._path, timeout=30)) as connection, connection:
            yield connection

    def switch(self, name: str, value: int) -> None:
        """Set a switch."""
        with self.open() as connection:
            connection.execute("INSERT OR REPLACE INTO switches VALUES (?, ?)", (name, value))

    def taken(self, name: str) -> bool:
        """Whether a switch is above 0; counts it down by one."""
        with self.open() as connection:
            return (
                connection.execute("UPDATE switches SET value = value - 1 WHERE name = ? AND value > 0", (name,)).rowcount > 0
            )

    def called(self, name: str, about: str = "") -> None:
        """Note a call; raises if the hub must not answer.

        Raises:
            HubDownError: the test told the world to hang up.
        """
        with self.open() as connection:
            connection.execute("INSERT INTO calls (name, about) VALUES (?, ?)", (name, about))
            down = connection.execute(
                "SELECT value FROM switches WHERE name IN ('down', ?) AND value > 0", (f"down:{about}",)
            ).fetchone()
        if down:
            raise HubDownError("Prefect does not answer", patience=float(down[0]))


class ScriptedHub:
    """Keeps `webhook.hub.Hub`'s contract, and does what the test set in the world."""

    def __init__(self, path: Path) -> None:
        self._file = _File(path)

    def registrations(self) -> Sequence[Registered]:
        self._file.called("registrations")
        with self._file.open() as connection:
            rows = connection.execute("SELECT content FROM registered").fetchall()
        found = [json.loads(content) for (content,) in rows]
        return [
            Registered(
                **{
                    **one,
                    "repositories": frozenset(one["repositories"]),
                    "branches": tuple(one["branches"]),
                    "tags": tuple(one["tags"]),
                    "pull_requests": PullRequests(one["pull_requests"]),
                }
            )
            for one in found
        ]

    def secret(self, block: str) -> str | None:
        self._file.called("secret", block)
        with self._file.open() as connection:
            row = connection.execute("SELECT value FROM secrets WHERE block = ?", (block,)).fetchone()
        return row[0] if row else None

    def withdraw(self, registered: Registered, request: PullRequest, key: str) -> int:
        self._file.called("withdraw", registered.deployment_id)
        with self._file.open() as connection:
            return connection.execute(
                "UPDATE runs SET state = 'error' WHERE deployment = ? AND pull_request = ? AND state = 'pending' AND key != ?",
                (registered.deployment_id, request.number, key),
            ).rowcount

    def settled(self, registered: Registered, request: PullRequest, waited: float) -> PullRequest:
        self._file.called("settled", registered.deployment_id)
        if request.has_conflicts:
            raise PushRefusedError("it cannot be merged")
        return replace(request, commit=merge_of(request.head), base=BEFORE)

    def touched(self, registered: Registered, push: Event) -> Touched:
        self._file.called("touched", registered.deployment_id)
        if self._file.taken("surprise"):
            raise KeyError("a secret in a message that nobody foresaw")
        with self._file.open() as connection:
            row = connection.execute("SELECT targets, refusal FROM touched WHERE commit_id = ?", (push.after,)).fetchone()
        if row and row[1]:
            raise PushRefusedError(row[1])
        targets = json.loads(row[0]) if row else None
        return Touched(None if targets is None else tuple(targets))

    def submit(self, registered: Registered, push: Event, targets: tuple[str, ...] | None, key: str) -> Started:
        self._file.called("submit", registered.deployment_id)
        commit, number = (push.commit, push.number) if isinstance(push, PullRequest) else (push.after, None)
        with self._file.open() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO runs (key, id, deployment, commit_id, targets, state, pull_request)"
                " VALUES (?, ?, ?, ?, ?, 'pending', ?)",
                (key, str(uuid.uuid4()), registered.deployment_id, commit, json.dumps(targets), number),
            )
            (run,) = connection.execute("SELECT id FROM runs WHERE key = ?", (key,)).fetchone()
        if self._file.taken("lost answers"):
            raise HubDownError("the answer was lost")
        asks = isinstance(push, PullRequest) and push.is_fork
        return Started(run, f"http://127.0.0.1:4200/runs/flow-run/{run}", asks)

    def states(self, flow_run_ids: Sequence[str]) -> Mapping[str, RunState]:
        self._file.called("states")
        with self._file.open() as connection:
            known = dict(connection.execute("SELECT id, state FROM runs").fetchall())
        return {run: RunState(known.get(run, "gone")) for run in flow_run_ids}


def open_scripted_hub(path: str) -> Hub:
    """The hub in a file."""
    return ScriptedHub(Path(path))


class ScriptedWorld:
    """The test's side of the hub: sets what exists, and sees which runs were requested."""

    def __init__(self, path: Path) -> None:
        self._file = _File(path)
        self.hub: Hub = open_scripted_hub(str(path))
        self.elsewhere = (f"{__name__}:{open_scripted_hub.__name__}", str(path))

    def register(
        self,
        repository: str,
        secret: str | None = SECRET,
        *,
        name: str = "",
        branches: Sequence[str] = ("*",),
        tags: Sequence[str] = (),
        token: str | None = None,
        pull_requests: PullRequests = PullRequests.NEVER,
    ) -> Registered:
        """A deployment of a repository, with Secret blocks for the given values."""
        identity = str(uuid.uuid4())
        address = repository if ":" in repository else f"https://github.com/{repository}.git"
        registered = Registered(
            deployment_id=identity,
            name=f"registered/{name or repository}",
            repositories=frozenset([address]),
            branches=tuple(branches),
            tags=tuple(tags),
            secret=None if secret is None else self.keep(f"webhook-{identity}", secret),
            token=None if token is None else self.keep(f"token-{identity}", token),
            page=page_of(address),
            pull_requests=pull_requests,
        )
        content = {slot: getattr(registered, slot) for slot in registered.__slots__}
        with self._file.open() as connection:
            connection.execute(
                "INSERT INTO registered VALUES (?, ?)",
                (identity, json.dumps(content | {"repositories": sorted(registered.repositories)})),
            )
        return registered

    def commit(self, repository: str, number: int) -> tuple[str, str]:
        """An unknown commit and an unknown previous one."""
        del repository
        return BEFORE, commit_number(10_000 + number)

    def keep(self, block: str, value: str) -> str:
        """Put a secret into a block, and return the block's name."""
        with self._file.open() as connection:
            connection.execute("INSERT OR REPLACE INTO secrets VALUES (?, ?)", (block, value))
        return block

    def remove(self, registered: Registered) -> None:
        """Remove the registration of the deployment."""
        with self._file.open() as connection:
            connection.execute("DELETE FROM registered WHERE id = ?", (registered.deployment_id,))

    def hang_up(self, deployment_id: str | None = None, *, patience: int = 3600) -> None:
        """Answer nothing, or nothing about one deployment; for so many seconds the error allows another attempt."""
        self._file.switch(f"down:{deployment_id}" if deployment_id else "down", patience)

    def answer(self, deployment_id: str | None = None) -> None:
        """Answer again."""
        self._file.switch(f"down:{deployment_id}" if deployment_id else "down", 0)

    def lose_answers(self, count: int) -> None:
        """Create so many runs whose answer is lost."""
        self._file.switch("lost answers", count)

    def surprise(self, count: int) -> None:
        """Let so many calls fail with an error that no contract names."""
        self._file.switch("surprise", count)

    def touches(self, commit: str, targets: Sequence[str] | None, refusal: str | None = None) -> None:
        """Set the targets that a push to that commit touches, or the reason why it is refused."""
        with self._file.open() as connection:
            connection.execute("INSERT OR REPLACE INTO touched VALUES (?, ?, ?)", (commit, json.dumps(targets), refusal))

    def end(self, commit: str, state: RunState) -> None:
        """Let the runs of a commit end in this way."""
        with self._file.open() as connection:
            connection.execute("UPDATE runs SET state = ? WHERE commit_id = ?", (state, commit))

    def runs(self) -> list[Run]:
        """All runs, in the order in which they were started."""
        with self._file.open() as connection:
            rows = connection.execute("SELECT deployment, commit_id, targets FROM runs ORDER BY seq").fetchall()
        read = [(deployment, commit, json.loads(targets)) for deployment, commit, targets in rows]
        return [Run(deployment, commit, None if targets is None else tuple(targets)) for deployment, commit, targets in read]

    def states(self) -> dict[str, str]:
        """The state of each commit's run."""
        with self._file.open() as connection:
            return dict(connection.execute("SELECT commit_id, state FROM runs").fetchall())

    def calls(self, name: str) -> int:
        """How often a method of the hub was called."""
        with self._file.open() as connection:
            (count,) = connection.execute("SELECT count(*) FROM calls WHERE name = ?", (name,)).fetchone()
        return int(count)
