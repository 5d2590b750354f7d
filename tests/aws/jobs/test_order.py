"""Orders of jobs, and what tells a job how to get into a customer's account."""

from __future__ import annotations

import pytest

from dockercise_prefect.aws.jobs.customer_access import CustomerAccess, needed_access, save_access
from dockercise_prefect.aws.jobs.order import ORDER_VARIABLE, Order, order_of
from dockercise_prefect.aws.names import StackNames
from dockercise_prefect.errors import UsageError
from tests.support.aws.moto import Aws

JOBS = StackNames("dockercise-jobs")
ACCESS = CustomerAccess(
    role="arn:aws:iam::222222222222:role/access-for-dockercise", external_id="secret-7Q", region="eu-west-1", stack="dockercise"
)
ORDER = Order(customer="acme", repository="acme-infra-1a2b3c4d", commit="a" * 40, branch="main", before="b" * 40)


def test_an_order_is_read_again() -> None:
    """What the door writes is what the task reads."""
    assert order_of({ORDER_VARIABLE: ORDER.to_text()}) == ORDER


def test_an_order_of_a_newer_door_is_read() -> None:
    """Fields that this version does not know are ignored."""
    text = ORDER.to_text().replace("{", '{"attempt": 2, ', 1)

    assert order_of({ORDER_VARIABLE: text}) == ORDER


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no order"),
        ("{", "cannot be read"),
        ('{"customer": "acme", "commit": "a"}', "repository: Field required"),
        ('{"customer": 1, "repository": "r", "commit": "a"}', "customer: Input should be a valid string"),
    ],
)
def test_a_wrong_order_is_explained(text: str, says: str) -> None:
    """An order that cannot be read names its variable and what is wrong."""
    with pytest.raises(UsageError, match=f"(?s){says}") as raised:
        order_of({ORDER_VARIABLE: text})

    assert ORDER_VARIABLE in str(raised.value)


@pytest.mark.docker
def test_the_way_into_an_account_is_encrypted(aws: Aws) -> None:
    """The parameter is a SecureString, is read again, and the external id is in no text that is shown."""
    client = aws.client("ssm")
    save_access(client, JOBS, "acme", ACCESS)

    kept = client.get_parameter(Name="/dockercise/dockercise-jobs/customers/acme")["Parameter"]

    assert kept["Type"] == "SecureString"
    assert needed_access(client, JOBS, "acme") == ACCESS
    assert "secret-7Q" not in repr(ACCESS)


@pytest.mark.docker
def test_an_unknown_customer_is_refused(aws: Aws) -> None:
    """The error says how a customer becomes known."""
    with pytest.raises(UsageError, match="the jobs do not know the customer acme") as raised:
        needed_access(aws.client("ssm"), JOBS, "acme")

    assert raised.value.hint == "`dockercise aws jobs admit acme` stores it"


@pytest.mark.docker
def test_a_damaged_parameter_is_not_shown(aws: Aws) -> None:
    """The error contains no part of the parameter, which has the external id."""
    client = aws.client("ssm")
    save_access(client, JOBS, "acme", ACCESS)
    name = "/dockercise/dockercise-jobs/customers/acme"
    client.put_parameter(Name=name, Value='{"external_id": "secret-7Q"}', Type="SecureString", Overwrite=True)

    with pytest.raises(UsageError, match="cannot be read") as raised:
        needed_access(client, JOBS, "acme")

    assert "secret-7Q" not in str(raised.value)
    assert raised.value.__cause__ is None
