"""Lets the pushes of a customer start jobs."""

from __future__ import annotations

from collections.abc import Sequence

from dockercise_prefect.aws.account import Account
from dockercise_prefect.aws.jobs.customer_access import CustomerAccess, save_access
from dockercise_prefect.aws.names import StackNames
from dockercise_prefect.aws.parameters import StackParameters
from dockercise_prefect.errors import UsageError


def admit_customer(ours: Account, theirs: Account, jobs: StackNames, customer: str, access: CustomerAccess) -> Sequence[str]:
    """Store what the door and the tasks need for a customer. Return the names of the customer's repositories.

    The customer's account is read first, so nothing is stored if its role does not let us in.

    Args:
        ours: our account.
        theirs: the customer's account, with the rights of the customer's role.
        jobs: the names of the stack of jobs.
        customer: the name of the customer.
        access: how jobs get into the customer's account.

    Raises:
        UsageError: the customer's stack has no repository.
        StorageError: AWS does not answer, or refuses.
    """
    secrets = StackParameters(theirs.client("ssm"), StackNames(access.stack)).secrets()
    if not secrets:
        hint = "the customer connects one with `dockercise aws up OWNER/REPO`"
        raise UsageError(f"the stack {access.stack} of {customer} in {access.region} has no repository", hint)
    client = ours.client("ssm")
    save_access(client, jobs, customer, access)
    parameters = StackParameters(client, jobs)
    for name, secret in secrets.items():
        # No customer's name has a dot, so the door finds both names in this one.
        parameters.save_secret(f"{customer}.{name}", secret)
    for name in parameters.secrets():
        if name.startswith(f"{customer}.") and name.removeprefix(f"{customer}.") not in secrets:
            parameters.remove_secret(name)
    return sorted(secrets)
