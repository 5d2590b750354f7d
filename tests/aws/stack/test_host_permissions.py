"""The host's role has the least with which the host works: each action has a use."""

from __future__ import annotations

import pytest
from botocore import xform_name  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.stack import rendering
from dockercise_prefect.aws.stack.rendering import template
from tests.aws.stack.permissions import PACKAGE, calls_in, names_in, permissions_of
from tests.support.aws.cfn import read_template

USERS = {
    "sqs:ReceiveMessage": "host",
    "sqs:DeleteMessage": "host",
    "sqs:ChangeMessageVisibility": "host",
    "sqs:GetQueueAttributes": "host",
    "sqs:SendMessage": "host",
    "s3:PutObject": "results/places",
    "s3:AbortMultipartUpload": "results/places",
    "s3:GetObject": "host",
    "s3:ListBucket": "host",
    "logs:CreateLogStream": "results/record",
    "logs:PutLogEvents": "results/record",
    "ssm:GetParameter": "aws/parameters.py",
    "ssm:GetParametersByPath": "aws/parameters.py",
    "ssm:PutParameter": "aws/parameters.py",
    "ec2:AttachVolume": "host",
    "cloudwatch:PutMetricData": "host",
}
"""Who uses an action: a room or a module of the package."""

CALLS = {"s3:ListBucket": "list_objects_v2"}
"""The calls whose names differ from their actions."""

LISTING = {"s3:ListObjectsV2"}
"""What `s3:ListBucket` allows."""

BY_THE_AGENT = {
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}
"""What the agent of Session Manager does (AWS's documentation of its permissions). It knows no resources."""


def test_each_action_has_a_use() -> None:
    """The role allows what the host and the agent use, and nothing else."""
    assert {one.action for one in permissions_of("HostRole")} == USERS.keys() | BY_THE_AGENT


@pytest.mark.parametrize("action", USERS)
def test_host_calls_what_it_may(action: str) -> None:
    """The host makes the call that an action allows."""
    call = CALLS.get(action) or xform_name(action.partition(":")[2])

    assert call in names_in(USERS[action])


def test_host_calls_nothing_else() -> None:
    """Every call in the host's own code is one that its role allows."""
    assert calls_in("host", ("cloudwatch", "ec2", "logs", "s3", "sqs", "ssm")) <= USERS.keys() | LISTING


def test_keys_of_jobs_are_read_only_where_jobs_come_in() -> None:
    """The folder with the keys of jobs is within the role's reach only if the stack lets jobs in."""
    policies = read_template(template())["Resources"]["HostRole"]["Properties"]["Policies"]
    places = [
        place for one in policies[0]["PolicyDocument"]["Statement"] if "Folders" in one["Sid"] for place in one["Resource"]
    ]

    conditional = [place["Fn::If"] for place in places if "Fn::If" in place]

    assert [(name, otherwise) for name, _, otherwise in conditional] == [("HasJobs", {"Ref": "AWS::NoValue"})] * 2
    assert [place for place in places if "job-keys" in str(place)] == [{"Fn::If": one} for one in conditional]


def test_agent_is_installed() -> None:
    """The first boot installs the agent that has permissions."""
    assert "amazon-ssm-agent" in (PACKAGE / "aws/stack/user_data.sh").read_text(encoding="utf-8")
    assert "user_data.sh" in rendering.PARTS


def test_only_sessions_are_allowed_anywhere() -> None:
    """All other actions are allowed for resources of the stack alone, or under a condition."""
    assert {one.action for one in permissions_of("HostRole") if one.anywhere} == BY_THE_AGENT
