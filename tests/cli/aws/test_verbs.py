"""`aws status`, `logs`, `wake`, `sleep` and `down`: what a user sees of a stack, and how it goes away."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dockercise_prefect.aws.names import AWAKE_METRIC, METRICS, repository_name
from dockercise_prefect.aws.operating.changing import StackChanges
from dockercise_prefect.aws.report import LastPush, Phase, Report, ReportedRun, RepositoryPhase, RepositoryState
from tests.support.aws.stack_world import StackWorld
from tests.support.hosts.github_server import Failure, GitHubServer

pytestmark = pytest.mark.docker  # for the server

BUSY = Report(
    at=1_796_000_000,
    phase=Phase.WORKING,
    package="dockercise-prefect==0.1.0",
    runs=(ReportedRun("0b99b510", "infra/infra", "RUNNING"),),
    inbox=2,
    unsent=1,
    waits_for=("the run 0b99b510 goes on",),
    last_push=LastPush(1_795_999_000, "acme/infra", "0123456789abcdef", "queued"),
    repositories={
        "acme-infra-1a2b3c4d": RepositoryState(3, RepositoryPhase.READY, "infra/infra"),
        "acme-web-5e6f7a8b": RepositoryState(1, RepositoryPhase.FAILED, None, "the host refuses access"),
    },
)


@pytest.fixture
def quiet(stack: StackWorld) -> StackWorld:
    """A stack that is up, whose host says only what a test tells it to."""
    stack.host.silence()
    return stack


@pytest.fixture
def doomed(aws_world: StackWorld) -> StackWorld:
    """A stack that is up, and may be taken away."""
    assert aws_world.up().status == 0
    return aws_world


@pytest.mark.parametrize("verb", ["status", "logs", "wake", "sleep", "ui"])
def test_no_stack(aws_world: StackWorld, verb: str) -> None:
    """Without a stack, every command says so, and how to make one."""
    said = aws_world.verb(verb)

    assert said.status == (3 if verb == "status" else 4)
    assert f"there is no stack {aws_world.names.stack} in eu-west-1" in said.err
    assert "`dockercise aws up` makes one" in said.err


def test_status_of_a_busy_host(quiet: StackWorld) -> None:
    """The status shows the host, its runs and pushes, what it waits for, its repositories, and what it has cost."""
    quiet.parameters().save_report(BUSY)
    queue = quiet.client("sqs").get_queue_url(QueueName=quiet.names.queue)["QueueUrl"]
    quiet.client("sqs").send_message(QueueUrl=queue, MessageBody="{}", MessageGroupId="a", MessageDeduplicationId="1")
    quiet.client("cloudwatch").put_metric_data(
        Namespace=METRICS,
        MetricData=[
            {
                "MetricName": AWAKE_METRIC,
                "Dimensions": [{"Name": "Stack", "Value": quiet.names.stack}],
                "Value": 90,
                "Timestamp": datetime.now(tz=UTC),
            }
        ],
    )

    said = quiet.verb("status")

    lines = dict(line.split("  ", 1) for line in said.out.splitlines() if not line.startswith(" "))
    shown = {name: text.strip() for name, text in lines.items()}
    assert said.status == 0, said
    assert shown["stack"] == f"{quiet.names.stack} · CREATE_COMPLETE"
    assert shown["host"].startswith("running since ")
    assert shown["says"] == "working at 2026-11-30 00:53 UTC"
    assert shown["last push"] == "2026-11-30 00:36 UTC acme/infra 0123456789ab: queued"
    assert shown["wakes"] == "by a push"
    assert "awake, about $" in shown["this month"]
    assert "infra/infra is running (flow run 0b99b510)" in said.out
    assert "1 push in the queue" in said.out
    assert "2 pushes in its inbox" in said.out
    assert "1 record not yet in the bucket" in said.out
    assert "the run 0b99b510 goes on" in said.out
    assert "acme-web-5e6f7a8b: the host refuses access" in said.out


def test_status_as_json(quiet: StackWorld) -> None:
    """The JSON has the report as the host wrote it, and numbers for what the text says in words."""
    quiet.parameters().save_report(BUSY)
    quiet.parameters().save_wake_at(1_796_040_000)

    said = quiet.verb("status", "--json")

    found = json.loads(said.out)
    assert found["report"]["runs"] == [{"id": "0b99b510", "deployment": "infra/infra", "state": "RUNNING"}]
    assert found["host"]["state"] == "running"
    assert (found["wake_at"], found["waiting"], found["lost"]) == (1_796_040_000, 0, 0)
    assert found["asleep_dollars_a_month"] == pytest.approx(4.93)


def test_status_of_a_failed_host(quiet: StackWorld) -> None:
    """The status of a host that failed shows its error."""
    quiet.parameters().save_report(replace(BUSY, phase=Phase.FAILED, error="the disk is full", runs=(), inbox=0, unsent=0))

    said = quiet.verb("status")

    assert ": the disk is full" in said.out


def test_status_of_what_others_have_written(quiet: StackWorld) -> None:
    """Text of a repository cannot control the terminal, and a moment that no calendar has is shown all the same."""
    failed = RepositoryState(1, RepositoryPhase.FAILED, None, "unknown key \x1b]0;title\x07`\x1b[2Jvol`")
    quiet.parameters().save_report(replace(BUSY, error="first\nsecond", repositories={"acme": failed}))
    quiet.parameters().save_wake_at(10**19)
    quiet.parameters().save_awake_until(10**12)

    said = quiet.verb("status")

    lines = said.out.splitlines()
    assert said.status == 0, said
    assert "repository  acme: unknown key `vol`" in lines
    assert any(line.endswith(": first second") for line in lines)
    assert "wakes       second 10000000000000000000 after 1970" in lines


def test_status_during_the_first_boot(quiet: StackWorld) -> None:
    """Before the host has reported, the status says so."""
    quiet.client("ssm").put_parameter(Name=quiet.names.parameter("report"), Value="{}", Type="String", Overwrite=True)

    said = quiet.verb("status")

    assert said.status == 0
    assert "nothing yet: its first boot has not ended" in said.out


def test_wake(quiet: StackWorld) -> None:
    """A sleeping host is started, and stays awake for the time that was asked for; a second call keeps the longer time."""
    quiet.verb("sleep")
    begun = time.time()

    said = quiet.verb("wake", "--for", "2h")
    again = quiet.verb("wake", "--for", "10m")

    assert "the host is starting, and stays awake for 2h at least" in said.out
    assert "the host is awake" in again.out
    assert quiet.state() == "running"
    assert quiet.parameters().awake_until() >= begun + 2 * 3600 - 1


def test_sleep(quiet: StackWorld) -> None:
    """A host without work is stopped, and nobody keeps it awake any more."""
    quiet.verb("wake")

    said, again = quiet.verb("sleep"), quiet.verb("sleep")

    assert (said.out, again.out) == ("the host is going to sleep\n", "the host sleeps already\n")
    assert quiet.state() == "stopped"
    assert quiet.parameters().awake_until() == 0


def test_sleep_is_refused_while_there_is_work(quiet: StackWorld) -> None:
    """A host with work is not stopped, and the message names the work; --force stops it all the same."""
    quiet.parameters().save_report(BUSY)

    said = quiet.verb("sleep")
    state = quiet.state()
    forced = quiet.verb("sleep", "--force")

    assert (said.status, state) == (2, "running")
    assert "infra/infra is running (flow run 0b99b510), 2 pushes in its inbox, 1 record not yet in the bucket" in said.err
    assert (forced.status, quiet.state()) == (0, "stopped")


@pytest.mark.parametrize("duration", ["soon", "0", "-5m"])
def test_wrong_duration(quiet: StackWorld, duration: str) -> None:
    """A text that is not a duration is refused."""
    said = quiet.verb("wake", "--for", duration)

    assert said.status == 2
    assert "is not a duration" in said.err


def test_logs(quiet: StackWorld) -> None:
    """The log of stages, of the host and of the door are printed apart, each line with its stream."""
    moment = int(time.time() * 1000)
    for group, line in ((quiet.names.log_group, "hello"), (quiet.names.host_log_group, "worker started")):
        client = quiet.client("logs")
        client.create_log_stream(logGroupName=group, logStreamName="infra/r1/greet")
        event = {"timestamp": moment, "message": f"{line}\x1b[31m"}
        client.put_log_events(logGroupName=group, logStreamName="infra/r1/greet", logEvents=[event])

    stages, host, door = quiet.verb("logs"), quiet.verb("logs", "--host"), quiet.verb("logs", "--door")

    assert [line.split(" ", 1)[1] for line in stages.out.splitlines()] == ["infra/r1/greet | hello"]
    assert [line.split(" ", 1)[1] for line in host.out.splitlines()] == ["infra/r1/greet | worker started"]
    assert (door.status, door.out) == (4, "")
    assert "has no line of this time" in door.err


def test_down(doomed: StackWorld, github_server: GitHubServer) -> None:
    """The stack, its secrets, and the webhook and key on GitHub are gone; the bucket is kept and named."""
    doomed.again("acme/infra", "--api", github_server.api)
    bucket = doomed.bucket()

    said = doomed.verb("down", "--yes", "--api", github_server.api)
    again = doomed.verb("down", "--yes")

    hosted = github_server.repositories["acme/infra"]
    assert said.status == 0, said
    assert doomed.stack() is None
    assert (hosted.keys, hosted.hooks) == ({}, {})
    assert doomed.parameters().repositories() == []
    assert doomed.parameters().secrets() == {}
    assert bucket in [one["Name"] for one in doomed.client("s3").list_buckets()["Buckets"]]
    assert f"kept: bucket {bucket} (its size is not known yet, at a price that is not known)" in said.out
    assert f"the stack {doomed.names.stack} is gone" in said.out
    assert again.status == 4


def test_down_without_a_token(doomed: StackWorld, github_server: GitHubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a token, the stack goes all the same, and what is left on GitHub is said."""
    doomed.again("acme/infra", "--api", github_server.api)
    webhook = doomed.webhook()
    monkeypatch.delenv("GITHUB_TOKEN")

    said = doomed.verb("down", "--yes")

    address = f"https://{github_server.api.removeprefix('http://')}/acme/infra"
    assert (said.status, doomed.stack()) == (0, None)
    assert f"remove these yourself from {address}: the webhook to {webhook}, and its deploy key" in said.out


