"""The one place where errors of the SDK, its HTTP client and the network become an `EngineError`."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager

import requests
import urllib3
from docker.errors import APIError, DockerException, StreamParseError

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.engine import EngineLostError

_LOST = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, StreamParseError, OSError)

CONFLICT = 409
"""The engine's HTTP status if the state of a thing does not allow the request: not running, being removed, in use."""


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Turn every failure to do something into an `EngineError`.

    Args:
        doing: begins the message, say `cannot create container dockercise-1`.

    Raises:
        EngineError: the engine refused. The message has the engine's own words.
        EngineLostError: the engine did not answer.
    """
    try:
        yield
    except APIError as error:
        raise EngineError(f"{doing}: {explanation(error)}") from error
    except _LOST as error:
        reason = describe(root_cause(error))
        message = f"{doing}: no answer from the engine ({reason})"
        raise EngineLostError(message, "is it still running? `dockercise doctor` examines it") from error
    except (DockerException, ValueError) as error:
        raise EngineError(f"{doing}: {error}") from error


def explanation(error: APIError) -> str:
    """The engine's own message."""
    text = error.explanation
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    return str(text).strip() if text else f"HTTP status {error.status_code}"


def root_cause(error: BaseException) -> BaseException:
    """The original error, without the errors in which libraries wrapped it."""
    while inner := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        error = inner
    return error


def describe(error: BaseException) -> str:
    """An error in a few words."""
    if isinstance(error, EngineError):
        return error.message
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def timed_out(error: requests.RequestException) -> bool:
    """Whether a request reached its time limit. If that happens while the body is read, the HTTP client wraps the error."""
    return isinstance(error, requests.ReadTimeout) or any(
        isinstance(part, urllib3.exceptions.ReadTimeoutError) for part in error.args
    )
