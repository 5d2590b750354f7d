"""Bodies of requests: of bounded size, in bounded time, and bounded together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from dockercise_prefect.errors import WebhookError

LARGEST = 25 * 1024 * 1024
"""Bytes of a payload; GitHub sends no larger ones (its documentation of webhook payloads)."""

TOGETHER = 8 * LARGEST
"""Bytes of all bodies that are held at once, whoever sends them."""

SECONDS = 10.0
"""How long a body may take to arrive; GitHub itself gives up after that."""


class TooBigError(WebhookError):
    """The body is larger than any payload."""


class TooSlowError(WebhookError):
    """The body did not arrive in time."""


class TooMuchError(WebhookError):
    """Too many large bodies are held already."""


class Bodies:
    """Reads bodies, and knows how much of them is held now. For one thread."""

    def __init__(self, largest: int = LARGEST, together: int = TOGETHER, seconds: float = SECONDS) -> None:
        self._largest = largest
        self._room = together
        self._seconds = seconds

    async def read(self, stream: AsyncIterator[bytes], announced: str | None) -> bytes:
        """All of a body; `let_go` gives its room back.

        Args:
            stream: the body as it comes.
            announced: the request's Content-Length, None when it has none.

        Raises:
            TooBigError: it is larger than any payload, or says that it will be.
            TooSlowError: it did not come in time.
            TooMuchError: there is no room now.
        """
        if announced is not None and announced.isdecimal():
            self._check(int(announced[:20]))
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._seconds):
                async for part in stream:
                    parts.append(part)
                    size += len(part)
                    self._room -= len(part)
                    self._check(size)
        except TimeoutError as error:
            self._room += size
            raise TooSlowError(f"the body did not arrive within {self._seconds:g} seconds") from error
        except BaseException:
            self._room += size
            raise
        return b"".join(parts)

    def let_go(self, body: bytes) -> None:
        """The body is held no more."""
        self._room += len(body)

    def _check(self, size: int) -> None:
        if size > self._largest:
            raise TooBigError(f"the body is larger than {self._largest / 1024 / 1024:g} MB, and so than any payload")
        if self._room < 0:
            raise TooMuchError("too many large deliveries arrive at once")
