"""Which Dockerfiles need BuildKit."""

from __future__ import annotations

import pytest

from dockercise_prefect.runtime.dockerfile.labelled import base_images, labelled
from dockercise_prefect.runtime.dockerfile.needs import Need, first_need


@pytest.mark.parametrize(
    ("text", "need"),
    [
        ("FROM x\nRUN --mount=type=cache,target=/c make\n", Need(2, "`RUN --mount`")),
        ("FROM x\n\n# c\nRUN --network=none \\\n  make\n", Need(4, "`RUN --network`")),
        ("FROM x\ncopy --from=y --link a b\n", Need(2, "`COPY --link`")),
        ("FROM x\nADD --checksum=sha256:1 http://a /b\n", Need(2, "`ADD --checksum`")),
        ("FROM x\nRUN <<EOF\nls\nEOF\n", Need(2, "a here-document")),
        ("FROM x\nCOPY <<-'end' /f\n\tls\n\tend\n", Need(2, "a here-document")),
        ("# syntax=docker/dockerfile:1\nFROM x\n", Need(1, "`# syntax=docker/dockerfile:1`")),
        ("\ufeff# escape=`\n# Syntax = y\nFROM x\n", Need(2, "`# syntax=y`")),
    ],
)
def test_what_only_buildkit_understands(text: str, need: Need) -> None:
    """The first such feature is found, with its line."""
    assert first_need(text.encode()) == need


@pytest.mark.parametrize(
    "text",
    [
        "FROM --platform=linux/amd64 x\nCOPY --chown=1:1 --from=y a b\n",
        "FROM x\nRUN make --mount=none\n",
        "FROM x\nRUN echo $((1<<2)) <<<word\n",
        "FROM x\nLABEL a=<<EOF\n",
        "FROM x\n# syntax=y\n",
    ],
)
def test_what_every_builder_understands(text: str) -> None:
    """Options of the commands that a step runs, and text that only looks like a here-document, need nothing."""
    assert first_need(text.encode()) is None


def test_what_a_here_document_holds_is_no_instruction() -> None:
    """A FROM in a here-document names no image and gets no label."""
    text = b"FROM x\nRUN <<A <<-B\nFROM y\nA\nFROM z\n\tB\nFROM w\n"

    assert base_images(text, None) == ["x", "w"]
    assert labelled(text, {"a": "1"}).count(b"LABEL") == 2


def test_a_here_document_that_nothing_ends() -> None:
    """A here-document without an end does not count as one."""
    assert base_images(b"FROM x\nRUN <<A\nFROM y\n", None) == ["x", "y"]
