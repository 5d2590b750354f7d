"""Reads the bodies of requests, with limits on their size, their time and their total size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from dockercise_prefect.errors import WebhookError

LARGEST = 25 * 1024 * 1024
"""Bytes of a payload; GitHub sends no larger ones (its documentation of webhook payloads)."""

SMALL = 256 * 1024
"""The largest size in bytes of a small body. Nearly every push is small."""

SMALL_TOGETHER = 64 * 1024 * 1024
"""The total size in bytes of all small bodies at one time, from all senders."""

LARGE_TOGETHER = 3 * LARGEST
"""The total size in bytes of all other bodies. So unwanted large bodies can keep out other large ones, but no small ones."""

SECONDS = 10.0
"""Seconds that a body may take to arrive. GitHub itself gives up after this time."""


class TooBigError(WebhookError):
    """The body is larger than any payload."""


class TooSlowError(WebhookError):
    """The body did not arrive in time."""


class TooMuchError(WebhookError):
    """Too many large bodies are held already."""


class Bodies:
    """Reads bodies, and knows how many bytes of them are held now. For use by one thread."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._small = SMALL_TOGETHER
        self._large = LARGE_TOGETHER

    async def read(self, stream: AsyncIterator[bytes], announced: str | None) -> bytes:
        """Read a whole body. `let_go` releases the room that it takes.

        Args:
            stream: the parts of the body as they arrive.
            announced: the request's Content-Length; None if it has no such header.

        Raises:
            TooBigError: the body is larger than any payload, or announces that it will be.
            TooSlowError: the body did not arrive in time.
            TooMuchError: there is no room for it now.
        """
        if announced is not None and announced.isdecimal():
            _check(int(announced[:20]))
        body = bytearray()  # each part may be one byte, and a list of such parts would be many times as large
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
        """Release the room of a body that is no longer needed."""
        self._give_back(len(body))

    def _take(self, before: int, size: int) -> None:
        """Take room for a body that grows. A body that is no longer small releases the room of the small ones.

        Raises:
            TooMuchError: there is not enough room. The room that is taken has not changed.
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
