"""How the events of a build are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.docker.build import decoded, follow
from dockercise_prefect.runtime.image_build import BuildEnd
from tests.engines.driving import Output

EVENTS: list[Mapping[str, Any]] = [
    {"stream": "Step 1/2 : FROM x\n"},
    {"stream": "☃ \n"},
    {"aux": {"ID": "sha256:1"}},
    {"stream": ""},
]


@given(cut=st.integers(1, 200))
def test_events_arrive_however_they_are_cut(cut: int) -> None:
    """Each line is one JSON object, in whatever chunks it arrives."""
    sent = b"".join(json.dumps(event).encode() + b"\r\n" for event in EVENTS)

    assert list(decoded(sent[start : start + cut] for start in range(0, len(sent), cut))) == EVENTS


def test_the_log_goes_to_stderr_and_the_last_image_counts() -> None:
    """The log goes to stderr, because stdout is for the stage's value; of several images, the last one is the result."""
    output = Output()

    end = follow([{"aux": {"ID": "sha256:0"}}, *EVENTS], output, "cannot build")

    assert end == BuildEnd("sha256:1")
    assert (output.stdout, output.stderr) == (b"", "Step 1/2 : FROM x\n☃ \n".encode())


def test_a_step_that_fails_has_an_exit_code() -> None:
    """The exit code is that of the step, and the engine's message is the last line of the log."""
    output = Output()
    failed = {"errorDetail": {"code": 3, "message": "it returned 3"}, "error": "it returned 3"}

    end = follow([*EVENTS, failed], output, "cannot build")

    assert end == BuildEnd(None, 3)
    assert output.stderr.endswith(b"it returned 3\n")


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([{"errorDetail": {"message": "code: 3"}, "error": "code: 3"}], "cannot build: code: 3"),
        ([{"error": "no space left"}], "cannot build: no space left"),
        ([{"stream": "Step 1/1"}], "cannot build: the engine ended the build without an image"),
        ([], "without an image"),
    ],
)
def test_everything_else_is_an_error_of_the_engine(events: list[Mapping[str, Any]], says: str) -> None:
    """An error without an exit code, whatever its text, and a stream that ends too early are errors of the engine."""
    with pytest.raises(EngineError, match=says):
        follow(events, Output(), "cannot build")
