"""How jobs get into the account of a customer. It is kept in a parameter of our account, since it contains the external id."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from json import dumps
from typing import Any

from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # has no types
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from dockercise_prefect.aws.account import calling
from dockercise_prefect.aws.names import StackNames
from dockercise_prefect.errors import UsageError

FOLDER = "customers"
"""The folder of these parameters, below the stack of jobs."""


@with_config(ConfigDict(extra="ignore", strict=True))
@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerAccess:
    """The way into one customer's account.

    Attributes:
        role: the ARN of the customer's role.
        external_id: the text that its trust asks for.
        region: the region of the customer's stack.
        stack: the name of the customer's stack.
    """

    role: str
    external_id: str = field(repr=False)
    region: str
    stack: str

    def to_text(self) -> str:
        """The way as JSON. It contains the external id."""
        return dumps(asdict(self), separators=(",", ":"))


_ACCESSES = TypeAdapter(CustomerAccess)


def save_access(client: Any, jobs: StackNames, customer: str, access: CustomerAccess) -> None:
    """Store how jobs get into a customer's account, encrypted.

    Args:
        client: boto3's client for SSM, in our account.
        jobs: the names of the stack of jobs.

    Raises:
        StorageError: SSM does not answer.
    """
    name = jobs.parameter(FOLDER, customer)
    with calling(f"cannot write the parameter {name}", "ssm:PutParameter"):
        client.put_parameter(Name=name, Value=access.to_text(), Type="SecureString", Overwrite=True)


def needed_access(client: Any, jobs: StackNames, customer: str) -> CustomerAccess:
    """How jobs get into a customer's account.

    Args:
        client: boto3's client for SSM, in our account.
        jobs: the names of the stack of jobs.

    Raises:
        UsageError: the customer is not known, or its parameter cannot be read.
        StorageError: SSM does not answer.
    """
    name = jobs.parameter(FOLDER, customer)
    hint = f"`dockercise aws jobs admit {customer}` stores it"
    with calling(f"cannot read the parameter {name}", "ssm:GetParameter"):
        try:
            text = str(client.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                raise
            raise UsageError(f"the jobs do not know the customer {customer}", hint) from None
    try:
        return _ACCESSES.validate_json(text)
    except ValidationError:  # the exception contains the external id
        raise UsageError(f"the parameter {name} cannot be read", hint) from None
