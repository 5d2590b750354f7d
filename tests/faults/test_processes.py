"""Random pipelines as processes, with random faults: a few of those that `benchmarks/faults.py` runs by the hundred."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dockercise_prefect.runtime.docker.connection import DEFAULT_SOCKET
from dockercise_prefect.runtime.docker.engine import DockerEngine
from scripts.busybox import ensure_busybox
from tests.faults.case import Bench, bench
from tests.faults.plan import ENGINE_REQUESTS, PREFECT_REQUESTS, Kind, Plan, random_plan
from tests.support.engine_client import engine_client

pytestmark = [pytest.mark.docker, pytest.mark.alone]


@pytest.fixture
def where(tmp_path: Path, prefect_api: str) -> Iterator[Bench]:
    """Proxies in front of the real engine and the session's server."""
    client = engine_client()
    ensure_busybox(client.api)
    client.close()
    engine = DockerEngine.connect()
    with bench(tmp_path, engine, DEFAULT_SOCKET, prefect_api) as made:
        yield made
    engine.close()


@pytest.mark.parametrize(("kind", "seed"), [(Kind.LOSE, 11), (Kind.REFUSE, 11), (Kind.CUT, 11)])
def test_faults_of_the_engine(where: Bench, kind: Kind, seed: int) -> None:
    """If requests to the engine fail, each stage ends as its script did or in error, and nothing is left."""
    found = where.faults(seed, random_plan(seed, kind, ENGINE_REQUESTS), Plan(seed))

    assert found.faults
    assert not found.bad, found


@pytest.mark.parametrize(("kind", "seed"), [(Kind.DROP, 1), (Kind.REFUSE, 11)])
def test_faults_of_prefect(where: Bench, kind: Kind, seed: int) -> None:
    """If requests to Prefect fail, the containers decide how the run ends, and the flow run ends so too."""
    found = where.faults(seed, Plan(seed), random_plan(seed, kind, PREFECT_REQUESTS))

    assert found.faults
    assert not found.bad, found
