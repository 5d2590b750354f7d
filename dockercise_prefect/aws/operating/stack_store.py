"""Keeps connections of repositories in the parameters of a stack, from which the host registers them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from dockercise_prefect.aws.names import StackNames, repository_name
from dockercise_prefect.aws.operating.readiness import Readiness
from dockercise_prefect.aws.parameters import StackParameters
from dockercise_prefect.aws.report import RepositoryPhase
from dockercise_prefect.aws.repository import RepositoryOptions, StackRepository
from dockercise_prefect.connect.store import Connected, Secret
from dockercise_prefect.connect.undo import Undo
from dockercise_prefect.errors import UsageError


class RegistrationError(UsageError):
    """The host could not register a repository."""


class StackStore:
    """Keeps one connection in a stack. See `ConnectionStore` for the methods.

    The door needs only the secret of the webhook; the host needs everything, in one parameter. So the private key and the token
    are written when the repository is registered, and the parameter is changed once.

    Args:
        parameters: the parameters of the stack.
        names: the names of the stack.
        address: the https address of the repository.
        options: how to register it; None to keep the options that it has.
        readiness: waits for the host.
    """

    def __init__(
        self,
        parameters: StackParameters,
        names: StackNames,
        address: str,
        options: RepositoryOptions | None,
        readiness: Readiness,
    ) -> None:
        self.name = repository_name(address)
        self._parameters = parameters
        self._place = names.parameter("repositories", self.name)
        self._secret_place = names.parameter("secrets", self.name)
        self._address = address
        self._readiness = readiness
        found = next((one for one in parameters.repositories() if one.name == self.name), None)
        # What cannot be read is replaced: nobody could use it.
        self._before = found.repository if found is not None and isinstance(found.repository, StackRepository) else None
        self._version = found.version if found is not None else 0
        self._options = options or (self._before.options if self._before else RepositoryOptions())
        self._secrets = {
            Secret.KEY: self._before.deploy_key if self._before else None,
            Secret.WEBHOOK: parameters.secrets().get(self.name),
            Secret.TOKEN: self._before.statuses_token if self._before else None,
        }

    def place(self, secret: Secret) -> str:
        """The parameter of SSM."""
        return f"the stack's parameter {self._secret_place if secret is Secret.WEBHOOK else self._place}"

    def find(self, secret: Secret) -> str | None:
        """The secret as it is, or as it will be written."""
        return self._secrets[secret]

    def save(self, secret: Secret, text: str) -> None:
        """Keep a secret. The door can use that of the webhook at once."""
        self._secrets[secret] = text
        if secret is Secret.WEBHOOK:
            self._parameters.save_secret(self.name, text)

    def delete(self, secret: Secret) -> bool:
        """Forget a secret."""
        was_there = self._secrets[secret] is not None
        self._secrets[secret] = None
        if secret is Secret.WEBHOOK:
            return self._parameters.remove_secret(self.name)
        return was_there

    def is_current(self, repository: Connected) -> bool:
        """Whether the repository is stored exactly so already, and the host has not failed to register it."""
        if self._before != self._wished(repository):
            return False
        report = self._parameters.report()
        state = report.repositories.get(self.name) if report else None
        return state is None or (state.version == self._version and state.state is RepositoryPhase.READY)

    def register(self, repository: Connected, undo: Undo, tell: Callable[[str], None]) -> str:
        """Store the repository for the host, and wait until the host has registered it.

        Raises:
            RegistrationError: the host cannot read or compile the repository.
            HostFailedError: the host does not answer.
        """
        if not self._version:
            self._readiness.wait_until_forgotten(self.name)
        state = self._readiness.wait_for_repository(self.name, self.write(repository, undo, tell))
        if state.state is RepositoryPhase.FAILED:
            raise RegistrationError(f"the host cannot register {self._address}: {state.message or 'it does not say why'}")
        tell(f"the host has registered it as the deployment {state.deployment}")
        return str(state.deployment)

    def write(self, repository: Connected, undo: Undo, tell: Callable[[str], None]) -> int:
        """Store the repository for the host, and return the version of the parameter, which the host names when it is done."""
        before = self._before
        back = partial(self._parameters.save_repository, self.name, before) if before else self._remove
        undo.later(self.place(Secret.KEY), back)
        self._parameters.save_repository(self.name, self._wished(repository))
        tell(f"the host finds the repository in {self.place(Secret.KEY)}")
        return next(one.version for one in self._parameters.repositories() if one.name == self.name)

    def _remove(self) -> bool:
        return self._parameters.remove_repository(self.name)

    def _wished(self, repository: Connected) -> StackRepository:
        return StackRepository(
            url=repository.url,
            address=self._address,
            webhook_secret=self._secrets[Secret.WEBHOOK] or "",
            deploy_key=self._secrets[Secret.KEY],
            host_keys=repository.host_keys,
            statuses_token=self._secrets[Secret.TOKEN] if repository.sends_statuses else None,
            options=self._options,
        )
