"""`aws up` and `aws down` on a terminal, where they ask; and `aws ui`, which stays open."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.support.aws.free_port import free_port
from tests.support.aws.session_manager import running_sessions, write_plugin
from tests.support.aws.stack_world import PACKAGE, StackWorld
from tests.support.pseudo_terminal import PseudoTerminal

pytestmark = pytest.mark.docker  # for the server


def terminal(world: StackWorld, folder: Path, *arguments: str) -> PseudoTerminal:
    """Run `dockercise aws` on a terminal."""
    command = [sys.executable, "-m", "dockercise_prefect", "aws", *arguments, "--name", world.names.stack]
    return PseudoTerminal(command, folder, dict(os.environ), columns=120)


def test_up_asks(aws_world: StackWorld, tmp_path: Path) -> None:
    """On a terminal, a repository is offered, the cost is shown before the question, and a no makes nothing."""
    with terminal(aws_world, tmp_path, "up", *aws_world.machine, "--package", PACKAGE) as shown:
        shown.until("connect a repository on GitHub now? [Y/n]: ")
        shown.press("n\n")
        before = shown.until("go on? [y/N]: ")
        shown.press("n\n")
        status = shown.end()

    assert "cost: about $4.93 a month asleep" in before
    assert (status, aws_world.stack()) == (130, None)


def test_down_with_everything(aws_world: StackWorld, tmp_path: Path) -> None:
    """--everything shows what is deleted for ever, and asks for the name; only the right name deletes it."""
    aws_world.up()
    bucket, s3 = aws_world.bucket(), aws_world.client("s3")
    for number in range(3):
        s3.put_object(Bucket=bucket, Key=f"results/infra/{number}", Body=b"x")
    ec2 = aws_world.client("ec2")
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "dockercise", "Value": aws_world.names.stack}]}]
    volume = ec2.create_volume(AvailabilityZone="eu-west-1a", Size=40, TagSpecifications=tags)["VolumeId"]

    with terminal(aws_world, tmp_path, "down", "--everything") as wrong:
        shown = wrong.until(f"type the name of the stack to go on ({aws_world.names.stack}): ")
        wrong.press("dockercise\n")
        refused = wrong.end()
    was_there = aws_world.stack() is not None
    with terminal(aws_world, tmp_path, "down", "--everything") as right:
        right.until("to go on (")
        right.press(f"{aws_world.names.stack}\n")
        status = right.end()

    assert f"bucket {bucket}" in shown
    assert f"volume {volume} (40 GiB, about $3.52 a month)" in shown
    assert (refused, was_there) == (2, True)
    assert (status, aws_world.stack()) == (0, None), right.seen
    assert bucket not in [one["Name"] for one in s3.list_buckets()["Buckets"]]
    assert volume not in [one["VolumeId"] for one in ec2.describe_volumes()["Volumes"]]


def test_ui(aws_world: StackWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The UI wakes the host, shows its address, keeps the host awake, and ends with Ctrl-C."""
    aws_world.up()
    aws_world.verb("sleep")
    port = free_port()
    with running_sessions() as sessions:
        ssm = aws_world.client("ssm").meta.endpoint_url
        sessions.passes_on_to = ssm
        write_plugin(tmp_path / "bin", target=port)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", sessions.url)

        with terminal(aws_world, tmp_path, "ui", "--no-browser", "--port", str(port)) as shown:
            shown.until(f"http://127.0.0.1:{port}")
            shown.until("Ctrl-C closes it")
            awake = aws_world.parameters().awake_until()
            os.kill(shown.process.pid, signal.SIGINT)
            status = shown.end()

    assert (status, aws_world.state()) == (0, "running")
    assert awake > 0
    assert "closed; the host sleeps when it has no work" in shown.seen
    assert sessions.ended == ["me-0a1b"]


def test_ui_of_ones_own_prefect(aws_world: StackWorld) -> None:
    """If the host uses one's own Prefect, its address is shown, and the host sleeps on."""
    aws_world.up("--prefect-api-url", "https://prefect.example.org/api")
    aws_world.verb("sleep")

    said = aws_world.verb("ui", "--no-browser")

    assert (said.status, said.out) == (0, "https://prefect.example.org\n")
    assert aws_world.state() == "stopped"


def test_following_logs(aws_world: StackWorld, tmp_path: Path) -> None:
    """Lines are shown as they come, and Ctrl-C ends it."""
    aws_world.up()
    client, group = aws_world.client("logs"), aws_world.names.log_group
    client.create_log_stream(logGroupName=group, logStreamName="infra/r1/greet")

    def add(text: str) -> None:
        import time

        event = {"timestamp": int(time.time() * 1000), "message": text}
        client.put_log_events(logGroupName=group, logStreamName="infra/r1/greet", logEvents=[event])

    add("hello")
    with terminal(aws_world, tmp_path, "logs", "-f") as shown:
        shown.until("infra/r1/greet | hello")
        add("bye")
        shown.until("infra/r1/greet | bye")
        os.kill(shown.process.pid, signal.SIGINT)
        status = shown.end()

    assert status == 130
