"""What every engine promises about a container that another process has started, on the scripted engine and on Docker."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.engine import ContainerVanishedError, Engine, ResolvedImage
from tests.engines.driving import Output, container, rehearse, running, spec_of
from tests.engines.scripted import Behaviour

Labels = Mapping[str, str]


def test_a_container_is_followed_to_its_end(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """Whoever did not start a container can wait for its end, and learns how it ended, also when it has ended already."""
    rehearse(engine, "exit 3", Behaviour(stdout=b"x", action=lambda _: time.sleep(1), exit_code=3))
    with container(engine, spec_of(image, labels, "echo x; sleep 1; exit 3")) as id_:
        with running(engine, id_):
            followed = engine.follow(id_, Output())
        again = engine.follow(id_, Output())

    assert [ended and ended.exit_code for ended in (followed, again)] == [3, 3]


def test_following_a_container_that_was_never_started(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """It has not ended, and will not end by itself."""
    rehearse(engine, "true", Behaviour())
    with container(engine, spec_of(image, labels, "true")) as id_:
        assert engine.follow(id_, Output()) is None


def test_following_a_container_that_is_not_there(engine: Engine) -> None:
    """It has vanished, so nobody knows how it ended."""
    with pytest.raises((ContainerVanishedError, EngineError)):
        engine.follow("f" * 64, Output())
