"""Asks people in Prefect: the flow run is Paused, and whoever resumes it fills in a form (docs/adr/0060)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from contextvars import Context
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import ObjectAlreadyExists, PrefectHTTPStatusError
from prefect.states import Paused, Running

from dockercise_prefect.orchestration.approvals.form import Form
from dockercise_prefect.orchestration.client.http_settings import answered_within
from dockercise_prefect.orchestration.client.settings import asking_once
from dockercise_prefect.orchestration.prefect.api import LOST
from dockercise_prefect.orchestration.prefect.flow_run import page
from dockercise_prefect.orchestration.scheduling.approvals import Question
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.summary import ApprovalSummary

POLL_SECONDS = 2.0
"""How many seconds pass between two questions to Prefect."""

ANSWER_SECONDS = 15.0
"""How many seconds Prefect has to answer one of them."""

LAST_SECONDS = 5.0
"""How many seconds the end of the stages waits until the flow run is Running again."""

Answers = Mapping[StageName, ApprovalSummary]


@dataclass(frozen=True, slots=True)
class AskingRun:
    """The run that asks.

    Attributes:
        flow_run: of the run.
        context: the context of the flow's thread.
        masked: replaces secrets in a text.
        notify: shows the user a line.
        awaits: says what the run waits for from now on.
    """

    flow_run: FlowRun
    context: Context
    masked: Callable[[str], str]
    notify: Callable[[str], None]
    awaits: Callable[[str], None]


class PrefectAsking:
    """Asks about the stages of one run (`scheduling.approvals.Asking`). Must be closed.

    While Prefect does not answer, the run waits.

    Args:
        run: the run.
        answered: called with the answers, in another thread.
    """

    def __init__(self, run: AskingRun, answered: Callable[[Answers], None]) -> None:
        self._run = run
        self._answered = answered
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def ask(self, questions: Sequence[Question]) -> None:
        """See `Asking`."""
        self._over = threading.Event()
        context = self._run.context.copy()
        work = _Dialogue(self._run, Form(questions, uuid4().hex[:8]), self._over, self._answered)
        self._thread = threading.Thread(target=context.run, args=(work.hold,), name="approval", daemon=True)
        self._thread.start()

    def withdraw(self) -> None:
        """See `Asking`."""
        self._over.set()

    def close(self) -> None:
        """Nobody is asked any more. The flow run is Running again, if Prefect answers."""
        self.withdraw()
        if self._thread is not None:
            self._thread.join(LAST_SECONDS)


class _Dialogue:
    """One form, from the pause of the flow run to the answers."""

    def __init__(self, run: AskingRun, form: Form, over: threading.Event, answered: Callable[[Answers], None]) -> None:
        self._run = run
        self._id = run.flow_run.id
        self._form = form
        self._over = over
        self._answered = answered

    def hold(self) -> None:
        """Ask, and wait for the answers, or until `over` is set."""
        with ExitStack() as stack:
            stack.enter_context(asking_once())
            client = stack.enter_context(get_client(httpx_settings=answered_within(ANSWER_SECONDS), sync_client=True))
            self._until(lambda: self._pause(client))
            self._until(lambda: self._show_form(client))
            if not self._over.is_set():
                self._tell()
            self._until(lambda: self._take_answers(client))
            if self._over.is_set():
                with suppress(*LOST):
                    self._resume(client)

    def _until(self, done: Callable[[], bool]) -> None:
        """Try again and again, while Prefect does not answer or `done` returns False."""
        while not self._over.is_set():
            with suppress(*LOST):
                if done():
                    return
            self._over.wait(POLL_SECONDS)

    def _pause(self, client: SyncPrefectClient) -> bool:
        """Pause the flow run. Prefect refuses this for one that is being cancelled."""
        state = client.read_flow_run(self._id).state
        if state is not None and state.state_details.run_input_keyset == self._form.keyset:
            return True  # the answer to an earlier request was lost
        paused: State[None] = Paused(pause_key=self._form.pause_key, message=f"waits for an approval of {self._names}")
        paused.state_details.run_input_keyset = self._form.keyset
        return client.set_flow_run_state(self._id, paused).status is SetStateStatus.ACCEPT

    def _show_form(self, client: SyncPrefectClient) -> bool:
        # Prefect counts a flow run that leaves a pause as another attempt, unless it is marked so.
        policy = client.read_flow_run(self._id).empirical_policy.model_copy(update={"resuming": True})
        client.update_flow_run(self._id, empirical_policy=policy)
        parts = {"schema": self._form.schema, "description": self._run.masked(self._form.description)}
        for part, value in parts.items():
            with suppress(ObjectAlreadyExists):
                client.create_flow_run_input(self._id, self._form.keyset[part], json.dumps(value))
        return True

    def _tell(self) -> None:
        run_id = self._run.flow_run.name
        for question in self._form.questions:
            self._run.notify(f"{question.name} waits for an approval: {' '.join(question.text.split())}")
        stage = f" {self._form.questions[0].name}" if len(self._form.questions) == 1 else " STAGE"
        here = page(self._run.flow_run)
        where = f", or choose Resume on {here}" if here else ""
        self._run.notify(f"to answer, type `dockercise approve {run_id}{stage}`, with `--no` to refuse{where}")
        self._run.awaits(f"an approval of {self._names}")

    @property
    def _names(self) -> str:
        return ", ".join(question.name for question in self._form.questions)

    def _take_answers(self, client: SyncPrefectClient) -> bool:
        state = client.read_flow_run(self._id).state
        late = [question for question in self._form.questions if question.due is not None and question.due <= datetime.now(UTC)]
        if state is None or not (state.is_running() or (state.is_paused() and late)):
            return False
        if state.is_paused():
            self._resume(client)
        at = datetime.now(UTC).isoformat()
        none = {question.name: ApprovalSummary("none", at) for question in late}
        answers = {**none, **self._form.answers(self._response(client), at)}
        for name, answer in answers.items():
            self._run.notify(f"{name}: {answer.in_words}")
        self._answered(answers)
        return True

    def _resume(self, client: SyncPrefectClient) -> None:
        state = client.read_flow_run(self._id).state
        if state is not None and state.is_paused():
            client.set_flow_run_state(self._id, Running())

    def _response(self, client: SyncPrefectClient) -> Mapping[str, object]:
        """What was filled in. Whoever sets the state without the form has answered nothing."""
        try:
            found = json.loads(client.read_flow_run_input(self._id, self._form.keyset["response"]))
        except PrefectHTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise
            return {}
        return found if isinstance(found, dict) else {}
