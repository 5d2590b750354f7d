"""What the customer's role, and CloudFormation with its own role, may do with things that no stack of ours has made."""

from __future__ import annotations

from typing import Any

import pytest

from dockercise_prefect.aws.role.template import template_text
from tests.support.aws.cfn import read_template
from tests.support.aws.policy import permits

EC2 = "arn:aws:ec2:eu-west-1:222222222222"
OWNERLESS = "arn:aws:ec2:eu-west-1:"
STACK = "arn:aws:cloudformation:eu-west-1:222222222222:stack/dockercise/1a2b"


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    """The template as a value."""
    return read_template(template_text())


def test_a_tunnel_is_opened_and_no_shell(template: dict[str, Any]) -> None:
    """A session that names no document is a shell. AWS then asks for the document of shells only if the policy says so."""
    host = f"{EC2}:instance/i-1"
    tunnel, shell = (f"arn:aws:ssm:eu-west-1:{of}" for of in (":document/AWS-StartSSHSession", "2:document/SSM-SessionManager"))

    def starts(resource: str, **context: str) -> bool:
        return permits(template, "Access", "ssm:StartSession", resource, **context)

    assert starts(host, tag="dockercise", ssm__SessionDocumentAccessCheck="true")
    assert starts(tunnel, ssm__SessionDocumentAccessCheck="true")
    assert not starts(host, tag="dockercise", ssm__SessionDocumentAccessCheck="false")
    assert not starts(shell, ssm__SessionDocumentAccessCheck="true")
    assert not starts(host, ssm__SessionDocumentAccessCheck="true")


@pytest.mark.parametrize("action", ["cloudformation:CreateChangeSet", "cloudformation:DeleteStack"])
def test_a_stack_is_changed_only_with_the_role_for_stacks(template: dict[str, Any], action: str) -> None:
    """Without a role in the call, CloudFormation would use the one that the stack was made with: perhaps an administrator's."""
    other = "arn:aws:iam::222222222222:role/admin"

    assert permits(template, "Access", action, STACK, cloudformation__RoleArn="<Stacks.Arn>")
    assert not permits(template, "Access", action, STACK)
    assert not permits(template, "Access", action, STACK, cloudformation__RoleArn=other)


def test_nothing_of_the_customer_is_imported_into_a_stack(template: dict[str, Any]) -> None:
    """An imported machine would get the tag that opens it."""

    def proposes(**context: Any) -> bool:
        return permits(
            template, "Access", "cloudformation:CreateChangeSet", STACK, cloudformation__RoleArn="<Stacks.Arn>", **context
        )

    assert proposes()
    assert not proposes(cloudformation__ImportResourceTypes=["AWS::EC2::Instance"])


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("AssociateRouteTable", "subnet/subnet-1"),
        ("AttachInternetGateway", "vpc/vpc-1"),
        ("AuthorizeSecurityGroupIngress", "security-group/sg-1"),
        ("CreateLaunchTemplateVersion", "launch-template/lt-1"),
        ("CreateRoute", "route-table/rtb-1"),
        ("CreateRouteTable", "vpc/vpc-1"),
        ("CreateSecurityGroup", "vpc/vpc-1"),
        ("CreateSubnet", "vpc/vpc-1"),
        ("RunInstances", "launch-template/lt-1"),
        ("RunInstances", "security-group/sg-1"),
        ("RunInstances", "subnet/subnet-1"),
        ("TerminateInstances", "instance/i-1"),
    ],
)
def test_stacks_use_and_change_only_the_networks_and_machines_of_stacks(
    template: dict[str, Any], action: str, resource: str
) -> None:
    """A stack cannot open, reroute or enter a network of the customer; with its own things, it can do the same."""
    allowed = permits(template, "Stacks", f"ec2:{action}", f"{EC2}:{resource}", tag="dockercise")
    theirs = permits(template, "Stacks", f"ec2:{action}", f"{EC2}:{resource}")

    assert (allowed, theirs) == (True, False)


def test_stacks_read_no_disk_of_the_customer(template: dict[str, Any]) -> None:
    """New volumes are empty, and machines start from public images."""
    volume, snapshot, image = f"{EC2}:volume/*", f"{OWNERLESS}:snapshot/snap-1", f"{OWNERLESS}:image/ami-1"

    assert permits(template, "Stacks", "ec2:CreateVolume", volume)
    assert not permits(template, "Stacks", "ec2:CreateVolume", volume, ec2__ParentSnapshot=snapshot)
    assert not permits(template, "Stacks", "ec2:CreateVolume", snapshot)
    assert not permits(template, "Stacks", "ec2:RunInstances", snapshot)
    assert permits(template, "Stacks", "ec2:RunInstances", image, ec2__Public="true")
    assert not permits(template, "Stacks", "ec2:RunInstances", image, ec2__Public="false")


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("CreateRouteTable", "route-table"),
        ("CreateSecurityGroup", "security-group"),
        ("CreateSubnet", "subnet"),
        ("CreateVpc", "vpc"),
        ("RunInstances", "instance"),
        ("RunInstances", "network-interface"),
        ("RunInstances", "volume"),
    ],
)
def test_what_a_stack_makes_needs_no_tag_yet(template: dict[str, Any], action: str, kind: str) -> None:
    """IAM asks for the new thing too, which has no tag before it exists."""
    assert permits(template, "Stacks", f"ec2:{action}", f"{EC2}:{kind}/*")
