"""The boundary of the customer's account against the roles of a real stack: nothing that they need is missing."""

from __future__ import annotations

from typing import Any

import pytest

from dockercise_prefect.aws.role.template import template_text
from dockercise_prefect.aws.stack.rendering import template
from tests.support.aws.cfn import actions, allows, read_template

pytestmark = pytest.mark.docker  # for the server


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    """The template of a stack."""
    return read_template(template())


def test_the_boundary_allows_what_the_roles_of_a_stack_need(stack: dict[str, Any]) -> None:
    """Every action of every role in the stack's template is within the boundary."""
    access = read_template(template_text())
    roles = [name for name, resource in stack["Resources"].items() if resource["Type"] == "AWS::IAM::Role"]

    missing = {(role, action) for role in roles for action in actions(stack, role) if not allows(access, "Boundary", action)}

    assert len(roles) >= 2
    assert missing == set()


def test_all_roles_of_a_stack_can_have_the_boundary(stack: dict[str, Any]) -> None:
    """CloudFormation's role makes no role without the boundary, so the template has a parameter that sets it for each."""
    roles = {name: resource for name, resource in stack["Resources"].items() if resource["Type"] == "AWS::IAM::Role"}

    without = [name for name, role in roles.items() if "RoleBoundary" not in str(role["Properties"].get("PermissionsBoundary"))]

    assert without == []


def test_the_services_of_a_stack_are_allowed(stack: dict[str, Any]) -> None:
    """CloudFormation's role may use the service of each resource in the stack's template."""
    access = read_template(template_text())
    services = {resource["Type"].split("::")[1].lower() for resource in stack["Resources"].values()}
    known = {action.split(":")[0] for action in actions(access, "Stacks")}

    assert services - known == set()
