"""The role of the door has the least with which it works: each action has a use. `test_emulated_stack` takes each away."""

from __future__ import annotations

from tests.aws.stack.permissions import Permission, calls_in, permissions_of

BY_THE_DOOR = {
    "sqs:SendMessage": "keep a push",
    "sqs:GetQueueAttributes": "see whether pushes wait",
    "s3:PutObject": "keep a push that does not fit into a message",
    "ec2:StartInstances": "wake the host",
    "ec2:StopInstances": "the dead man's switch",
    "ec2:DescribeInstances": "the dead man's switch: since when the host has been awake",
    "ssm:GetParametersByPath": "the secrets of the repositories",
    "ssm:GetParameters": "when a schedule is due, until when the host is wanted, when it last worked",
}
BY_LAMBDA = {"logs:CreateLogStream", "logs:PutLogEvents"}
"""What Lambda itself does with the function's role, to keep what the door prints."""


def test_each_action_has_a_use() -> None:
    """The role allows what the door and Lambda use, and nothing else."""
    assert {one.action for one in permissions_of("DoorRole")} == BY_THE_DOOR.keys() | BY_LAMBDA


def test_door_may_do_what_it_does() -> None:
    """The door makes the calls that the role allows, and no others."""
    assert calls_in("aws/stack/door.py", ("ec2", "s3", "sqs", "ssm")) == BY_THE_DOOR.keys()


def test_only_descriptions_are_allowed_anywhere() -> None:
    """All actions are allowed for resources of the stack alone, apart from one for which EC2 knows no resources."""
    assert [one for one in permissions_of("DoorRole") if one.anywhere] == [Permission("ec2:DescribeInstances", anywhere=True)]
