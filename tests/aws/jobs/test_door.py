"""The door of the jobs, under real requests: which pushes start a task, and whose."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]  # has no types
import httpx
import pytest

from dockercise_prefect.aws.jobs.door import JobsDoor, Tasks
from dockercise_prefect.aws.jobs.order import ORDER_VARIABLE, Order, order_of
from dockercise_prefect.aws.jobs.rendering import door_code, jobs_template
from dockercise_prefect.aws.stack.rendering import MOST_BYTES
from tests.support.aws.cfn import actions, lint, read_template
from tests.support.aws.function_url import function_url
from tests.support.aws.moto import FOLDER_KEY_ID, FOLDER_SECRET, REGION, Aws
from tests.support.aws.recorder import Recorder, recording
from tests.webhook.payloads import BEFORE, ZEROS, Sent, commit_number, github_push, github_sent, gitlab_push, gitlab_sent

pytestmark = pytest.mark.docker  # for the server

PARAMETERS = "/dockercise/dockercise-jobs"
SECRETS = {"acme.acme-infra-1a2b3c4d": "acme's secret 8Zk", "umbrella.umbrella-lab-5e6f7a8b": "umbrella's secret 3Wn"}


@dataclass(frozen=True)
class World:
    """A door, its function URL, and what it starts."""

    url: str
    recorder: Recorder

    def send(self, sent: Sent) -> httpx.Response:
        """Send a request to the function URL."""
        return httpx.post(self.url, headers=dict(sent.headers), content=sent.body, timeout=60)

    def orders(self) -> list[Order]:
        """The orders of the tasks, in order."""
        return [order_of(_environment(call.given)) for call in self.recorder.called("RunTask")]

    def tokens(self) -> list[str]:
        """What makes the starts of tasks that are the same."""
        return [str(call.given["clientToken"]) for call in self.recorder.called("RunTask")]


def _environment(given: Mapping[str, Any]) -> dict[str, str]:
    [container] = given["overrides"]["containerOverrides"]
    return {one["name"]: one["value"] for one in container["environment"]}


@pytest.fixture
def world(aws: Aws) -> Iterator[World]:
    """A cluster, the secrets of two customers, and the door."""
    with recording(aws.url) as recorder:

        def client(service: str) -> Any:
            keys = {"aws_access_key_id": FOLDER_KEY_ID, "aws_secret_access_key": FOLDER_SECRET, "region_name": REGION}
            return boto3.client(service, endpoint_url=recorder.url, **keys)

        for name, secret in SECRETS.items():
            aws.client("ssm").put_parameter(Name=f"{PARAMETERS}/secrets/{name}", Value=secret, Type="SecureString")
        cluster = aws.client("ecs").create_cluster(clusterName="jobs")["cluster"]["clusterArn"]
        container = {"name": "job", "image": "dockercise", "memory": 2048}
        made = aws.client("ecs").register_task_definition(
            family="job", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], containerDefinitions=[container]
        )
        definition = made["taskDefinition"]["taskDefinitionArn"]
        subnets = tuple(one["SubnetId"] for one in aws.client("ec2").describe_subnets()["Subnets"])
        group = aws.client("ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"]
        door = JobsDoor(Tasks(cluster, definition, subnets, group, PARAMETERS), client)
        with function_url(lambda event, request_id: door.receive(event, request_id).to_lambda()) as url:
            yield World(url, recorder)


def test_a_push_starts_a_task_for_its_customer(world: World) -> None:
    """The secret that signed a push decides whose job it is; commit, branch and the commit before come from the payload."""
    name, secret = next(iter(SECRETS.items()))
    after = commit_number(1)

    answer = world.send(github_sent(github_push(after=after), secret=secret))

    assert answer.status_code == 202, answer.text
    assert answer.json()["message"].startswith(f"{name}: task ")
    assert world.orders() == [
        Order(customer="acme", repository="acme-infra-1a2b3c4d", commit=after, branch="main", before=BEFORE)
    ]


def test_a_payload_does_not_choose_the_customer(world: World) -> None:
    """A customer who names the repository of another customer starts only a job of its own."""
    _, (name, secret) = SECRETS.items()

    world.send(github_sent(github_push("acme/infra"), secret=secret))

    assert [f"{order.customer}.{order.repository}" for order in world.orders()] == [name]


def test_a_tag_of_gitlab_starts_a_task(world: World) -> None:
    """Tags have neither a branch nor a commit before; GitLab's plain token is believed."""
    secret = SECRETS["acme.acme-infra-1a2b3c4d"]
    payload = gitlab_push() | {"ref": "refs/tags/v1.2", "before": ZEROS, "after": commit_number(2)}

    answer = world.send(gitlab_sent(payload, token=secret))

    assert answer.status_code == 202, answer.text
    assert world.orders() == [Order(customer="acme", repository="acme-infra-1a2b3c4d", commit=commit_number(2), tag="v1.2")]


