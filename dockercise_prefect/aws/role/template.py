"""The template of the customer's role, as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files

from dockercise_prefect.errors import UsageError

STACK = "access-for-dockercise"
"""The name of the stack, and of the role. It does not begin with `dockercise`, so the role cannot change its own stack."""

_PRINCIPAL = re.compile(r"arn:[\w-]+:iam::\d{12}:(user|role)/[\w+=,.@/-]+", re.ASCII)
_SESSION = re.compile(r"arn:(?P<partition>[\w-]+):sts::(?P<account>\d{12}):assumed-role/(?P<role>[\w+=,.@-]+)/.+", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{22,1224}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom the role trusts.

    Attributes:
        principals: the ARNs of users and roles. A whole account is never trusted.
        external_id: the text that they must name.

    Raises:
        UsageError: a principal is not the ARN of a user or a role, or the external id has another form.
    """

    principals: Sequence[str]
    external_id: str = field(repr=False)

    def __post_init__(self) -> None:
        for principal in self.principals:
            if not _PRINCIPAL.fullmatch(principal):
                hint = "give the ARN of a user or a role, such as arn:aws:iam::123456789012:role/ci"
                raise UsageError(f"`{principal}` is not the ARN of a user or a role", hint)
        if not self.principals:
            raise UsageError("the role would trust nobody", "name a user or a role with --principal")
        if not _EXTERNAL_ID.fullmatch(self.external_id):
            hint = "whoever runs dockercise for you makes it with `dockercise aws role new`"
            raise UsageError("this is not an external id that dockercise has made", hint)

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the template."""
        return {"Principals": ",".join(self.principals), "ExternalId": self.external_id}


def principal_of(caller: str) -> str:
    """The user or the role that a trust must name for a caller.

    Args:
        caller: the ARN that STS tells a caller. For a role, it names one session, which ends.

    Raises:
        UsageError: the caller is the root of its account, or somebody else whom a role should not trust.
    """
    session = _SESSION.fullmatch(caller)
    principal = f"arn:{session['partition']}:iam::{session['account']}:role/{session['role']}" if session else caller
    if not _PRINCIPAL.fullmatch(principal):
        raise UsageError(f"{caller} is neither a user nor a role", "name a user or a role with --principal")
    return principal


@dataclass(frozen=True, slots=True)
class Rules:
    """What a stack in the account of such a role must be made with.

    Attributes:
        service_role: the ARN of the role that CloudFormation uses for the stack.
        boundary: the ARN of the boundary of all roles in the stack.
    """

    service_role: str
    boundary: str


def rules_of(role: str) -> Rules | None:
    """What a stack must be made with, if we work with a role that this template has made; None for any other role.

    Args:
        role: the ARN of the role.
    """
    start, _, name = role.rpartition(":role/")
    return Rules(f"{role}-stacks", f"{start}:policy/{STACK}-boundary") if name == STACK else None


def template_text() -> str:
    """The template. Its parameters are `Principals` and `ExternalId`."""
    return files("dockercise_prefect.aws.role").joinpath("template.yaml").read_text(encoding="utf-8")


def template_for(trust: Trust) -> str:
    """The template with the trust as the defaults of its parameters, so that nothing has to be entered."""
    text = template_text()
    for name, value in trust.parameters.items():
        head = f"  {name}:\n"
        text = text.replace(head, f'{head}    Default: "{value}"\n', 1)
    return text
