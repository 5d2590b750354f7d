"""Engines in addition to the machine's own."""

from __future__ import annotations

import json

import pytest

from scripts.other_engine import ENGINES, OtherEngine, bridge, main

DOCKER = [name for name, engine in ENGINES.items() if engine.program == "dockerd"]


@pytest.mark.parametrize("name", DOCKER)
def test_docker_leaves_the_machines_own_engine_alone(name: str) -> None:
    """The engine has its own folders, socket and bridge, and does not change the firewall."""
    words = ENGINES[name].command(name)

    assert words[words.index("--bridge") + 1] == bridge(name)
    assert {"--iptables=false", "--ip6tables=false", "--ip-masq=false"} <= set(words)
    assert not any("/var/lib/docker" in word or "/var/run" in word for word in words)


def test_engines_can_run_side_by_side() -> None:
    """No two engines have the same bridge or the same network."""
    bridges = {bridge(name) for name in DOCKER}
    networks = {ENGINES[name].network for name in DOCKER}

    assert (len(bridges), len(networks)) == (len(DOCKER), len(DOCKER))
    assert all(len(each) <= 15 for each in bridges)


@pytest.mark.parametrize("containerd_store", [False, True])
def test_the_image_store_is_named(*, containerd_store: bool) -> None:
    """Releases have different defaults, so the configuration names the image store."""
    configuration = json.loads(OtherEngine("sid", (), containerd_store=containerd_store).configuration())

    assert configuration["features"] == {"containerd-snapshotter": containerd_store}


def test_an_engine_that_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    """For an unknown engine, the message lists the known ones."""
    with pytest.raises(SystemExit):
        main(["start", "bullseye"])

    assert "'containerd', 'podman', 'sid', 'trixie'" in capsys.readouterr().err