def test_a_redelivery_starts_no_other_task(world: World) -> None:
    """ECS gets the same token for the same delivery, and another one for another delivery or another customer."""
    first, second = SECRETS.values()
    sent = github_sent(github_push(), secret=first)

    for each in (sent, sent, sent.with_headers(x_github_delivery="another"), github_sent(github_push(), secret=second)):
        world.send(each)

    tokens = world.tokens()
    assert tokens[0] == tokens[1]
    assert len(set(tokens)) == 3
    assert {len(token) for token in tokens} == {64}  # the most that ECS takes


@pytest.mark.parametrize(
    ("secret", "changes", "status"),
    [
        ("guessed", {}, 401),
        ("", {}, 401),
        (next(iter(SECRETS.values())), {"x_hub_signature_256": "sha256=" + "0" * 64}, 401),
        (next(iter(SECRETS.values())), {"x_github_event": "ping"}, 200),
    ],
)
def test_what_is_no_signed_push_starts_nothing(world: World, secret: str, changes: dict[str, str], status: int) -> None:
    """Forged and unsigned requests and other events start no task."""
    answer = world.send(github_sent(github_push(), secret=secret).with_headers(**changes))

    assert answer.status_code == status
    assert world.tokens() == []


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        ({"ref": "refs/heads/main", "before": BEFORE, "after": ZEROS}, 200),
        ({"ref": "refs/heads/main"}, 400),
        ({"ref": "refs/notes/x", "before": BEFORE, "after": BEFORE}, 400),
        ({"ref": None, "before": None, "after": None}, 400),
    ],
)
def test_a_push_without_a_commit_starts_nothing(world: World, payload: dict[str, Any], status: int) -> None:
    """A deleted branch is ignored, and a signed text that is no push is refused."""
    answer = world.send(github_sent(payload, secret=next(iter(SECRETS.values()))))

    assert answer.status_code == status, answer.text
    assert world.tokens() == []


def test_a_start_that_fails_is_told_to_the_host_of_the_repository(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Without capacity, the answer is 503 with the reason, so the delivery can be sent again; no secret is logged."""
    world.recorder.answers["RunTask"] = lambda _: {"tasks": [], "failures": [{"reason": "RESOURCE:MEMORY"}]}

    answer = world.send(github_sent(github_push(), secret=next(iter(SECRETS.values()))))

    assert (answer.status_code, answer.json()["result"]) == (503, "failed")
    assert "RESOURCE:MEMORY" in answer.json()["message"]
    assert [secret for secret in SECRETS.values() if secret in capsys.readouterr().out] == []


def test_the_function_is_one_file_that_runs_alone(tmp_path: Path) -> None:
    """The code in the template needs nothing of this package, and answers an unsigned push as Lambda would."""
    (tmp_path / "index.py").write_text(door_code())
    variables = {"CLUSTER": "c", "TASK": "t", "SUBNETS": "s", "GROUP": "g", "PARAMETERS": "/p", "AWS_DEFAULT_REGION": REGION}
    call = "import index, types; print(index.start_job(%r, types.SimpleNamespace(aws_request_id='1'))['statusCode'])"
    event = {"headers": {"X-GitHub-Event": "push"}, "body": "{}", "requestContext": {}}

    done = subprocess.run(
        [sys.executable, "-c", call % event], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
    )

    assert done.stdout.splitlines()[-1:] == ["401"], done.stderr
    assert "dockercise_prefect" not in door_code()


def test_the_template_is_right(tmp_path: Path) -> None:
    """cfn-lint finds nothing, and CloudFormation takes the template without a bucket."""
    file = tmp_path / "jobs.yaml"
    file.write_text(jobs_template())

    assert lint(file) == ""
    assert len(file.read_bytes()) < MOST_BYTES


def test_a_task_may_only_assume_the_roles_that_are_listed() -> None:
    """The roles have the actions that something uses: the task assumes listed roles, the door starts the one task."""
    template = read_template(jobs_template())

    by_role: Mapping[str, Sequence[str]] = {role: sorted(actions(template, role)) for role in ("TaskRole", "DoorRole")}
    [assume] = [
        one
        for one in template["Resources"]["TaskRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
        if one["Action"] == "sts:AssumeRole"
    ]

    assert by_role == {
        "TaskRole": ["ssm:GetParameter", "sts:AssumeRole"],
        "DoorRole": ["ecs:RunTask", "iam:PassRole", "logs:CreateLogStream", "logs:PutLogEvents", "ssm:GetParametersByPath"],
    }
    assert assume["Resource"] == {"Ref": "Roles"}
    environment = template["Resources"]["Door"]["Properties"]["Environment"]["Variables"]
    assert Tasks.from_environment(dict.fromkeys(environment, "a,b")).subnets == ("a", "b")
    assert ORDER_VARIABLE in door_code()
    assert json.dumps(template["Resources"]["Task"]).count("DOCKERCISE_JOB_STACK") == 1
