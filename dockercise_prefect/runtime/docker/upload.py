"""A stream as the body of a request to the engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class Upload:
    """The chunks of a request's body; keeps the failure of whoever makes them apart from one of the connection.

    Attributes:
        failure: what the chunks' maker raised, None when it did not.
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
