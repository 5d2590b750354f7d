"""A stream as the body of a request to the engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class Upload:
    """The chunks of a request's body. Distinguishes an error in making the chunks from an error of the connection.

    Attributes:
        failure: the error raised while the chunks were made; None if there was no such error.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._chunks
        except Exception as error:
            self.failure = error
            raise
