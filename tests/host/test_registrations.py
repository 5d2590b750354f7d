"""Deployments in Prefect follow the parameters of the stack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

import pytest

from dockercise_prefect.aws.parameters import RepositoryParameter
from dockercise_prefect.aws.report import RepositoryPhase, RepositoryState
from dockercise_prefect.aws.repository import RepositoryOptions, StackRepository
from dockercise_prefect.errors import OrchestratorError, UsageError
from dockercise_prefect.host.registrations import FILE, Blocks, Registrations
from dockercise_prefect.settings import read_settings
from tests.support.hosts.git_repository import commit_all, make_repository

pytestmark = pytest.mark.docker

PIPELINE = "build: {img: busybox, run: echo built}\n"


@dataclass
class Host:
    """The registrations of a stack's host, whose parameters the test sets.

    Attributes:
        stack: the name of the stack, new for each test.
        parameters: the parameters.
        log: what was said.
    """

    folder: Path
    stack: str = field(default_factory=lambda: f"dockercise-{uuid4().hex[:8]}")
    parameters: list[RepositoryParameter] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def started(self) -> Registrations:
        """The registrations in a process that has just started."""
        settings = read_settings(data=str(self.folder / "data"))
        return Registrations(self.stack, lambda: list(self.parameters), settings, self.log.append)

    def repository(self, **options: object) -> StackRepository:
        """A repository with one commit, whose pipeline is named as the stack, so that no other test has the same."""
        path = self.folder / self.stack
        if not path.exists():
            make_repository(path, {"a.dockercise.yaml": PIPELINE}, branch="main")
        return StackRepository(
            url=path.as_uri(),
            address="https://github.com/acme/infra",
            webhook_secret="wh-secret",
            options=RepositoryOptions(**options),  # type: ignore[arg-type]  # the options of the test
        )

    def deployed(self) -> list[str]:
        """The names of the stack's deployments in Prefect."""
        from dockercise_prefect.orchestration.registrations.deployments import deployments

        prefix = Blocks.prefix(self.stack)
        return [one.name for one in deployments() if (one.registration.webhook_secret or "").startswith(prefix)]


@pytest.fixture
def host(prefect_api: str, tmp_path: Path) -> Iterator[Host]:
    """A host whose deployments are removed at the end."""
    made = Host(tmp_path)
    yield made
    made.parameters.clear()
    made.started().reconcile()


def secret(block: str) -> str | None:
    """The content of a Secret block."""
    from dockercise_prefect.orchestration.prefect.secret_blocks import find_secret

    return find_secret(block)


def test_a_parameter_becomes_a_deployment(host: Host) -> None:
    """A repository is registered with its options, its secrets are in Secret blocks, and pushes of its address start it."""
    from dockercise_prefect.orchestration.registrations.deployments import find_registration

    options = {"branches": ("main", "release/*"), "crons": ("0 3 * * *",), "name": "nightly", "env": {"A": "b"}}
    repository = replace(host.repository(**options), statuses_token="st-token")
    host.parameters = [RepositoryParameter("acme-infra-1", 4, repository)]
    registrations = host.started()

    registrations.reconcile()

    name = f"{host.stack}/nightly"
    blocks = Blocks(host.stack, "acme-infra-1")
    assert registrations.states == {"acme-infra-1": RepositoryState(4, RepositoryPhase.READY, name)}
    assert host.deployed() == [name]
    assert registrations.all_ready()
    assert registrations.untried() == 0
    deployed = find_registration(name)
    assert registrations.names == {deployed.id: name}
    registration = deployed.registration  # type: ignore[union-attr]  # it can be read
    assert registration.pushed_as == "https://github.com/acme/infra"
    assert registration.branches == ("main", "release/*")
    assert (secret(blocks.webhook), secret(blocks.token), secret(blocks.key)) == ("wh-secret", "st-token", None)
    assert "0 3 * * *" in deployed.schedules  # type: ignore[union-attr]  # it can be read
    assert not [line for line in host.log if "wh-secret" in line or "st-token" in line]


