"""What every engine does for services (`runtime.service_engine`), tested on the scripted engine and on Docker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.engine import Engine, Leftover, ResolvedImage
from tests.engines.driving import container, rehearse, run, running, spec_of
from tests.engines.scripted import Behaviour

Labels = Mapping[str, str]
UP = Behaviour(stdout=b"up\n", blocks=True)


@pytest.fixture
def network(engine: Engine, labels: Labels) -> Iterator[str]:
    """A network that nobody is on."""
    name = f"dockercise-{labels['dockercise.run']}"
    engine.create_network(name, labels)
    yield name
    engine.remove_network(name)


def test_containers_in_a_network_know_each_other_by_alias(
    engine: Engine, image: ResolvedImage, labels: Labels, network: str
) -> None:
    """A container finds another one by the alias that the other one was created with."""
    rehearse(engine, "nc -l", UP)
    rehearse(engine, "nc web", Behaviour(stdout=b"hello\n"))
    web = spec_of(image, labels, "echo up; echo hello | nc -l -p 80", network=network, aliases=("web",))

    with container(engine, web) as id_, running(engine, id_):
        state, output = run(engine, spec_of(image, labels, "nc web 80 </dev/null", network=network))

    assert (state.exit_code, output.stdout) == (0, b"hello\n")


def test_a_network_in_use_stays(engine: Engine, image: ResolvedImage, labels: Labels, network: str) -> None:
    """A network on which a container runs cannot be removed."""
    rehearse(engine, "sleep 1000", UP)
    spec = spec_of(image, labels, "echo up; sleep 1000", network=network)

    with container(engine, spec) as id_, running(engine, id_), pytest.raises(EngineError, match=network):
        engine.remove_network(network)


def test_a_network_is_found_and_discarded(engine: Engine, labels: Labels, network: str) -> None:
    """A network is listed with its labels, and can be discarded more than once."""
    found = [left for left in engine.leftovers() if left.labels["dockercise.run"] == labels["dockercise.run"]]
    for left in [*found, *found]:
        engine.discard(left)

    assert found == [Leftover("network", network, labels)]
    assert not [left for left in engine.leftovers() if left.labels["dockercise.run"] == labels["dockercise.run"]]


def test_a_command_in_a_running_container(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """A command gets its input, which does not end, and its exit code and output come back."""
    rehearse(engine, "read line", Behaviour(exit_code=3, stdout=b"got word\n"))
    rehearse(engine, "sleep 1000", UP)
    script = 'read line; echo "got $line"; exit 3'

    with container(engine, spec_of(image, labels, "echo up; sleep 1000")) as id_, running(engine, id_):
        ended = engine.execute(id_, ["/bin/sh", "-c", script], b"word\n")

    assert (ended.exit_code, ended.output) == (3, b"got word\n")


def test_a_command_without_input(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """A command without an input finds it empty, and nothing of its output is lost, however fast it ends."""
    rehearse(engine, "cat; echo end", Behaviour(stdout=b"end\n"))
    rehearse(engine, "sleep 1000", UP)

    with container(engine, spec_of(image, labels, "echo up; sleep 1000")) as id_, running(engine, id_):
        ended = [engine.execute(id_, ["/bin/sh", "-c", "cat; echo end"], None) for _ in range(5)]

    assert [(each.exit_code, each.output) for each in ended] == [(0, b"end\n")] * 5


def test_a_command_that_does_not_exist(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """A command that does not exist ends with an exit code of its own."""
    rehearse(engine, "no-such-command", Behaviour(exit_code=127))
    rehearse(engine, "sleep 1000", UP)

    with container(engine, spec_of(image, labels, "echo up; sleep 1000")) as id_, running(engine, id_):
        ended = engine.execute(id_, ["no-such-command"], None)

    assert ended.exit_code in {126, 127}


def test_a_command_in_a_container_that_does_not_run(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """In a container that was not started, no command can run."""
    with container(engine, spec_of(image, labels, "true")) as id_, pytest.raises(EngineError):
        engine.execute(id_, ["true"], None)
