"""Keeps Prefect's deployments as the parameters of the stack say: registers, registers again, and removes."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from dockercise_prefect.aws.parameters import RepositoryParameter
from dockercise_prefect.aws.report import RepositoryPhase, RepositoryState
from dockercise_prefect.aws.repository import StackRepository
from dockercise_prefect.errors import DockerciseError, OrchestratorError
from dockercise_prefect.orchestration.prefect.secret_blocks import delete_secret, save_secret
from dockercise_prefect.orchestration.registrations.deployments import Deployed, deployments, remove
from dockercise_prefect.orchestration.registrations.register import RegisterRequest, look, register
from dockercise_prefect.orchestration.registrations.registration import Registration
from dockercise_prefect.orchestration.registrations.timetable import Timetable
from dockercise_prefect.repository.address import parse_address
from dockercise_prefect.repository.branches import check_globs
from dockercise_prefect.results.places.files import make_folder, storing, write_json
from dockercise_prefect.settings import Settings

FILE = Path("host", "registrations.json")
"""Which version of each repository is registered, below the data folder."""

_STATES = TypeAdapter(dict[str, RepositoryState])


@dataclass(frozen=True, slots=True)
class Blocks:
    """The names of the Secret blocks of one repository in Prefect.

    Args:
        stack: the name of the stack.
        name: the name of the repository's parameter.
    """

    stack: str
    name: str

    @staticmethod
    def prefix(stack: str) -> str:
        """The beginning of the names of all blocks of a stack. `connect` makes no such names, nor does another stack."""
        return f"dockercise-{hashlib.sha256(stack.encode()).hexdigest()[:8]}-"

    @property
    def _start(self) -> str:
        return self.prefix(self.stack) + re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    @property
    def key(self) -> str:
        """The block with the deploy key."""
        return f"{self._start}-key"

    @property
    def webhook(self) -> str:
        """The block with the secret of the webhook. Every deployment of the repository names it."""
        return f"{self._start}-webhook"

    @property
    def token(self) -> str:
        """The block with the token for commit statuses."""
        return f"{self._start}-token"


class Registrations:
    """Compares the parameters of a stack with Prefect, and makes Prefect like them. Thread-safe.

    Args:
        stack: the name of the stack.
        read: reads the parameters; raises `StorageError`.
        settings: the settings of this machine.
        say: called with a line for each change.
    """

    def __init__(
        self,
        stack: str,
        read: Callable[[], Sequence[RepositoryParameter]],
        settings: Settings,
        say: Callable[[str], None],
    ) -> None:
        self._stack = stack
        self._read = read
        self._settings = settings
        self._say = say
        self._lock = threading.Lock()
        self._file = settings.data / FILE
        self._states: dict[str, RepositoryState] = _remembered(self._file)
        self._versions: dict[str, int] | None = None
        self._names: Mapping[str, str] = {}

    @property
    def states(self) -> Mapping[str, RepositoryState]:
        """The state of each repository, by the name of its parameter. Those that changed last are the last ones."""
        return dict(self._states)

    @property
    def names(self) -> Mapping[str, str]:
        """The names of the deployments, by their ids."""
        return self._names

    def untried(self) -> int:
        """How many repositories this process has not yet tried to register.

        Raises:
            OrchestratorError: the parameters were never compared with Prefect.
        """
        if self._versions is None:
            raise OrchestratorError("the repositories of the stack have not been registered yet")
        states = self._states
        return sum(name not in states or states[name].version != version for name, version in self._versions.items())

    def all_ready(self) -> bool:
        """Whether every repository of the stack is registered."""
        ready = {name: one.version for name, one in self._states.items() if one.state is RepositoryPhase.READY}
        return self._versions is not None and ready == self._versions

    def reconcile(self) -> None:
        """Register what is new, has changed or has failed, and remove what is gone.

        A repository that cannot be registered keeps no other from being registered. It is tried again by the next call.

        Raises:
            StorageError: the parameters cannot be read, or the data folder cannot be written.
            OrchestratorError: Prefect does not answer.
        """
        with self._lock:
            wanted = self._read()
            self._versions = {one.name: one.version for one in wanted}
            there = self._deployments()
            for one in wanted:
                blocks = Blocks(self._stack, one.name)
                if not self._is_done(one, there.get(blocks.webhook, [])):
                    self._keep(one.name, self._registered(one, blocks))
            self._remove_gone({one.name for one in wanted})
            self._names = {one.id: one.name for found in self._deployments().values() for one in found}

    def _is_done(self, one: RepositoryParameter, there: Sequence[Deployed]) -> bool:
        state = self._states.get(one.name)
        if state is None or state.version != one.version or state.state is not RepositoryPhase.READY:
            return False
        return [found.name for found in there] == [state.deployment]

    def _registered(self, one: RepositoryParameter, blocks: Blocks) -> RepositoryState:
        try:
            if isinstance(one.repository, DockerciseError):
                raise one.repository
            deployment = self._register(one.repository, blocks)
        except OrchestratorError:
            raise
        except DockerciseError as error:
            message = error.message.partition("\n")[0]
            before = self._states.get(one.name)
            if before is None or before.message != message:
                self._say(f"{one.name} cannot be registered: {message}")
            return RepositoryState(one.version, RepositoryPhase.FAILED, before.deployment if before else None, message)
        self._say(f"{one.name} is registered as {deployment}")
        return RepositoryState(one.version, RepositoryPhase.READY, deployment)

    def _register(self, repository: StackRepository, blocks: Blocks) -> str:
        request = _request(repository, blocks)
        for block, secret in (
            (blocks.key, repository.deploy_key),
            (blocks.webhook, repository.webhook_secret),
            (blocks.token, repository.statuses_token),
        ):
            if secret is not None:
                save_secret(block, secret)
        deployed, _ = register(request, look(request, self._settings, self._say))
        for other in self._deployments().get(blocks.webhook, []):
            if other.id != deployed.id:  # its pipeline had another name
                remove(other)
        if repository.statuses_token is None:
            delete_secret(blocks.token)
        if repository.deploy_key is None:
            delete_secret(blocks.key)
        return deployed.name

    def _remove_gone(self, wanted: set[str]) -> None:
        kept = {Blocks(self._stack, name).webhook for name in wanted}
        for block, found in self._deployments().items():
            if block not in kept:
                for one in found:
                    remove(one)
                    self._say(f"{one.name} is not registered any more")
        for name in [name for name in self._states if name not in wanted]:
            blocks = Blocks(self._stack, name)
            for block in (blocks.key, blocks.webhook, blocks.token):
                delete_secret(block)
            del self._states[name]
            self._save()

    def _deployments(self) -> dict[str, list[Deployed]]:
        """The deployments of this stack, by the Secret block of their webhook."""
        found: dict[str, list[Deployed]] = {}
        for one in deployments():
            block = one.registration.webhook_secret or ""
            if block.startswith(Blocks.prefix(self._stack)):
                found.setdefault(block, []).append(one)
        return found

    def _keep(self, name: str, state: RepositoryState) -> None:
        before = self._states.get(name)
        if before is None or (before.version, before.state) != (state.version, state.state):
            others = {other: one for other, one in self._states.items() if other != name}
            self._states = {**others, name: state}
        else:
            self._states[name] = state
        self._save()

    def _save(self) -> None:
        with storing(self._file.parent):
            make_folder(self._file.parent)
            write_json(self._file, _STATES.dump_python(self._states, mode="json"))


def _request(repository: StackRepository, blocks: Blocks) -> RegisterRequest:
    """The request of a repository.

    Raises:
        UsageError: an option is wrong.
    """
    options = repository.options
    check_globs(options.branches, "--push-branch", "branch")
    check_globs(options.tags, "--push-tag", "tag")
    timetable = Timetable(options.crons, options.intervals, options.rrules, options.timezone)
    timetable.schedules()  # report a wrong timetable before any other work
    return RegisterRequest(
        registration=Registration(
            url=parse_address(repository.url, Path("/")).url,
            ref=options.ref,
            credentials=blocks.key if repository.deploy_key is not None else None,
            host_keys=repository.host_keys,
            secrets=options.secrets,
            submodules=options.submodules,
            lfs=options.lfs,
            untrusted=options.untrusted,
            pushed_as=parse_address(repository.address, Path("/")).url,
            branches=options.branches,
            tags=options.tags,
            webhook_secret=blocks.webhook,
            statuses=blocks.token if repository.statuses_token is not None else None,
        ),
        name=options.name,
        timetable=timetable,
        targets=options.targets,
        env=options.env,
        results=options.results,
        concurrency=options.concurrency,
        skip_overlapping=options.skip_overlapping,
        paused=options.paused,
        unscheduled=True,  # the parameter says all of it: schedules that it does not name are removed
    )


def _remembered(file: Path) -> dict[str, RepositoryState]:
    """What was registered when the host was awake last; nothing if that is not known. Then all is registered again."""
    try:
        return _STATES.validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return {}
