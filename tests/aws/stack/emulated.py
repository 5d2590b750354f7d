"""A stack that MiniStack has made from the template, and its door behind a served function URL."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from dockercise_prefect.aws.names import StackNames
from dockercise_prefect.aws.parameters import StackParameters
from tests.support.aws.ministack import REGION, MiniStack
from tests.support.aws.stack_template import template_for_ministack
from tests.webhook.payloads import SECRET, Sent

PATIENCE = 120.0
"""Seconds to wait for CloudFormation."""

NAME = "acme-infra-1a2b3c4d"


@dataclass(frozen=True)
class EmulatedStack:
    """A stack. Its instance is one that exists already: MiniStack's CloudFormation knows neither instances nor volumes."""

    aws: MiniStack
    names: StackNames
    host: str

    def client(self, service: str) -> Any:
        """A client for the administrator of the account."""
        return self.aws.client(service)

    @property
    def parameters(self) -> StackParameters:
        """The parameters of the stack."""
        return StackParameters(self.client("ssm"), self.names)

    @property
    def given(self) -> Mapping[str, str]:
        """The values of the template's parameters."""
        return {"ImageId": "ami-12c6146b", "Zone": f"{REGION}a", "HostId": self.host, "VolumeId": "vol-0123456789abcdef0"}

    def create(self, template: str | None = None, **parameters: str) -> str:
        """Make the stack. Returns its status in the end."""
        self.client("cloudformation").create_stack(**self._request(template, parameters))
        return self.status()

    def update(self, template: str | None = None, **parameters: str) -> str:
        """Update the stack. Returns its status in the end."""
        self.client("cloudformation").update_stack(**self._request(template, parameters))
        return self.status()

    def delete(self) -> None:
        """Delete the stack, and wait until it is gone."""
        self.client("cloudformation").delete_stack(StackName=self.names.stack)
        self.wait_until_gone()

    def wait_until_gone(self) -> None:
        """Wait until the stack is deleted."""
        self.client("cloudformation").get_waiter("stack_delete_complete").wait(
            StackName=self.names.stack, WaiterConfig={"Delay": 1, "MaxAttempts": int(PATIENCE)}
        )

    def status(self) -> str:
        """The status of the stack when it no longer changes."""
        deadline = time.monotonic() + PATIENCE
        while True:
            status = str(self._described()["StackStatus"])
            if not status.endswith("_IN_PROGRESS"):
                return status
            assert time.monotonic() < deadline, status
            time.sleep(0.1)

    @property
    def outputs(self) -> Mapping[str, str]:
        """The outputs of the stack."""
        return {one["OutputKey"]: one["OutputValue"] for one in self._described()["Outputs"]}

    def resources(self) -> Mapping[str, str]:
        """What the stack has made: ids by their names in the template."""
        found = self.client("cloudformation").describe_stack_resources(StackName=self.names.stack)["StackResources"]
        return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found}

    def connect(self) -> None:
        """Store the secret of a repository, as the command line does."""
        self.parameters.save_secret(NAME, SECRET)

    def send(self, sent: Sent) -> httpx.Response:
        """Send a request to the function URL."""
        url = self.aws.function_url(self.outputs["WebhookUrl"])
        return httpx.post(url, headers=dict(sent.headers), content=sent.body, timeout=120)

    def tick(self) -> str:
        """Call the door as the rules do. Returns what it did, or the error."""
        answer = self.client("lambda").invoke(FunctionName=self.names.door, Payload=b"{}")
        said = json.load(answer["Payload"])
        return str(said.get("host", said))

    def messages(self) -> Sequence[Any]:
        """The messages of the queue, in order. They are removed."""
        client, queue = self.client("sqs"), self.outputs["QueueUrl"]
        found = []
        while batch := client.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for one in batch:
                found.append(json.loads(one["Body"]))
                client.delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"])
        return found

    @property
    def host_state(self) -> str:
        """The state of the instance."""
        answer = self.client("ec2").describe_instances(InstanceIds=[self.host])
        return str(answer["Reservations"][0]["Instances"][0]["State"]["Name"])

    def stop_host(self) -> None:
        """Put the instance to sleep."""
        self.client("ec2").stop_instances(InstanceIds=[self.host])

    def take_away(self, role: str, action: str) -> None:
        """Remove an action from the policy of a role.

        Args:
            role: the role's name in the template.
            action: the action.
        """
        policy = self.policy(role)
        kept = []
        for statement in policy["Statement"]:
            actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
            if left := [one for one in actions if one != action]:
                kept.append(statement | {"Action": left})
        assert kept != policy["Statement"], "the role has no such action"
        self.set_policy(role, policy | {"Statement": kept})

    def policy(self, role: str) -> dict[str, Any]:
        """The only policy of a role."""
        iam, name = self.client("iam"), self.resources()[role]
        (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
        found: dict[str, Any] = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        return found

    def set_policy(self, role: str, policy: Mapping[str, Any]) -> None:
        """Write the only policy of a role."""
        iam, name = self.client("iam"), self.resources()[role]
        (known,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
        iam.put_role_policy(RoleName=name, PolicyName=known, PolicyDocument=json.dumps(policy))

    def _described(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.client("cloudformation").describe_stacks(StackName=self.names.stack)["Stacks"][0]
        return found

    def _request(self, template: str | None, parameters: Mapping[str, str]) -> dict[str, Any]:
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in {**self.given, **parameters}.items()]
        return {
            "StackName": self.names.stack,
            "TemplateBody": template or template_for_ministack(),
            "Parameters": given,
            "Capabilities": ["CAPABILITY_IAM"],
        }


def new_stack(aws: MiniStack, name: str) -> EmulatedStack:
    """A stack that is not made yet, and a host for it, which is asleep."""
    (instance,) = aws.client("ec2").run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"]
    stack = EmulatedStack(aws, StackNames(name), instance["InstanceId"])
    stack.stop_host()
    return stack
