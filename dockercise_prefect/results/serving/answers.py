"""The answers of the server: pages of ours, and contents of files, which are never pages."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from itertools import chain

from starlette.responses import HTMLResponse, Response, StreamingResponse

from dockercise_prefect.errors import StorageError
from dockercise_prefect.results.report.pages import LIVE, page, script_source
from dockercise_prefect.results.report.run_page import SCRIPT
from dockercise_prefect.results.report.runs_page import SCRIPT as GRID

PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        f"script-src {' '.join(map(script_source, (LIVE, SCRIPT, GRID)))}",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The policy for contents of our pages: they load nothing, and no script runs but ours."""

FILE_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""The policy of every other answer."""

POLICY = "Content-Security-Policy"


def page_answer(text: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """A page of ours."""
    return HTMLResponse(text.encode("utf-8", "replace"), status, {POLICY: PAGE_POLICY})


def message_answer(status: HTTPStatus, message: str, hint: str | None = None, link: str | None = None) -> Response:
    """A page that says why there is nothing else.

    Args:
        status: the status of the answer.
        message: what is wrong.
        hint: what to do next.
        link: an address where it may go on.
    """
    return page_answer(page("message.html.j2", title=status.phrase, message=message, hint=hint, link=link), status)


def text_answer(content: Iterator[bytes]) -> Response:
    """A text of any length. No browser takes it for something else.

    Args:
        content: the text in pieces. If it breaks off, the answer says so at its end.

    Raises:
        StorageError: the content cannot be read at all.
    """
    first = next(content, b"")
    return StreamingResponse(chain([first], _told(content)), media_type="text/plain; charset=utf-8")


def _told(content: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from content
    except StorageError as error:
        yield f"\n[the rest is missing: {error.message}]\n".encode("utf-8", "replace")