def test_down_when_github_refuses(doomed: StackWorld, github_server: GitHubServer) -> None:
    """If GitHub refuses, the stack goes all the same, and what is left there is said, with the reason."""
    doomed.again("acme/infra", "--api", github_server.api)
    github_server.fail(Failure("DELETE", ".*/hooks/.*", 500))

    said = doomed.verb("down", "--yes", "--api", github_server.api)

    assert (said.status, doomed.stack()) == (0, None)
    assert "NOT removed: webhook to" in said.out
    assert "remove these yourself from" in said.out


def test_down_asks(doomed: StackWorld) -> None:
    """Without a terminal and without --yes, nothing is taken away."""
    said = doomed.verb("down")
    everything = doomed.verb("down", "--everything", "--yes")

    assert (said.status, everything.status) == (2, 2)
    assert "add --yes to agree" in said.err
    assert "type the command in a terminal" in everything.err
    assert doomed.stack() is not None


def test_down_is_interrupted(doomed: StackWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle says what is there; the same command takes the rest away."""
    with monkeypatch.context() as patch:
        patch.setattr(StackChanges, "delete", lambda *_arguments: os.kill(os.getpid(), signal.SIGINT))
        said = doomed.verb("down", "--yes")
    again = doomed.verb("down", "--yes")

    name = doomed.names.stack
    assert said.status == 130
    assert f"interrupted: the stack {name} is CREATE_COMPLETE. the same command takes the rest away" in said.err
    assert again.status == 0, again
    assert doomed.stack() is None


def test_down_removes_what_a_broken_down_has_left(doomed: StackWorld) -> None:
    """Secrets that are left after their stack is gone are removed by the next call."""
    doomed.client("cloudformation").delete_stack(StackName=doomed.names.stack)
    name = repository_name("https://github.com/acme/infra")
    doomed.parameters().save_secret(name, "a-secret")

    said = doomed.verb("down", "--yes")

    assert said.status == 0, said
    assert f"removed: parameter {doomed.names.parameter('secrets', name)}" in said.out
    assert doomed.parameters().secrets() == {}


@pytest.mark.parametrize("verb", ["status", "wake", "sleep"])
def test_a_stack_that_is_not_made_yet(verb: str, aws_world: StackWorld) -> None:
    """While a stack has no host, each command says in which state the stack is."""
    aws_world.client("cloudformation").create_stack(
        StackName=aws_world.names.stack, TemplateBody="Resources: {Queue: {Type: 'AWS::SQS::Queue'}}"
    )

    said = aws_world.verb(verb)

    assert (said.status, said.out) == (3, "")
    assert re.fullmatch(f"the stack {aws_world.names.stack} is CREATE_[A-Z_]+, and has no host now\n.*\n", said.err)
