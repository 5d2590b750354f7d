"""The template of the customer's role: whom it trusts, and what it allows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dockercise_prefect.aws.role.template import STACK, Rules, Trust, principal_of, rules_of, template_for, template_text
from dockercise_prefect.errors import UsageError
from tests.support.aws.cfn import actions, lint, read_template, statements, text_of

OURS = "arn:aws:iam::111111111111:role/ci"
EXTERNAL_ID = "kQ3v9sT1xW5zB7nM2pL4cR6d"

USES = {
    "cloudformation:CreateChangeSet": "`aws up` works out what it changes",
    "cloudformation:DeleteChangeSet": "`aws up` when nothing is to be done, or the user says no",
    "cloudformation:DeleteStack": "`aws down`",
    "cloudformation:DescribeChangeSet": "`aws up` shows what it changes",
    "cloudformation:DescribeStackEvents": "`aws up` shows each resource as it is made",
    "cloudformation:DescribeStacks": "every command; a job finds the host by its output",
    "cloudformation:ExecuteChangeSet": "`aws up` makes and changes stacks",
    "cloudformation:TagResource": "all resources have the tag that costs are counted by",
    "cloudwatch:GetMetricStatistics": "`aws status` counts hours awake",
    "ec2:DescribeInstanceTypeOfferings": "`aws up` chooses a zone",
    "ec2:DescribeInstanceTypes": "`aws up` chooses the image for the processor",
    "ec2:DescribeInstances": "every command that asks whether the host is awake; a job waits for it",
    "ec2:DescribeVolumes": "`aws down` says what the kept volume costs",
    "ec2:GetConsoleOutput": "`aws up` shows the first boot",
    "ec2:StartInstances": "`aws wake`; a job wakes the host",
    "ec2:StopInstances": "`aws sleep`",
    "iam:PassRole": "CloudFormation gets the role for stacks",
    "logs:CreateLogStream": "a job sends the logs of stages",
    "logs:FilterLogEvents": "`aws logs`",
    "logs:PutLogEvents": "a job sends the logs of stages",
    "s3:AbortMultipartUpload": "an upload that was interrupted leaves nothing",
    "s3:DeleteObject": "a long log replaces its parts",
    "s3:GetObject": "`aws results`, and a job reuses results",
    "s3:ListBucket": "`aws results` lists runs",
    "s3:PutObject": "a job stores results; `aws up` uploads the package",
    "sqs:GetQueueAttributes": "`aws status` counts what waits",
    "ssm:DeleteParameters": "`aws down` removes secrets; a job takes its key back",
    "ssm:GetParameter": "a job reads what belongs to the stack; `aws up` finds the newest image",
    "ssm:GetParametersByPath": "a job finds its repository",
    "ssm:PutParameter": "`aws up` stores secrets; `aws wake` and a job keep the host awake; a job offers its key",
    "ssm:StartSession": "`aws ui` and a job reach the host without an open port",
    "ssm:TerminateSession": "`aws ui` ends its session",
    "tag:GetResources": "`aws down` finds the bucket that it keeps",
}
"""Each action of the customer's role, and who uses it."""


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    """The template as a value."""
    return read_template(template_text())


def test_the_template_is_right(tmp_path: Path) -> None:
    """cfn-lint finds nothing, also in the template with the trust as defaults."""
    file = tmp_path / "role.yaml"
    file.write_text(template_for(Trust([OURS], EXTERNAL_ID)))

    assert lint(file) == ""


def test_a_fault_in_the_template_is_found(tmp_path: Path) -> None:
    """cfn-lint finds a role that does not exist, so its silence means something."""
    file = tmp_path / "role.yaml"
    file.write_text(template_text().replace("!GetAtt Stacks.Arn", "!GetAtt Stakcs.Arn", 1))

    assert "Stakcs" in lint(file)


def test_a_printed_template_needs_no_parameters() -> None:
    """What `print` prints has the principals and the external id as defaults."""
    made = read_template(template_for(Trust([OURS, f"{OURS}-jobs"], EXTERNAL_ID)))

    assert made["Parameters"]["Principals"]["Default"] == f"{OURS},{OURS}-jobs"
    assert made["Parameters"]["ExternalId"]["Default"] == EXTERNAL_ID


def test_the_role_trusts_the_principals_with_the_external_id_only(template: dict[str, Any]) -> None:
    """There is one way into the role: one of the principals names the external id."""
    [trust] = template["Resources"]["Access"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]

    assert trust == {
        "Effect": "Allow",
        "Principal": {"AWS": {"Ref": "Principals"}},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}},
    }


def test_each_action_has_a_use(template: dict[str, Any]) -> None:
    """The role has the actions that something uses, and no others."""
    assert actions(template, "Access") == set(USES)


