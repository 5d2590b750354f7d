"""One job: from its order to the engine of the customer's host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from dockercise_prefect.aws.account import Access, Account
from dockercise_prefect.aws.jobs.customer_access import CustomerAccess, needed_access
from dockercise_prefect.aws.jobs.order import Order
from dockercise_prefect.aws.jobs.tunnel import host_engine
from dockercise_prefect.aws.kept_awake import kept_awake
from dockercise_prefect.aws.names import StackNames, results_place
from dockercise_prefect.aws.operating.deployed import find_stack
from dockercise_prefect.aws.parameters import HostConfig, StackParameters
from dockercise_prefect.aws.repository import StackRepository
from dockercise_prefect.errors import StorageError, UsageError
from dockercise_prefect.settings import Settings

_OF_OUR_PREFECT = ("PREFECT_API_", "PREFECT_CLIENT_")
"""How the names of variables begin that say where our Prefect is, and how to log in there."""

_LOGIN_TO_PREFECT = {"PREFECT_API_KEY", "PREFECT_API_AUTH_STRING"}
"""The variables of the customer that a job takes."""


@dataclass(frozen=True, slots=True)
class Job:
    """An order, and what belongs to it in the customer's account.

    Attributes:
        access: the way into the account.
        account: the account, with the rights of the customer's role.
        parameters: of the customer's stack.
        host: what the stack says about its host.
        repository: the repository, with the key that opens it.
    """

    order: Order
    access: CustomerAccess
    account: Account
    parameters: StackParameters
    host: HostConfig
    repository: StackRepository

    @property
    def variables(self) -> dict[str, str]:
        """The variables that the customer's pipeline finds, instead of ours: it could read each of them by its name."""
        return {"AWS_DEFAULT_REGION": self.access.region}

    def environment(self, ours: Mapping[str, str]) -> dict[str, str]:
        """The variables of the process of the run: the customer's region, and the customer's own Prefect if there is one.

        Args:
            ours: the variables of this process. What it knows of our Prefect is left out: the customer's Prefect must not get
                our key, and the customer's pipeline must not read the Secret blocks of our Prefect.
        """
        kept = {name: text for name, text in ours.items() if not name.startswith(_OF_OUR_PREFECT)}
        made = {**kept, **self.variables}
        if self.host.prefect_api_url:
            made["PREFECT_API_URL"] = self.host.prefect_api_url
            # Another variable of the customer, such as GIT_SSH_COMMAND, could start a program with our rights.
            made |= {name: text for name, text in self.parameters.prefect().items() if name in _LOGIN_TO_PREFECT}
        return made

    def settings(self, settings: Settings) -> Settings:
        """The settings of this machine, with results and logs in the customer's account, and limits as on the host itself."""
        return replace(
            settings,
            results=results_place(self.host.bucket),
            log_group=self.host.log_group,
            aws_role=self.access.role,
            aws_external_id=self.access.external_id,
            guard_host=True,  # the host has credentials of its own
            untrusted=settings.untrusted or self.repository.options.untrusted,
        )

    @contextmanager
    def engine(self, notify: Callable[[str], None]) -> Iterator[str]:
        """Wake the host and keep it awake, and give the address of its engine, for `DOCKER_HOST`.

        Args:
            notify: called with a message about what is waited for.

        Raises:
            EngineError: the host cannot be reached.
            StorageError: AWS does not answer, or refuses.
        """
        instance = _host_of(self.account.client("cloudformation"), self.access.stack)
        with (
            kept_awake(self.parameters, notify),
            host_engine(self.account.client, StackNames(self.access.stack), instance, notify) as address,
        ):
            yield address


def open_job(order: Order, ours: Account, jobs: StackNames) -> Job:
    """Look up what an order needs.

    Args:
        ours: our account.
        jobs: the names of the stack of jobs.

    Raises:
        UsageError: the customer, its stack or its repository is not known.
        StorageError: AWS does not answer, or refuses.
    """
    access = needed_access(ours.client("ssm"), jobs, order.customer)
    account = Account(Access(region=access.region, role=access.role, external_id=access.external_id))
    parameters = StackParameters(account.client("ssm"), StackNames(access.stack))
    host = parameters.host()
    if host is None:
        raise UsageError(f"{order.customer} has no stack {access.stack} in {access.region}", "`dockercise aws up` makes one")
    if not host.jobs:
        hint = "`dockercise aws up --jobs` lets them in, as soon as the host starts next"
        raise UsageError(f"the stack {access.stack} of {order.customer} lets no jobs in", hint)
    found = next((one.repository for one in parameters.repositories() if one.name == order.repository), None)
    if found is None:
        hint = "`dockercise aws up` connects it"
        raise UsageError(f"the stack {access.stack} of {order.customer} has no repository {order.repository}", hint)
    if isinstance(found, UsageError):
        raise found
    return Job(order, access, account, parameters, host, found)


def _host_of(client: Any, stack: str) -> str:
    """The id of the host's instance."""
    found = find_stack(client, stack)
    if found is None or not found.output("HostId"):
        raise StorageError(f"the stack {stack} has no host", "`dockercise aws up` makes it")
    return found.output("HostId")
