"""The seed's own flow, from `aws up` to `aws down`: a push wakes a host, which runs it and sleeps; a schedule wakes it again.

An emulator of AWS makes the stack, serves the address of the webhook and runs the door under its role. The host is a machine
with systemd and an engine, set up by the script of the first boot.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest

from dockercise_prefect.aws.names import AWAKE_METRIC, METRICS, StackNames
from dockercise_prefect.aws.parameters import StackParameters
from scripts.busybox import ensure_busybox
from scripts.engine import ensure_engine
from tests.aws.stack.emulated import EmulatedStack
from tests.support.aws.hypervisor import Hypervisor
from tests.support.aws.instance import WHEELS, Instance, instance
from tests.support.aws.ministack import REGION, MiniStack, running_ministack
from tests.support.bridge import bridge_address
from tests.support.command import Command, Outcome
from tests.support.hosts.git_repository import git, make_bare_repository, make_repository
from tests.support.hosts.github_server import TOKEN, GitHubServer, HostedRepository
from tests.support.ssh_server import running_ssh
from tests.webhook.payloads import github_push, github_sent
from tests.webhook.world import eventually

pytestmark = [pytest.mark.docker, pytest.mark.acceptance, pytest.mark.timeout(1800)]

STACK = StackNames("dockercise-seed")
PATIENCE = 900.0
PIPELINE = """\
hello: {img: busybox, run: echo hello; echo kept > $OUT/file}
shout: {img: busybox, run: 'echo "$HELLO, $(cat /hello/file)"', vol: hello}
"""


@dataclass
class Scene:
    """An account, its machine, and a repository on GitHub."""

    aws: MiniStack
    known: str
    machine: Instance
    hypervisor: Hypervisor
    github: GitHubServer
    hosted: HostedRepository
    commit: str
    call: Command

    def verb(self, *arguments: str) -> Outcome:
        """Run `dockercise aws …` for the stack."""
        return self.call("aws", *arguments, "--name", STACK.stack)

    def up(self, *arguments: str) -> Outcome:
        """Run `dockercise aws up acme/infra`, where the machine is the instance."""
        values = {"HostId": self.known, "ImageId": "ami-0a", "VolumeId": "vol-0123456789abcdef0", "Zone": f"{REGION}a"}
        given = [word for name, value in values.items() for word in ("--parameter", f"{name}={value}")]
        return self.verb("up", "acme/infra", "--api", self.github.api, *given, "--idle-minutes", "1", "--yes", *arguments)

    @property
    def stack(self) -> EmulatedStack:
        """The stack that is made."""
        return EmulatedStack(self.aws, STACK, self.known)

    def push(self) -> httpx.Response:
        """Tell the webhook of a push, as GitHub does."""
        (hook,) = self.hosted.hooks.values()
        payload = github_push("acme/infra", after=self.commit)
        payload["repository"]["ssh_url"] = self.hosted.ssh_url
        return self.stack.send(github_sent(payload, secret=hook["config"]["secret"]))

    def let_door_read(self) -> None:
        """Allow the door to read several parameters at once, in the only form that MiniStack understands."""
        policy = self.stack.policy("DoorRole")
        for statement in policy["Statement"]:
            if "ssm:GetParameters" in str(statement["Action"]):
                statement["Resource"] = "*"
        self.stack.set_policy("DoorRole", policy)

    def summaries(self) -> list[dict[str, Any]]:
        """The summaries of the runs in the bucket, the oldest first."""
        s3 = self.aws.client("s3")
        (bucket,) = [one["Name"] for one in s3.list_buckets()["Buckets"]]
        listed = s3.list_objects_v2(Bucket=bucket, Prefix="results/").get("Contents", [])
        keys = sorted(one["Key"] for one in listed if one["Key"].endswith("/summary.json"))
        return [json.load(s3.get_object(Bucket=bucket, Key=key)["Body"]) for key in keys]

    def ended(self) -> int:
        """How many runs have ended."""
        return len([one for one in self.summaries() if one["status"] is not None])

    def sleeps(self) -> bool:
        """Whether the host is asleep."""
        assert self.hypervisor.failure is None
        return self.hypervisor.state == "stopped" and not self.machine.is_running()

    def awake_minutes(self) -> float:
        """For how many minutes the host says that it was awake."""
        now = datetime.now(UTC)
        answer = self.aws.client("cloudwatch").get_metric_statistics(
            Namespace=METRICS,
            MetricName=AWAKE_METRIC,
            Dimensions=[{"Name": "Stack", "Value": STACK.stack}],
            StartTime=now - timedelta(days=1),
            EndTime=now + timedelta(days=1),
            Period=86400,
            Statistics=["Sum"],
        )
        return float(sum(point["Sum"] for point in answer["Datapoints"]))

    def log(self) -> list[str]:
        """What the stages have printed, in CloudWatch."""
        logs = self.aws.client("logs")
        streams = logs.describe_log_streams(logGroupName=STACK.log_group)["logStreams"]
        read = (logs.get_log_events(logGroupName=STACK.log_group, logStreamName=one["logStreamName"]) for one in streams)
        return [event["message"] for events in read for event in events["events"]]


@pytest.fixture
def scene(tmp_path: Path, github_server: GitHubServer, command: Command, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """An empty account, a machine that is off, and a repository that is not connected."""
    ensure_busybox(ensure_engine())
    work = make_repository(tmp_path / "work", {"infra.dockercise.yaml": PIPELINE}, branch="main")
    make_bare_repository(tmp_path / "host/acme/infra.git", work)
    hosted = github_server.host("acme/infra")
    with ExitStack() as stack:
        address = bridge_address()
        accepted = lambda: [key["key"] for key in hosted.keys.values()]  # noqa: E731  three words
        ssh = stack.enter_context(running_ssh(tmp_path / "host", accepted, address))
        hosted.ssh_url, github_server.host_key = ssh.url("acme/infra"), ssh.host_key
        aws = stack.enter_context(running_ministack(tmp_path / "ministack.log", address))
        for name, value in {**aws.environment(), "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "GITHUB_TOKEN": TOKEN}.items():
            monkeypatch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("DOCKERCISE_DATA", str(tmp_path / "data"))
        ec2 = aws.client("ec2")
        (made,) = ec2.run_instances(ImageId="ami-0a", MinCount=1, MaxCount=1)["Instances"]
        ec2.stop_instances(InstanceIds=[made["InstanceId"]])
        machine = stack.enter_context(instance(aws.environment()))
        hypervisor = Hypervisor(aws.client, made["InstanceId"], machine, run_user_data)
        stack.enter_context(hypervisor.at_work())
        yield Scene(
            aws, made["InstanceId"], machine, hypervisor, github_server, hosted, git(work, "rev-parse", "HEAD"), command
        )


def run_user_data(machine: Instance) -> None:
    """Do what cloud-init does with the user data: run them once, beside everything else."""
    script = files("dockercise_prefect.aws.stack").joinpath("user_data.sh").read_text(encoding="utf-8")
    offline = f"export PIP_NO_INDEX=1 PIP_FIND_LINKS={WHEELS}\n"
    head = f"#!/bin/bash\nexport STACK={STACK.stack} REGION={REGION}\n{offline}"
    machine.put("/root/user-data", (head + script).encode(), 0o700)
    machine.run("systemd-run", "--unit=user-data", "--property=EnvironmentFile=/etc/dockercise/local.env", "/root/user-data")


def test_from_up_to_down(scene: Scene) -> None:
    """One command makes everything; a push and later a schedule wake the host, which sleeps again; one command ends it."""
    made = scene.up("--interval", "5m")
    assert made.status == 0, (made, scene.machine.journal())
    scene.let_door_read()
    scene.machine.load("busybox:latest")
    assert scene.push().status_code == 202
    eventually(scene.sleeps, PATIENCE, every=0.5)
    after_push = scene.summaries()
    parameters = StackParameters(scene.aws.client("ssm"), STACK)
    wake_at = parameters.wake_at()
    boots = scene.hypervisor.boots

    eventually(lambda: scene.hypervisor.boots > boots, PATIENCE, every=0.5)
    woke = time.time()
    eventually(lambda: scene.ended() > len(after_push) and scene.sleeps(), PATIENCE, every=0.5)
    summaries = scene.summaries()
    status = scene.verb("status")
    lines = scene.log()
    minutes = scene.awake_minutes()
    gone = scene.verb("down", "--api", scene.github.api, "--yes")

    assert "pushes are received at" in made.out
    assert after_push
    assert wake_at is not None
    assert wake_at <= woke
    assert {one["status"] for one in summaries} == {"passed"}
    assert lines.count("hello, kept") == len(summaries)
    assert re.search(r"^host +stopped", status.out, re.MULTILINE)
    assert 1 <= minutes <= 60
    assert gone.status == 0, gone
    assert (scene.hosted.hooks, scene.hosted.keys) == ({}, {})
