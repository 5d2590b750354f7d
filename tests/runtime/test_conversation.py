"""Conversations with containers, on every engine of the tests."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.engine import Engine, ResolvedImage
from tests.engines.driving import container, rehearse, spec_of
from tests.engines.scripted import Behaviour

Labels = Mapping[str, str]


def test_a_conversation(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """A container answers line by line until its input ends."""
    rehearse(engine, "while read", Behaviour(answer=lambda line: f"heard {line}"))

    with container(engine, spec_of(image, labels, 'while read line; do echo "heard $line"; done')) as id_:
        conversation = engine.converse(id_)
        answers = [conversation.ask("one"), conversation.ask("two ☃")]
        conversation.close()
        conversation.close()

    assert answers == ["heard one", "heard two ☃"]


def test_a_conversation_with_nobody(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """A request to a stopped container is an error."""
    rehearse(engine, "while read", Behaviour())

    with container(engine, spec_of(image, labels, 'while read line; do echo "$line"; done')) as id_:
        conversation = engine.converse(id_)
        engine.stop(id_, 0)

        with pytest.raises(EngineError):
            conversation.ask("anybody?")
        conversation.close()


def test_a_conversation_that_cannot_start(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """If the command of a container does not exist, the container gives no answer."""
    rehearse(engine, "/no/such", Behaviour(exit_code=127, start_error="/no/such: no such file"))

    with container(engine, spec_of(image, labels, "/no/such", "x")) as id_, pytest.raises(EngineError):
        engine.converse(id_).ask("anybody?")


@pytest.mark.docker
@pytest.mark.parametrize("engine", ["docker"], indirect=True)
def test_an_exchange_of_bytes(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """Any bytes arrive, and exactly as many are returned as were asked for, whatever else has come."""
    long = bytes(range(256)) * 1000
    with container(engine, spec_of(image, labels, "exec cat")) as id_:
        conversation = engine.converse(id_)
        first = conversation.exchange(b"\n\x00\xff12", 3)
        second = conversation.exchange(long, 2 + len(long))
        conversation.close()

    assert (first, second) == (b"\n\x00\xff", b"12" + long)
