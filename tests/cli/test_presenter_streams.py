"""What `run` shows if the stream is poor, full, slow or closed."""

import io
import os
import select
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from dockercise_prefect.cli.present import LivePresenter, PlainPresenter, Presenter, QuietPresenter
from dockercise_prefect.orchestration.run.events import (
    Event,
    Notice,
    StageOutput,
)
from tests.cli.presented import (
    hello_run,
    show,
)


def written_to(encoding: str, events: Iterable[Event]) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="\n")  # closes `raw` when it is deleted
    show(PlainPresenter(stream), events)
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_poor_encoding_gets_other_marks(encoding: str) -> None:
    """If the stream cannot encode the marks, ASCII marks are used, and `?` replaces other characters of stages."""
    shown = written_to(encoding, [*hello_run()[:3], StageOutput("greet", "stdout", "☃"), *hello_run()[5:]])

    assert "greet     | ?\n  + greet       0.4 s\n" in shown
    assert "  . publish             not started: check failed\n" in shown


def test_text_that_is_no_unicode_does_not_stop_the_run() -> None:
    """Half a surrogate pair, for example from a folder's name, is shown as `?`."""
    assert "caf?" in written_to("utf-8", [Notice("caf\udce9")])


@pytest.mark.parametrize("form", [PlainPresenter, QuietPresenter, LivePresenter])
def test_a_reader_that_left_does_not_stop_the_run(form: Callable[[io.TextIOWrapper], Presenter]) -> None:
    """If nobody reads the pipe, all events are taken, and the stream can be flushed and closed at the end."""
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w", encoding="utf-8")

    show(form(stream), hello_run())

    stream.close()


def test_a_pipe_that_does_not_block_loses_pieces_only() -> None:
    """If the pipe is non-blocking and slow, the run goes on, and so does the output as soon as there is room."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    stream = os.fdopen(writing, "w", encoding="utf-8")
    presenter = PlainPresenter(stream)
    for _ in range(50):
        presenter(Notice("x" * 10_000))
    os.set_blocking(reading, False)
    drained = b"".join(iter(lambda: os.read(reading, 1 << 20) if select.select([reading], [], [], 0)[0] else b"", b""))

    presenter(Notice("the end"))

    assert len(drained) < 500_000
    assert os.read(reading, 1 << 20).endswith(b"the end\n")
    stream.close()
    os.close(reading)


def test_a_stream_that_was_closed_does_not_stop_the_run() -> None:
    """Events that come after the stream was closed are taken and dropped."""
    stream = io.StringIO()
    presenter = PlainPresenter(stream)
    stream.close()

    show(presenter, hello_run())


def test_a_full_disk_below_the_stream_does_not_stop_the_run() -> None:
    """Output that is redirected to a device without free space is dropped."""
    with Path("/dev/full").open("w", encoding="utf-8") as stream:
        show(PlainPresenter(stream), hello_run())
