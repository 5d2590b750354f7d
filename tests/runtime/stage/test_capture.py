"""The output of a container on its way: exact for other stages, masked for everybody else."""

from __future__ import annotations

import pytest

from dockercise_prefect.errors import StorageError
from dockercise_prefect.runtime.output_sink import Channel
from dockercise_prefect.runtime.secrets.masking import Masker
from dockercise_prefect.runtime.stage.capture import Capture


class Taken:
    """Everything that comes out of a capture.

    Attributes:
        kept: the exact stdout. shown: each piece that may be shown. given_up: why nothing more is taken.
    """

    def __init__(self, fails: Exception | None = None) -> None:
        self.kept = bytearray()
        self.shown: list[tuple[Channel, bytes]] = []
        self.given_up: list[str] = []
        self._fails = fails

    def keep(self, chunk: bytes) -> None:
        """Take a piece of stdout."""
        if self._fails is not None:
            raise self._fails
        self.kept += chunk

    def show(self, channel: Channel, chunk: bytes) -> None:
        """Take a piece that may be shown (`engine.OutputSink`)."""
        self.shown.append((channel, chunk))

    def all_shown(self, channel: Channel) -> bytes:
        """Everything that may be shown of one channel."""
        return b"".join(chunk for each, chunk in self.shown if each == channel)


def captured(taken: Taken, *pieces: tuple[Channel, bytes]) -> Capture:
    """A capture that has taken these pieces, and is finished."""
    masker = Masker()
    masker.add(b"correct horse")
    capture = Capture(taken.keep, masker, taken.show, taken.given_up.append)
    for channel, chunk in pieces:
        capture(channel, chunk)
    capture.finish()
    return capture


def test_stdout_is_kept_as_it_is_and_shown_masked() -> None:
    """A secret that is cut between two pieces is masked in the shown text, and complete in the kept one."""
    taken = Taken()

    captured(taken, ("stdout", b"key: correct "), ("stdout", b"horse!"))

    assert bytes(taken.kept) == b"key: correct horse!"
    assert taken.all_shown("stdout") == b"key: ***!"


def test_stderr_is_shown_and_not_kept() -> None:
    """Text on stderr is not part of the value."""
    taken = Taken()

    captured(taken, ("stderr", b"noise\n"), ("stdout", b"value"))

    assert bytes(taken.kept) == b"value"
    assert taken.all_shown("stderr") == b"noise\n"


def test_what_waited_comes_at_the_end() -> None:
    """The beginning of a secret that never came is shown if nothing follows."""
    taken = Taken()

    capture = captured(taken, ("stdout", b"correct"))

    assert taken.all_shown("stdout") == b"correct"
    assert capture.tail.text() == "correct"


def test_the_channels_do_not_mix() -> None:
    """Half a secret on each channel is not a secret."""
    taken = Taken()

    captured(taken, ("stdout", b"correct "), ("stderr", b"horse"))

    assert (taken.all_shown("stdout"), taken.all_shown("stderr")) == (b"correct ", b"horse")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), StorageError("the place is full")])
def test_what_cannot_be_kept_is_given_up_once(error: Exception) -> None:
    """If the output cannot be kept, this is reported once, and everything that follows is dropped."""
    taken = Taken(error)

    captured(taken, ("stdout", b"a"), ("stdout", b"b"), ("stderr", b"c"))

    assert len(taken.given_up) == 1
    assert taken.given_up[0].startswith("its output cannot be saved: ")
    assert taken.shown == []