def test_what_is_registered_is_left_alone(host: Host) -> None:
    """The same parameter again does nothing, in this process and in the next one: the repository is not even read."""
    host.parameters = [RepositoryParameter("acme-infra-1", 1, host.repository())]
    first = host.started()
    first.reconcile()
    (host.folder / host.stack).rename(host.folder / "away")

    first.reconcile()
    second = host.started()
    second.reconcile()

    assert second.states == first.states
    assert second.all_ready()
    assert host.log == [f"acme-infra-1 is registered as {host.stack}/{host.stack}"]


def test_a_changed_parameter_is_registered_again(host: Host) -> None:
    """Another version with another name and without schedules replaces the deployment."""
    host.parameters = [RepositoryParameter("acme-infra-1", 1, host.repository(crons=("0 3 * * *",)))]
    registrations = host.started()
    registrations.reconcile()
    host.parameters = [RepositoryParameter("acme-infra-1", 2, replace(host.repository(name="new"), webhook_secret="other"))]

    registrations.reconcile()

    assert host.deployed() == [f"{host.stack}/new"]
    assert secret(Blocks(host.stack, "acme-infra-1").webhook) == "other"


def test_a_parameter_that_is_gone_takes_all_with_it(host: Host) -> None:
    """When a parameter is removed, its deployment and its Secret blocks are removed too."""
    host.parameters = [RepositoryParameter("acme-infra-1", 1, host.repository())]
    host.started().reconcile()
    host.parameters = []
    registrations = host.started()

    registrations.reconcile()

    assert host.deployed() == []
    assert secret(Blocks(host.stack, "acme-infra-1").webhook) is None
    assert registrations.states == {}
    assert host.started().states == {}


def test_a_deployment_that_somebody_removed_comes_back(host: Host) -> None:
    """If Prefect has lost a deployment, it is registered again, although the parameter has not changed."""
    from dockercise_prefect.orchestration.registrations.deployments import find_registration, remove

    host.parameters = [RepositoryParameter("acme-infra-1", 1, host.repository())]
    registrations = host.started()
    registrations.reconcile()
    remove(find_registration(host.deployed()[0]))

    registrations.reconcile()

    assert host.deployed() == [f"{host.stack}/{host.stack}"]


def test_a_wrong_repository_keeps_no_other_away_and_is_tried_again(host: Host) -> None:
    """Repositories that cannot be read are reported, once each; the others are registered; a fix is found by the next try.

    What changed last is the last one of the states.
    """
    good = host.repository()
    bad = make_repository(host.folder / "bad", {"a.dockercise.yaml": "build: {image: x}\n"}, branch="main")
    host.parameters = [
        RepositoryParameter("a-unreadable", 1, UsageError("the parameter repositories/a-unreadable cannot be read", "fix it")),
        RepositoryParameter("b-broken", 1, replace(good, url=bad.as_uri(), options=RepositoryOptions(name="b"))),
        RepositoryParameter("c-good", 1, good),
    ]
    registrations = host.started()

    registrations.reconcile()
    registrations.reconcile()

    states = registrations.states
    assert [states[name].state for name in ("a-unreadable", "b-broken", "c-good")] == ["failed", "failed", "ready"]
    assert (states["b-broken"].message or "").startswith("a.dockercise.yaml:1:9: DK021")
    assert [line for line in host.log if "cannot be registered" in line] == [
        "a-unreadable cannot be registered: the parameter repositories/a-unreadable cannot be read",
        f"b-broken cannot be registered: {states['b-broken'].message}",
    ]
    assert not registrations.all_ready()
    assert registrations.untried() == 0

    (bad / "a.dockercise.yaml").write_text(PIPELINE)
    commit_all(bad)
    registrations.reconcile()

    assert registrations.states["b-broken"].state is RepositoryPhase.READY
    assert list(registrations.states) == ["a-unreadable", "c-good", "b-broken"]


def test_before_the_first_comparison_nothing_is_known(host: Host) -> None:
    """A host that has not compared yet does not say that nothing is left; a broken file of states is no obstacle."""
    file = host.folder / "data" / FILE
    file.parent.mkdir(parents=True)
    file.write_text("{broken")
    host.parameters = [RepositoryParameter("acme-infra-1", 1, host.repository())]
    registrations = host.started()

    with pytest.raises(OrchestratorError):
        registrations.untried()
    assert not registrations.all_ready()
    registrations.reconcile()
    assert registrations.all_ready()
