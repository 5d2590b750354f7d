"""The one place where what the SDK, its HTTP client or the network raise becomes an `EngineError`."""

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
"""HTTP status of the engine when a thing's state forbids what was asked: not running, being removed, in use."""


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Turn every failure to do something into an `EngineError`.

    Args:
        doing: begins the message, say `cannot create container dockercise-1`.

    Raises:
        EngineError: the engine refused, with its own words.
        EngineLostError: it did not answer.
    """
    try:
        yield
    except APIError as error:
        raise EngineError(f"{doing}: {explanation(error)}") from error
    except _LOST as error:
        reason = describe(root_cause(error))
        message = f"{doing}: no answer from the engine ({reason})"
        raise EngineLostError(message, "is it still running? Check with `docker info`") from error
    except (DockerException, ValueError) as error:
        raise EngineError(f"{doing}: {error}") from error


def explanation(error: APIError) -> str:
    """What the engine said."""
    text = error.explanation
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    return str(text).strip() if text else f"HTTP status {error.status_code}"


def root_cause(error: BaseException) -> BaseException:
    """What an error began with, below the wrappings of the libraries in between."""
    while inner := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        error = inner
    return error


def describe(error: BaseException) -> str:
    """An error in few words."""
    if isinstance(error, EngineError):
        return error.message
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