def test_the_role_reaches_its_own_stack_by_no_statement(template: dict[str, Any]) -> None:
    """No pattern of a resource fits the roles, the boundary or the stack of this template, so nobody gives them more rights."""
    own = [template["Resources"][name]["Properties"].get("RoleName", STACK) for name in ("Access", "Stacks")]
    patterns = [
        text_of(resource)
        for role in ("Access", "Stacks")
        for statement in statements(template, role)
        for resource in (statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]])
        if not (isinstance(resource, dict) and "Fn::GetAtt" in resource) and resource != "*"
    ]

    assert own == [STACK, f"{STACK}-stacks"]
    assert patterns
    for pattern in patterns:
        kind = pattern.split(":")[2]
        assert kind not in {"iam", "cloudformation"} or "/dockercise" in pattern, pattern
        assert not pattern.endswith(("role/*", "policy/*", "stack/*")), pattern


def test_stacks_make_roles_only_within_the_boundary(template: dict[str, Any]) -> None:
    """Every action that gives a role rights asks for the boundary, and none takes a boundary away."""
    givers = {"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"}

    found = [statement for statement in statements(template, "Stacks") if givers & set(statement["Action"])]

    assert [statement["Condition"] for statement in found] == [
        {"StringEquals": {"iam:PermissionsBoundary": {"Ref": "Boundary"}}}
    ]
    assert givers <= set(found[0]["Action"])
    of_iam = {action for action in actions(template, "Stacks") if action.startswith(("iam:", "*"))}
    assert not of_iam & {"*", "iam:*", "iam:DeleteRolePermissionsBoundary", "iam:CreatePolicyVersion", "iam:CreateUser"}


def test_the_boundary_contains_no_way_to_more_rights(template: dict[str, Any]) -> None:
    """What the boundary allows includes neither roles nor keys nor other people's parameters."""
    services = {action.split(":")[0] for action in actions(template, "Boundary")}

    assert not services & {"iam", "sts", "cloudformation", "organizations", "*"}
    assert not {"ec2:RunInstances", "lambda:*", "s3:*", "ssm:*", "ssm:SendCommand"} & actions(template, "Boundary")


def test_the_policies_are_as_small_as_iam_wants_them(template: dict[str, Any]) -> None:
    """IAM takes 10,240 characters of a role's own policies and 6,144 of a managed one, without white space."""
    sizes = {
        name: len(text_of({"Fn::Sub": json.dumps([*statements(template, name)], separators=(",", ":"))}))
        for name in ("Access", "Stacks", "Boundary")
    }

    assert max(sizes["Access"], sizes["Stacks"]) < 10_240
    assert sizes["Boundary"] < 6_144


@pytest.mark.parametrize(
    ("principals", "external_id", "says"),
    [
        ([], EXTERNAL_ID, "would trust nobody"),
        (["111111111111"], EXTERNAL_ID, "`111111111111` is not the ARN"),
        (["arn:aws:iam::111111111111:root"], EXTERNAL_ID, "is not the ARN of a user or a role"),
        (["*"], EXTERNAL_ID, "is not the ARN of a user or a role"),
        ([OURS + '"\n    x: y'], EXTERNAL_ID, "is not the ARN of a user or a role"),
        ([OURS], "short", "not an external id"),
        ([OURS], "", "not an external id"),
    ],
)
def test_a_wide_or_wrong_trust_is_refused(principals: list[str], external_id: str, says: str) -> None:
    """A whole account, everybody, nobody, and an id that can be guessed are refused."""
    with pytest.raises(UsageError, match=says) as raised:
        Trust(principals, external_id)

    assert external_id == "" or external_id not in str(raised.value)


@pytest.mark.parametrize(
    ("caller", "principal"),
    [
        ("arn:aws:sts::111111111111:assumed-role/ci/session-1", OURS),
        ("arn:aws:iam::111111111111:user/team/ada", "arn:aws:iam::111111111111:user/team/ada"),
        ("arn:aws-cn:sts::111111111111:assumed-role/ci/x", "arn:aws-cn:iam::111111111111:role/ci"),
    ],
)
def test_the_principal_of_a_caller(caller: str, principal: str) -> None:
    """A session of a role is trusted by the ARN of its role, a user by its own."""
    assert principal_of(caller) == principal


def test_a_root_user_is_not_trusted() -> None:
    """The root of an account would stand for everybody in it."""
    with pytest.raises(UsageError, match="is neither a user nor a role"):
        principal_of("arn:aws:iam::111111111111:root")


def test_the_rules_of_a_role_name_what_the_template_makes(template: dict[str, Any]) -> None:
    """The ARNs that `aws up` passes on are those of the template's own service role and boundary."""
    made = {name: resource["Properties"] for name, resource in template["Resources"].items()}
    account = "arn:aws:iam::222222222222"

    rules = rules_of(f"{account}:role/{made['Access']['RoleName']}")

    service_role, boundary = made["Stacks"]["RoleName"], made["Boundary"]["ManagedPolicyName"]
    assert rules == Rules(f"{account}:role/{service_role}", f"{account}:policy/{boundary}")
    assert rules_of(f"{account}:role/admin") is None
