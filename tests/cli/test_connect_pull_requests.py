"""`connect` with pull requests: which events GitHub sends."""

from __future__ import annotations

import pytest

from tests.cli.connected_world import URL, World

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]


def test_connect_for_pull_requests(world: World) -> None:
    """GitHub sends pull requests if the registration wants them, and sends none any more when it does not."""
    said = world.connect("--pull-requests", "all")
    (with_them,) = [[*hook["events"]] for hook in world.hosted.hooks.values()]
    (wants,) = [one.registration.pull_requests for one in world.deployments()]

    world.connect()
    (without,) = [[*hook["events"]] for hook in world.hosted.hooks.values()]

    assert said.status == 0, said
    assert f"webhook added: GitHub sends pushes and pull requests to {URL}" in said.out.splitlines()
    assert (with_them, wants, without) == (["push", "pull_request"], "all", ["push"])
