"""Whose turn it is, over all runs and machines: Prefect's global concurrency limits (docs/adr/0060)."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from contextvars import Context
from dataclasses import dataclass
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client

from dockercise_prefect.orchestration.prefect.api import LOST
from dockercise_prefect.orchestration.prefect.run_limit import RunLimit
from dockercise_prefect.pipeline import Stage, StageConcurrency, StageName

POLL_SECONDS = 2.0
"""How many seconds pass between two questions for a free slot."""

LAST_SECONDS = 10.0
"""How many seconds the end of the stages waits until all slots are given back. Later, their leases end by themselves."""

_NOT_IN_NAMES = re.compile(r"[/%&<>]")
"""Characters that Prefect does not accept in the name of a limit."""


@dataclass(frozen=True, slots=True)
class TurnsOfRun:
    """The run whose stages want turns.

    Attributes:
        flow_run_id: of the run.
        context: the context of the flow's thread.
        owner: whose groups they are, for a pipeline that is not trusted; empty for the groups that all others share.
        notify: shows the user a line.
    """

    flow_run_id: UUID
    context: Context
    owner: str
    notify: Callable[[str], None]


class PrefectTurns:
    """Takes turns for the stages of one run (`scheduling.turns.TurnTaking`). Must be closed.

    One thread asks Prefect for all stages that wait, in the order in which they came. While Prefect does not answer, they wait.
    A stage that runs goes on then. If that takes longer than the lease of its slot, another stage may run beside it, and the
    user is told.

    Args:
        run: the run.
        has_turn: called in the thread when it is the turn of a stage.
    """

    def __init__(self, run: TurnsOfRun, has_turn: Callable[[Stage], None]) -> None:
        self._run = run
        self._has_turn = has_turn
        self._lock = threading.Lock()
        self._wanted: dict[StageName, Stage] = {}
        self._told: set[StageName] = set()
        self._slots: dict[StageName, ExitStack] = {}
        self._over: list[ExitStack] = []
        self._news = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def want(self, stage: Stage) -> None:
        """See `TurnTaking`."""
        with self._lock:
            self._wanted[stage.name] = stage
            self._told.discard(stage.name)
            if self._thread is None:
                work = self._run.context.copy()
                self._thread = threading.Thread(target=work.run, args=(self._work,), name="turns", daemon=True)
                self._thread.start()
        self._news.set()

    def end(self, stage: Stage) -> None:
        """See `TurnTaking`."""
        with self._lock:
            self._wanted.pop(stage.name, None)
            slot = self._slots.pop(stage.name, None)
            if slot is not None:
                self._over.append(slot)
        self._news.set()

    def close(self) -> None:
        """Give all slots back."""
        self._closed = True
        self._news.set()
        if self._thread is not None:
            self._thread.join(LAST_SECONDS)

    def _work(self) -> None:
        with get_client(sync_client=True) as client:
            while not self._closed:
                self._news.clear()
                self._give_back()
                with suppress(*LOST):  # then they wait for Prefect
                    self._ask(client)
                self._news.wait(POLL_SECONDS if self._wanted else None)
            with self._lock:
                self._over += self._slots.values()
                self._slots.clear()
            self._give_back()

    def _give_back(self) -> None:
        with self._lock:
            over, self._over = self._over, []
        for slot in over:
            slot.close()

    def _ask(self, client: SyncPrefectClient) -> None:
        """Ask for a slot for each stage that waits, until one group after the other has none left."""
        full: set[str] = set()
        for stage in self._waiting():
            turn = stage.concurrency
            if turn is None or turn.group in full:
                continue
            slot = ExitStack()
            if slot.enter_context(self._limit(client, stage, turn)).occupy():
                self._give(stage, slot)
            else:
                full.add(turn.group)
                self._tell(stage, turn)

    def _waiting(self) -> Iterable[Stage]:
        with self._lock:
            return list(self._wanted.values())

    def _limit(self, client: SyncPrefectClient, stage: Stage, turn: StageConcurrency) -> RunLimit:
        group = f"{self._run.owner} {turn.group}".strip()
        name = f"dockercise stages {_NOT_IN_NAMES.sub('_', group)}"
        lost = (
            f"{stage.name} goes on, but Prefect has not answered for so long that another stage of `{turn.group}` may run too"
        )
        return RunLimit(client, name, turn.limit, self._run.flow_run_id, lambda: self._run.notify(lost))

    def _give(self, stage: Stage, slot: ExitStack) -> None:
        with self._lock:
            is_wanted = self._wanted.pop(stage.name, None) is not None
            if is_wanted:
                self._slots[stage.name] = slot
            else:
                self._over.append(slot)
        if is_wanted:
            self._has_turn(stage)

    def _tell(self, stage: Stage, turn: StageConcurrency) -> None:
        if stage.name not in self._told:
            self._told.add(stage.name)
            going_on = "a stage" if turn.limit == 1 else f"{turn.limit} stages"
            self._run.notify(
                f"{stage.name} waits for its turn: {going_on} of `{turn.group}` {'is' if turn.limit == 1 else 'are'} running"
            )
