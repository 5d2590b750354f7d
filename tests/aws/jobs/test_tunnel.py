"""The way to the engine of a host: woken, opened for a key, reached by ssh through Systems Manager."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]  # has no types
import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.jobs import tunnel
from dockercise_prefect.aws.jobs.login_keys import offered_keys
from dockercise_prefect.aws.jobs.tunnel import host_engine
from dockercise_prefect.aws.names import JOB_USER, StackNames
from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import PullPolicy
from dockercise_prefect.results.places.objects import RefusedError
from dockercise_prefect.runtime.docker.engine import DockerEngine
from tests.aws.jobs.engine_host import TOKEN, EngineHost, engine_host, path_with, session_of, write_plugin
from tests.engines.driving import run, spec_of
from tests.engines.scripted import BUSYBOX
from tests.support.aws.moto import FOLDER_KEY_ID, FOLDER_SECRET, REGION, Aws
from tests.support.aws.recorder import Recorder, recording

pytestmark = pytest.mark.docker  # for the server

NAMES = StackNames()


@dataclass
class World:
    """A stopped host, and the AWS that knows it."""

    recorder: Recorder
    host: EngineHost
    instance: str
    plugin: Path
    aws: Aws

    def client(self, service: str) -> Any:
        """A client whose calls are recorded."""
        keys = {"aws_access_key_id": FOLDER_KEY_ID, "aws_secret_access_key": FOLDER_SECRET}
        return boto3.client(service, endpoint_url=self.recorder.url, region_name=REGION, **keys)

    @property
    def state(self) -> str:
        """The state of the instance."""
        [found] = self.aws.client("ec2").describe_instances(InstanceIds=[self.instance])["Reservations"]
        return str(found["Instances"][0]["State"]["Name"])


@pytest.fixture
def world(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A stopped host, whose engine is this machine's."""
    ec2 = aws.client("ec2")
    instance = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    ec2.stop_instances(InstanceIds=[instance])
    monkeypatch.setattr(tunnel, "_PAUSE", 0.1)
    with recording(aws.url) as recorder:
        recorder.answers["StartSession"] = session_of

        def offered() -> Sequence[str]:
            return offered_keys(aws.client("ssm"), NAMES)

        with engine_host("/var/run/docker.sock", offered) as host:
            plugin = write_plugin(tmp_path / "bin", host)
            monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
            yield World(recorder, host, instance, plugin, aws)


def ignore(_text: str) -> None:
    """Notify nobody."""


@pytest.mark.docker
def test_the_engine_of_a_sleeping_host(world: World, labels: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The host is woken, and input, output and exit code of a container arrive as on a local socket."""
    with host_engine(world.client, NAMES, world.instance, ignore) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        with closing(DockerEngine.connect()) as engine:
            image = engine.resolve_image(BUSYBOX, pull=PullPolicy.NEVER, platform=None, progress=ignore)
            state, output = run(engine, spec_of(image, labels, "cat; echo noise >&2; exit 3"), b"given" * 100_000)
    gone = not Path(address.removeprefix("unix://")).exists()

    assert state.exit_code == 3
    assert (output.stdout, output.stderr) == (b"given" * 100_000, b"noise\n")
    assert world.state == "running"
    assert set(world.host.forwarded) == {"/var/run/docker.sock"}
    assert {user for user, _ in world.host.entered} == {JOB_USER}
    assert gone
    assert offered_keys(world.aws.client("ssm"), NAMES) == []


def test_the_token_of_a_session_is_on_no_command_line(world: World) -> None:
    """The plugin gets the session as AWS's own command line gives it: in a variable, of which it is told the name."""
    with host_engine(world.client, NAMES, world.instance, ignore):
        arguments, session = json.loads(world.plugin.read_text())

    asked = {"Target": world.instance, "DocumentName": "AWS-StartSSHSession", "Parameters": {"portNumber": ["22"]}}
    assert arguments[:4] == ["AWS_SSM_START_SESSION_RESPONSE", REGION, "StartSession", ""]
    assert json.loads(arguments[4]) == asked
    assert arguments[5] == world.recorder.url
    assert session["TokenValue"] == TOKEN
    assert TOKEN not in json.dumps(arguments)


def test_a_host_that_boots_is_waited_for(world: World) -> None:
    """Each attempt offers the key again, because it works for moments only, and the user hears once what is waited for."""
    world.host.refuses = 2
    said: list[str] = []

    with host_engine(world.client, NAMES, world.instance, said.append):
        pass

    assert len(world.recorder.called("PutParameter")) == 3
    assert len(world.recorder.called("StartInstances")) == 3
    assert len(said) == 1
    assert said[0].startswith(f"waiting for {world.instance}: ")


def test_a_host_that_does_not_answer_is_an_error(world: World) -> None:
    """After the patience, the error has what ssh said."""
    world.host.refuses = 1000

    with (
        pytest.raises(EngineError, match=f"the host {world.instance} cannot be reached: .*Permission denied") as raised,
        host_engine(world.client, NAMES, world.instance, ignore, patience=0),
    ):
        pass

    assert "aws status" in str(raised.value.hint)


@pytest.mark.parametrize("code", ["IncorrectInstanceState", "InsufficientInstanceCapacity", "TargetNotConnected"])
def test_what_means_later_is_tried_again(world: World, code: str) -> None:
    """A host that is stopping, a zone without room and an agent that is not connected yet are waited for."""
    refused = [code]

    class Ssm:
        def __init__(self, real: Any) -> None:
            self._real = real

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def start_session(self, **asked: Any) -> Any:
            if refused:
                raise ClientError({"Error": {"Code": refused.pop(), "Message": "later"}}, "StartSession")
            return self._real.start_session(**asked)

    def client(service: str) -> Any:
        return Ssm(world.client(service)) if service == "ssm" else world.client(service)

    said: list[str] = []
    with host_engine(client, NAMES, world.instance, said.append):
        pass

    assert said == [f"waiting for {world.instance}: {code}"]


def test_a_missing_right_is_not_waited_for(world: World) -> None:
    """If AWS refuses for good, the error names the rights."""
    with (
        pytest.raises(RefusedError, match=r"cannot reach the host i-12345678: InvalidInstanceID") as raised,
        host_engine(world.client, NAMES, "i-12345678", ignore),
    ):
        pass

    assert world.recorder.called("StartSession") == []
    assert "i-12345678" in str(raised.value)
