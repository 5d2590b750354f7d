"""The template on an AWS that makes stacks and rolls them back, serves function URLs, runs the door and enforces its role."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from difflib import ndiff

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.stack.door import LARGEST_IN_QUEUE
from dockercise_prefect.aws.stack.rendering import template
from tests.aws.stack.emulated import EmulatedStack, new_stack
from tests.support.aws.ministack import MiniStack
from tests.support.aws.stack_template import template_for_ministack
from tests.webhook.payloads import github_push, github_sent

pytestmark = pytest.mark.docker  # for the server

_numbers = itertools.count(1)


@pytest.fixture
def unmade(ministack: MiniStack) -> EmulatedStack:
    """A stack that is not made yet."""
    return new_stack(ministack, f"dockercise-{next(_numbers)}")


@pytest.fixture
def stack(unmade: EmulatedStack) -> Iterator[EmulatedStack]:
    """A stack with one repository, whose host is asleep."""
    assert unmade.create() == "CREATE_COMPLETE"
    unmade.connect()
    yield unmade
    unmade.delete()


def test_push_to_a_sleeping_host(stack: EmulatedStack) -> None:
    """A signed push to the function URL lies in the queue and starts the host; a forged one does neither."""
    forged = stack.send(github_sent(github_push(), secret="guessed"))
    state_after_forged = stack.host_state
    signed = stack.send(github_sent(github_push(), identity="push-1"))

    assert (forged.status_code, state_after_forged) == (401, "stopped")
    assert (signed.status_code, stack.host_state) == (202, "running")
    assert [message["headers"]["x-github-delivery"] for message in stack.messages()] == ["push-1"]


def test_order_and_redelivery(stack: EmulatedStack) -> None:
    """Five pushes of one repository keep their order, and one that is sent again at once is kept as well."""
    sent = [github_sent(github_push(), identity=f"push-{number}") for number in range(5)]

    for one in [*sent, sent[0]]:
        stack.send(one)

    order = [message["headers"]["x-github-delivery"] for message in stack.messages()]
    assert order == [*(f"push-{number}" for number in range(5)), "push-0"]


@pytest.mark.parametrize(
    ("state", "of_host", "matches"), [("stopped", True, True), ("stopping", True, False), ("stopped", False, False)]
)
def test_rule_on_stopped(stack: EmulatedStack, state: str, of_host: bool, matches: bool) -> None:
    """The rule takes the event that the host has stopped, and no event of another state or another instance."""
    events, instance = stack.client("events"), stack.host if of_host else "i-00000000000000000"
    pattern = events.describe_rule(Name=stack.resources()["Stopped"])["EventPattern"]
    event = {
        "id": "1",
        "account": "123456789012",
        "region": "eu-west-1",
        "time": "2026-11-30T18:00:00Z",
        "source": "aws.ec2",
        "detail-type": "EC2 Instance State-change Notification",
        "detail": {"instance-id": instance, "state": state},
        "resources": [f"arn:aws:ec2:eu-west-1:123456789012:instance/{instance}"],
    }

    assert events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"] == matches


@pytest.mark.parametrize("rule", ["Stopped", "Tick"])
def test_rules_call_the_door(stack: EmulatedStack, rule: str) -> None:
    """Both rules have the door as their only target."""
    client, name = stack.client("events"), stack.resources()[rule]

    targets = client.list_targets_by_rule(Rule=name)["Targets"]

    door = stack.client("lambda").get_function_configuration(FunctionName=stack.names.door)["FunctionArn"]
    assert [target["Arn"] for target in targets] == [door]


def test_nothing_to_update(stack: EmulatedStack) -> None:
    """The same template with the same parameters changes nothing."""
    with pytest.raises(ClientError, match="No updates are to be performed"):
        stack.update()


def test_update_of_settings(stack: EmulatedStack) -> None:
    """A changed parameter changes the settings of the host, and neither its notes nor the address of the door."""
    stack.parameters.save_wake_at(4_000_000_000)
    url = stack.outputs["WebhookUrl"]

    status = stack.update(IdleMinutes="30", Email="ops@example.org")

    settings = stack.parameters.host()
    assert (status, settings is not None and settings.idle_minutes) == ("UPDATE_COMPLETE", 30)
    assert (stack.parameters.wake_at(), stack.outputs["WebhookUrl"]) == (4_000_000_000, url)
    assert {"Alarms", "LostAlarm", "AwakeAlarm", "DiskAlarm"} <= set(stack.resources())


def test_create_that_fails_leaves_nothing(unmade: EmulatedStack) -> None:
    """If a part cannot be made, the parts that were made are removed, the bucket too."""
    unmade.parameters.save_wake_at(4_000_000_000)
    before = what_is_there(unmade)

    status = unmade.create()

    assert status == "ROLLBACK_COMPLETE"
    assert what_is_there(unmade) == before


def test_update_that_fails_restores(stack: EmulatedStack) -> None:
    """If a part of an update cannot be made, everything is as before, and pushes are still taken."""
    stack.client("ssm").put_parameter(Name=f"/{stack.names.stack}/taken", Value="1", Type="String")
    taken = f"{{Name: /{stack.names.stack}/taken, Type: String, Value: 2}}"
    wrong = template_for_ministack().replace(
        "Resources:\n", f"Resources:\n  Taken: {{Type: AWS::SSM::Parameter, DependsOn: HostSettings, Properties: {taken}}}\n", 1
    )
    before = what_is_there(stack)

    status = stack.update(wrong, IdleMinutes="30")

    settings = stack.parameters.host()
    assert (status, settings is not None and settings.idle_minutes) == ("UPDATE_ROLLBACK_COMPLETE", 10)
    assert what_is_there(stack) == before
    assert stack.send(github_sent(github_push())).status_code == 202


def test_delete_keeps_the_bucket(unmade: EmulatedStack) -> None:
    """When the stack is deleted, its bucket stays with everything in it, and nothing else stays."""
    before = what_is_there(unmade)
    unmade.create()
    bucket = unmade.outputs["ResultsBucket"]
    unmade.client("s3").put_object(Bucket=bucket, Key="results/one", Body=b"1")

    unmade.delete()

    assert what_is_there(unmade) - before == {f"bucket {bucket}"}
    assert unmade.client("s3").get_object(Bucket=bucket, Key="results/one")["Body"].read() == b"1"


@pytest.mark.parametrize(
    ("action", "need"),
    [
        ("sqs:SendMessage", "push"),
        ("ssm:GetParametersByPath", "push"),
        ("s3:PutObject", "large push"),
        ("ec2:StartInstances", "start"),
        ("sqs:GetQueueAttributes", "tick"),
        ("ssm:GetParameters", "tick"),
        ("ec2:DescribeInstances", "dead man's switch"),
        ("ec2:StopInstances", "dead man's switch"),
    ],
)
def test_door_needs_each_of_its_permissions(stack: EmulatedStack, action: str, need: str) -> None:
    """Without one action of its role, the door can no longer do what the action is for."""
    with_it = NEEDS[need](stack)
    stack.take_away("DoorRole", action)
    set_variable(stack, "ANOTHER", "1")  # so that the door forgets what it has read

    without_it = NEEDS[need](stack)

    assert (with_it, without_it) == (True, False)


def can_take_a_push(stack: EmulatedStack) -> bool:
    """Whether a push is queued."""
    return stack.send(github_sent(github_push())).status_code == 202 and len(stack.messages()) == 1


def can_take_a_large_push(stack: EmulatedStack) -> bool:
    """Whether a push that does not fit into a message is queued."""
    return stack.send(github_sent(github_push(padding="x" * LARGEST_IN_QUEUE))).status_code == 202


def can_start(stack: EmulatedStack) -> bool:
    """Whether a push starts the host."""
    stack.stop_host()
    stack.send(github_sent(github_push()))
    return stack.host_state == "running"


def can_tick(stack: EmulatedStack) -> bool:
    """Whether a tick starts the host for a push that waits."""
    stack.send(github_sent(github_push()))
    stack.stop_host()
    stack.tick()
    return stack.host_state == "running"


def can_stop(stack: EmulatedStack) -> bool:
    """Whether a tick stops a host that has been silent for too long: here, for no time at all."""
    set_variable(stack, "SILENT_HOURS", "-1")
    stack.client("ec2").start_instances(InstanceIds=[stack.host])
    stack.tick()
    return stack.host_state == "stopped"


NEEDS: dict[str, Callable[[EmulatedStack], bool]] = {
    "push": can_take_a_push,
    "large push": can_take_a_large_push,
    "start": can_start,
    "tick": can_tick,
    "dead man's switch": can_stop,
}


def set_variable(stack: EmulatedStack, name: str, value: str) -> None:
    """Set a variable of the door, which then begins anew."""
    client = stack.client("lambda")
    variables = client.get_function_configuration(FunctionName=stack.names.door)["Environment"]["Variables"]
    client.update_function_configuration(FunctionName=stack.names.door, Environment={"Variables": variables | {name: value}})


def what_is_there(stack: EmulatedStack) -> set[str]:
    """Everything in the account that a stack can make."""
    sqs, logs, ssm, iam = (stack.client(service) for service in ("sqs", "logs", "ssm", "iam"))
    return {
        *(f"bucket {one['Name']}" for one in stack.client("s3").list_buckets()["Buckets"]),
        *(f"queue {one}" for one in sqs.list_queues().get("QueueUrls", [])),
        *(f"group {one['logGroupName']}" for one in logs.describe_log_groups()["logGroups"]),
        *(f"parameter {one['Name']}" for one in ssm.describe_parameters()["Parameters"]),
        *(f"role {one['RoleName']}" for one in iam.list_roles()["Roles"]),
        *(f"profile {one['InstanceProfileName']}" for one in iam.list_instance_profiles()["InstanceProfiles"]),
        *(f"function {one['FunctionName']}" for one in stack.client("lambda").list_functions()["Functions"]),
        *(f"rule {one['Name']}" for one in stack.client("events").list_rules()["Rules"]),
        *(f"network {one['VpcId']}" for one in stack.client("ec2").describe_vpcs()["Vpcs"]),
        *(f"template {one['LaunchTemplateId']}" for one in stack.client("ec2").describe_launch_templates()["LaunchTemplates"]),
    }


def test_template_is_only_changed_where_the_emulator_needs_it() -> None:
    """What is tested here differs from the template in the resources of three statements about parameters."""
    changed = [
        line.strip() for line in ndiff(template().splitlines(), template_for_ministack().splitlines()) if line[0] in "+-"
    ]

    assert [line[1:].strip() for line in changed if line[0] == "+"] == ['Resource: "*"'] * 3
    places = ("Resource:", "- !Sub arn:${AWS::Partition}:ssm:", '- !If [HasJobs, !Sub "arn:${AWS::Partition}:ssm:')
    assert all(line[1:].strip().startswith(places) for line in changed if line[0] == "-")
