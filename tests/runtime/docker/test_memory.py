"""A container that ran out of memory, if the engine reports it only after the container's end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest
from docker import APIClient

from dockercise_prefect.runtime.docker.connection import connect
from dockercise_prefect.runtime.docker.memory import ran_out_of_memory
from tests.engines.scripted import BUSYBOX

pytestmark = pytest.mark.docker

Ended = Callable[..., dict[str, Any]]


@pytest.fixture
def client() -> Iterator[APIClient]:
    """The engine's API."""
    client, _ = connect()
    with closing(client):
        yield client


@pytest.fixture
def ended(client: APIClient, labels: Mapping[str, str]) -> Iterator[Ended]:
    """Run a script to its end. Return what the engine reports of the container, without the out-of-memory flag."""
    made: list[str] = []

    def run(script: str, memory: str | None) -> dict[str, Any]:
        limits = client.create_host_config(mem_limit=memory, init=True)
        container = client.create_container(BUSYBOX, ["sh", "-c", script], host_config=limits, labels=dict(labels))["Id"]
        made.append(container)
        client.start(container)
        client.wait(container)
        inspected: dict[str, Any] = client.inspect_container(container)
        inspected["State"]["OOMKilled"] = False
        return inspected

    yield run
    for container in made:
        client.remove_container(container, force=True)


def test_it_is_learnt_from_the_event(client: APIClient, ended: Ended) -> None:
    """The engine's record does not show that memory ran out, but its event does. A busy engine loses a few of these events."""
    assert any(ran_out_of_memory(client, ended("tail /dev/zero", "16m")) for _ in range(5))


@pytest.mark.parametrize(
    ("script", "memory"), [("kill -9 $$", "16m"), ("kill -9 $$", None), ("exit 137", "16m"), ("exit 1", "16m")]
)
def test_other_ends_are_none(client: APIClient, ended: Ended, script: str, memory: str | None) -> None:
    """A container that somebody kills, or that exits with the same code, did not run out of memory."""
    assert not ran_out_of_memory(client, ended(script, memory))
