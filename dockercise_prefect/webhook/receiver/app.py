"""The HTTP endpoints: deliveries, health, metrics."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dockercise_prefect.webhook.receiver.body import Bodies, TooBigError, TooMuchError, TooSlowError
from dockercise_prefect.webhook.receiver.directory import Directory
from dockercise_prefect.webhook.receiver.inbox import Inbox
from dockercise_prefect.webhook.receiver.intake import Answer, Intake, Result
from dockercise_prefect.webhook.receiver.metrics import CONTENT_TYPE, Metrics
from dockercise_prefect.webhook.receiver.notices import Notices

DOORS = ("/", "/webhook")
"""The paths that accept deliveries."""

ASKING_SECONDS = 3.0
"""Seconds that a delivery waits for the registrations to be read again. The host itself waits for ten seconds."""


class Doors:
    """The handlers of requests. Each answer is one JSON object that says what became of the request."""

    def __init__(
        self,
        *,
        intake: Intake,
        directory: Directory,
        inbox: Inbox,
        notices: Notices,
        metrics: Metrics,
        say: Callable[[str], None],
        bodies: Bodies | None = None,
    ) -> None:
        """Make the handlers.

        Args:
            intake: judges deliveries.
            directory: reads the registrations again when a delivery comes from an unknown repository.
            inbox: says whether it can accept more deliveries.
            notices: says how many commit statuses are not sent yet.
            metrics: counts the answers.
            say: called with one line for each delivery, and with one more if the operator can do something.
            bodies: reads bodies.
        """
        self._intake = intake
        self._directory = directory
        self._inbox = inbox
        self._notices = notices
        self._metrics = metrics
        self._say = say
        self._bodies = bodies or Bodies()

    def app(self) -> Starlette:
        """The ASGI application."""
        doors = [Route(path, self._deliver, methods=["POST"]) for path in DOORS]
        return Starlette(routes=[*doors, Route("/health", self._health), Route("/metrics", self._figures)])

    async def _deliver(self, request: Request) -> Response:
        began = time.perf_counter()
        try:
            answer = await self._answer(request)
        except ClientDisconnect:
            answer = Answer(result=Result.TOO_SLOW, message="the sender disconnected before the whole body arrived")
        took = time.perf_counter() - began
        self._metrics.answered(answer.result, took)
        self._tell(answer, took)
        headers = {"Retry-After": "10"} if answer.result.status == Result.FULL.status else {}
        if answer.unread:
            headers["Connection"] = "close"
        content = {"result": answer.result, "message": answer.message}
        return JSONResponse(content, status_code=answer.result.status, headers=headers)

    async def _answer(self, request: Request) -> Answer:
        try:
            body = await self._bodies.read(request.stream(), request.headers.get("content-length"))
        except TooBigError as error:
            return Answer(result=Result.TOO_BIG, message=error.message, unread=True)
        except TooSlowError as error:
            return Answer(result=Result.TOO_SLOW, message=error.message, unread=True)
        except TooMuchError as error:
            return Answer(result=Result.FULL, message=error.message, unread=True)
        try:
            headers = dict(request.headers)
            answer = await run_in_threadpool(self._intake.take, headers, body)
            if answer.asks and await self._asked():
                answer = await run_in_threadpool(self._intake.take, headers, body)
        finally:
            self._bodies.let_go(body)
        return answer

    async def _asked(self) -> bool:
        """Have the registrations read again; returns whether that was done in time."""
        asked = self._directory.asked()
        if asked is None:
            return False
        try:
            await asyncio.wait_for(asyncio.wrap_future(asked), ASKING_SECONDS)
        except TimeoutError:
            return False
        return True

    async def _health(self, _request: Request) -> Response:
        health = self._directory.health()
        try:
            waiting: int | None = await run_in_threadpool(self._inbox.waiting)
            statuses: int | None = await run_in_threadpool(self._notices.outstanding)
            accepts = not await run_in_threadpool(lambda: self._inbox.full)
        except sqlite3.Error:
            waiting, statuses, accepts = None, None, False
        content = {
            "accepts": accepts,
            "queue": waiting,
            "statuses": statuses,
            "prefect": health.hub_answers,
            "registrations": {"count": health.count, "age_seconds": None if health.age is None else round(health.age, 1)},
        }
        return JSONResponse(content, status_code=200 if accepts else 503)

    async def _figures(self, _request: Request) -> Response:
        return Response(await run_in_threadpool(self._metrics.text), media_type=CONTENT_TYPE)

    def _tell(self, answer: Answer, seconds: float) -> None:
        about = " ".join(answer.about) or "-"
        self._say(f"{about}: {answer.result}, {answer.message} ({seconds * 1000:.1f} ms)")
        if answer.hint:
            self._say(f"  hint: {answer.hint}")
