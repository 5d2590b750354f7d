"""Bodies of requests: of bounded size, in bounded time, and bounded together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from dockercise_prefect.errors import WebhookError

LARGEST = 25 * 1024 * 1024
"""Bytes of a payload; GitHub sends no larger ones (its documentation of webhook payloads)."""

SMALL = 256 * 1024
"""Bytes up to which a body is small: nearly every push is."""

SMALL_TOGETHER = 64 * 1024 * 1024
"""The total size in bytes of all small bodies at one time, from all senders."""

LARGE_TOGETHER = 3 * LARGEST
"""Bytes of all others: large bodies that nobody asked for keep other large ones out, and no small one."""

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

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._small = SMALL_TOGETHER
        self._large = LARGE_TOGETHER

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
            _check(int(announced[:20]))
        body = bytearray()  # parts may be of one byte each, and a list of them many times as large
        try:
            async with asyncio.timeout(self._seconds):
                async for part in stream:
                    _check(len(body) + len(part))
                    self._take(len(body), len(body) + len(part))
                    body += part
        except TimeoutError as error:
            self._give_back(len(body))
            raise TooSlowError(f"the body did not arrive within {self._seconds:g} seconds") from error
        except BaseException:
            self._give_back(len(body))
            raise
        return bytes(body)

    def let_go(self, body: bytes) -> None:
        """The body is held no more."""
        self._give_back(len(body))

    def _take(self, before: int, size: int) -> None:
        """Room for a body that grows; one that stops being small leaves the room of the small ones.

        Raises:
            TooMuchError: there is none; the room is as it was.
        """
        small = _small(size) - _small(before)
        large = _large(size) - _large(before)
        if small > self._small or large > self._large:
            raise TooMuchError("too many large deliveries arrive at once")
        self._small -= small
        self._large -= large

    def _give_back(self, size: int) -> None:
        self._small += _small(size)
        self._large += _large(size)


def _small(size: int) -> int:
    return size if size <= SMALL else 0


def _large(size: int) -> int:
    return size if size > SMALL else 0


def _check(size: int) -> None:
    if size > LARGEST:
        raise TooBigError(f"the body is larger than {LARGEST >> 20} MB, the limit for a payload")
