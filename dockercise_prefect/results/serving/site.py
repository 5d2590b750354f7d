"""The pages of an account: its pipelines, their runs, each run, and the files of its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dockercise_prefect.errors import DockerciseError, UsageError
from dockercise_prefect.pipeline import Pipeline, StageName
from dockercise_prefect.results.cache.paths import CACHE
from dockercise_prefect.results.places.objects import NotStoredError
from dockercise_prefect.results.places.s3 import S3Objects
from dockercise_prefect.results.reading.recorded_run import BrokenRecordError, RecordedRun
from dockercise_prefect.results.reading.records import RUN_ID, pipelines_in
from dockercise_prefect.results.reading.run_list import BROKEN, UNFINISHED
from dockercise_prefect.results.reading.run_view import READERS, RunView, look
from dockercise_prefect.results.report.pages import LIVE, page
from dockercise_prefect.results.report.run_page import SCRIPT, Head, Links, budget, run_page
from dockercise_prefect.results.report.runs_page import SCRIPT as GRID
from dockercise_prefect.results.report.runs_page import Row, grid_of, rows_of
from dockercise_prefect.results.serving.answers import message_answer, page_answer, text_answer
from dockercise_prefect.results.serving.memory import Memory
from dockercise_prefect.results.serving.newest import newest_runs
from dockercise_prefect.results.serving.snapshot import Snapshot, weight
from dockercise_prefect.results.summary import StageSummary
from dockercise_prefect.status import StageStatus

RUNS = 50
"""The maximum number of runs on a page."""

RUN_SECONDS = 5
LIST_SECONDS = 15
"""Seconds after which the page of a run that goes on loads itself again, and after which the list of the newest runs does."""

LINK_SECONDS = 300
"""How long a link for a download works. It is made at the click."""

REMEMBERED = 64 * 1024 * 1024
"""About how many bytes of records are remembered."""

REMEMBERED_STAGES = 200_000
"""The maximum number of stages in summaries that are remembered."""

Draw: TypeAlias = Callable[[Pipeline, Mapping[StageName, StageSummary]], str | None]
"""Draws a pipeline whose stages ended like this, as SVG; None if it has too many stages."""


class Site:
    """Makes the pages.

    Args:
        account: the number of the account, the first part of every path.
        objects: the place of all records.
        draw: draws the graph of a run.
    """

    def __init__(self, account: str, objects: S3Objects, draw: Draw) -> None:
        self._account = account
        self._objects = objects
        self._draw = draw
        self._read: Memory[Any] = Memory(REMEMBERED, weight)
        self._ended: Memory[Row] = Memory(REMEMBERED_STAGES, lambda row: 1 + len(row.stages))

    def app(self) -> Starlette:
        """The pages by their paths: `/ACCOUNT/PIPELINE/RUN/FILE`."""
        routes = [
            Route("/", self._accounts),
            Route("/{account}", self._pipelines),
            Route("/{account}/{pipeline}", self._runs),
            Route("/{account}/{pipeline}/{run}", self._run),
            Route("/{account}/{pipeline}/{run}/{file}", self._file),
        ]
        return Starlette(routes=routes, exception_handlers={DockerciseError: _explained, HTTPException: _explained})

    def _accounts(self, _request: Request) -> Response:
        return page_answer(page("accounts.html.j2", accounts=[self._account], link=path_to))

    def _pipelines(self, request: Request) -> Response:
        self._check(request)
        names = pipelines_in(self._objects)
        with ThreadPoolExecutor(READERS) as readers:
            newest = [run for found in readers.map(lambda name: self._newest(name, None, 1), names) for run in found]
        rows = {run.pipeline: row for run, row in zip(newest, self._rows(newest), strict=True)}
        text = page(
            "pipelines.html.j2",
            account=self._account,
            place=self._objects.url,
            pipelines=[(name, rows.get(name)) for name in names],
            link=partial(path_to, self._account),
        )
        return page_answer(text)

    def _runs(self, request: Request) -> Response:
        self._check(request)
        pipeline = request.path_params["pipeline"]
        before = request.query_params.get("before")
        if before is not None and not RUN_ID.fullmatch(before):
            raise UsageError(f"`{before}` is not the id of a run")
        found = self._newest(pipeline, before, RUNS + 1)
        if not found:
            raise UsageError(f"there is no {'older ' if before else ''}run of a pipeline `{pipeline}` in {self._objects.url}")
        here = path_to(self._account, pipeline)
        text = page(
            "served_runs.html.j2",
            (LIVE, GRID),
            refresh=None if before else LIST_SECONDS,
            **grid_of(pipeline, self._rows(found[:RUNS])),
            link=lambda row: path_to(self._account, pipeline, row.run_id),
            all=path_to(self._account),
            newest=here if before else None,
            older=f"{here}?before={found[RUNS - 1].run_id}" if len(found) > RUNS else None,
        )
        return page_answer(text)

    def _run(self, request: Request) -> Response:
        snapshot = self._snapshot(request)
        view = look(snapshot.run)
        stages = view.stages if view.summary else {**_waiting(view), **view.stages}
        snapshot.prepare(list(view.stages), budget(len(view.pipeline)))
        text = run_page(
            snapshot,
            _head(view),
            view.pipeline,
            stages,
            graph=self._draw(view.pipeline, view.stages),
            commit=_commit(snapshot.run),
            links=Links(f"{path_to(self._account, *view.run.path.split('/'))}/", path_to(self._account, view.run.pipeline)),
            scripts=(LIVE, SCRIPT),
            refresh=None if view.summary else RUN_SECONDS,
        )
        return page_answer(text)

    def _file(self, request: Request) -> Response:
        snapshot = self._snapshot(request)
        name = request.path_params["file"]
        if name not in snapshot.names:
            raise NotStoredError(f"there is no {snapshot.run.url}/{name}")
        if name.endswith(".log"):
            return text_answer(snapshot.run.log(name.removesuffix(".log")))
        path = f"{snapshot.run.path}/{name}"
        if name.endswith(".json"):
            return text_answer(snapshot.chunks(path))
        return RedirectResponse(self._objects.download(path, LINK_SECONDS), HTTPStatus.FOUND)

    def _check(self, request: Request) -> None:
        """Refuse names that belong to no account and no run of this server."""
        if request.path_params["account"] != self._account:
            raise UsageError(f"this server does not show the account {request.path_params['account']}")
        if request.path_params.get("pipeline") in {CACHE, ".", ".."}:
            raise UsageError(f"`{request.path_params['pipeline']}` is not a pipeline")

    def _snapshot(self, request: Request) -> Snapshot:
        self._check(request)
        pipeline, run_id = request.path_params["pipeline"], request.path_params["run"]
        if RUN_ID.fullmatch(run_id):
            snapshot = Snapshot(self._objects, pipeline, run_id, self._read)
            if snapshot.names:
                return snapshot
        raise UsageError(f"there is no run {run_id} of a pipeline `{pipeline}` in {self._objects.url}")

    def _newest(self, pipeline: str, before: str | None, count: int) -> list[RecordedRun]:
        found = newest_runs(partial(self._objects.folders_after, pipeline), before, count, datetime.now(UTC))
        return [RecordedRun(self._objects, pipeline, run_id) for run_id in found]

    def _rows(self, runs: list[RecordedRun]) -> list[Row]:
        """How these runs ended. The summary of a run does not change, so it is read once."""
        known = {run.path: row for run in runs if (row := self._ended.find(run.path))}
        new = [run for run in runs if run.path not in known]
        for run, row in zip(new, rows_of(new), strict=True):
            known[run.path] = self._ended.keep(run.path, row) if row.is_final and row.status != BROKEN else row
        return [known[run.path] for run in runs]


def path_to(*parts: str) -> str:
    """The path of a page: of an account, a pipeline, a run or a file."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _waiting(view: RunView) -> dict[StageName, StageSummary]:
    return {stage.name: StageSummary(StageStatus.NOT_STARTED, message="waiting") for stage in view.pipeline}


def _head(view: RunView) -> Head:
    problems = "\n".join(view.problems) or None
    if view.summary is not None:
        return replace(Head.of(view.summary), error=view.summary.error or problems)
    run = view.run
    return Head(run.pipeline, run.run_id, UNFINISHED, run.began.isoformat(), error=problems, results=run.url)


def _commit(run: RecordedRun) -> str | None:
    with suppress(BrokenRecordError):
        facts = run.facts()
        return facts.commit if facts else None
    return None


async def _explained(_request: Request, error: Exception) -> Response:
    match error:
        case UsageError() | NotStoredError():
            return message_answer(HTTPStatus.NOT_FOUND, error.message, error.hint)
        case DockerciseError():
            return message_answer(HTTPStatus.BAD_GATEWAY, error.message, error.hint)
        case HTTPException():
            return message_answer(HTTPStatus(error.status_code), "There is no such page here.")
        case _:
            raise error
