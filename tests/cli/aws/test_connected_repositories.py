"""`aws up OWNER/REPO`: connects a repository to a stack, and undoes it if a step fails."""

from __future__ import annotations

import os
import signal

import pytest

from dockercise_prefect.aws.names import repository_name
from dockercise_prefect.aws.repository import RepositoryOptions, StackRepository
from dockercise_prefect.connect.deploy_key import read_deploy_key
from tests.support.aws.stack_world import StackWorld
from tests.support.command import Outcome
from tests.support.hosts.github_server import TOKEN, Failure, GitHubServer, HostedRepository
from tests.support.suite.leaks import found as leaks

pytestmark = pytest.mark.docker  # for the server

GITLAB = "https://gitlab.example.org/acme/infra"


class Connected:
    """A stack that is up, and a repository on GitHub."""

    def __init__(self, world: StackWorld, github: GitHubServer) -> None:
        self.world = world
        self.github = github
        self.address = f"https://{github.api.removeprefix('http://')}/acme/infra"
        self.name = repository_name(self.address)

    def up(self, *arguments: str) -> Outcome:
        """Run `dockercise aws up acme/infra`."""
        return self.world.again("acme/infra", "--api", self.github.api, *arguments)

    @property
    def hosted(self) -> HostedRepository:
        """The repository on GitHub."""
        return self.github.repositories["acme/infra"]

    def stored(self) -> StackRepository | None:
        """The repository as the stack has it."""
        found = [one.repository for one in self.world.parameters().repositories() if one.name == self.name]
        assert all(isinstance(one, StackRepository) for one in found)
        return found[0] if found and isinstance(found[0], StackRepository) else None

    def state(self) -> object:
        """Everything that a connection consists of, for comparison."""
        keys = {number: key["key"] for number, key in self.hosted.keys.items()}
        hooks = {number: hook["config"] for number, hook in self.hosted.hooks.items()}
        return keys, hooks, self.stored(), self.world.parameters().secrets()


@pytest.fixture
def connected(stack: StackWorld, github_server: GitHubServer) -> Connected:
    """A stack that is up, and a repository that is not connected yet."""
    return Connected(stack, github_server)


def test_connect(connected: Connected) -> None:
    """The repository gets a webhook and a read-only key, the stack their secrets, and the host registers it."""
    said = connected.up("--cron", "0 3 * * *")

    assert said.status == 0, said
    (key,), (hook,) = connected.hosted.keys.values(), connected.hosted.hooks.values()
    stored = connected.stored()
    assert stored is not None
    pair = read_deploy_key(stored.deploy_key or "")
    assert pair is not None
    assert (key["key"], key["read_only"]) == (pair.public, True)
    assert hook["config"]["url"] == connected.world.webhook()
    assert connected.world.parameters().secrets() == {connected.name: hook["config"]["secret"]}
    assert (stored.address, stored.url) == (connected.address, connected.hosted.ssh_url)
    assert stored.webhook_secret == hook["config"]["secret"]
    assert stored.options == RepositoryOptions(crons=("0 3 * * *",))
    assert "the host has registered it as the deployment infra/infra" in said.out
    assert "a push to acme/infra starts a run" in said.out
    assert connected.world.parameters().awake_until() == 0


def test_again_there_is_nothing_to_do(connected: Connected) -> None:
    """A second call changes nothing, neither in the stack nor on GitHub, and does not wake the host."""
    connected.up("--cron", "0 3 * * *")
    before = connected.state()
    connected.world.verb("sleep")
    written = len(connected.github.written())

    said = connected.up()

    assert said.status == 0, said
    assert said.out.splitlines()[-2:] == ["acme/infra is connected already", "nothing to do"]
    assert connected.state() == before
    assert len(connected.github.written()) == written
    assert connected.world.state() == "stopped"


def test_other_options_are_stored(connected: Connected) -> None:
    """Other options are brought to the host; the secret of the webhook stays, and the host is woken for it."""
    connected.up("--cron", "0 3 * * *")
    secrets = connected.world.parameters().secrets()
    connected.world.verb("sleep")

    said = connected.up("--push-branch", "release/*", "--env", "STAGE=test", "--deployment", "nightly")

    stored = connected.stored()
    assert said.status == 0, said
    assert stored is not None
    assert stored.options == RepositoryOptions(branches=("release/*",), env={"STAGE": "test"}, name="nightly")
    assert connected.world.parameters().secrets() == secrets
    assert "the host is starting" in said.out
    assert "deployment nightly/nightly" in said.out
    assert len(connected.hosted.keys) == len(connected.hosted.hooks) == 1


def test_token_for_statuses(connected: Connected) -> None:
    """Only --statuses stores the token; a call without it removes the token."""
    connected.up("--statuses")
    first = connected.stored()

    said = connected.up()

    second = connected.stored()
    assert first is not None
    assert second is not None
    assert (first.statuses_token, second.statuses_token) == (TOKEN, None)
    assert "commit statuses are not sent any more" in said.out


def test_a_repository_that_the_host_refuses(connected: Connected) -> None:
    """If the host cannot compile the pipeline, its message is shown and everything is taken back; repaired, it works."""
    connected.world.host.refused[connected.address] = "infra.dockercise.yaml:1:1: DK031 after: there is no stage `x`"

    said = connected.up()
    state = connected.state()
    connected.world.host.refused.clear()
    again = connected.up()

    assert said.status == 2
    assert f"the host cannot register {connected.address}: infra.dockercise.yaml:1:1: DK031" in said.err
    assert "undone: the new deploy key of acme/infra" in said.out
    assert state == ({}, {}, None, {})
    assert again.status == 0, again


@pytest.mark.parametrize(("method", "path"), [("POST", ".*/keys"), ("POST", ".*/hooks")])
def test_first_time_fails(connected: Connected, method: str, path: str) -> None:
    """If GitHub refuses a step, everything that was made is taken back, and the stack stays."""
    connected.github.fail(Failure(method, path, 403, body={"message": "Resource not accessible", "documentation_url": "x"}))

    said = connected.up()

    assert said.status in {2, 3}
    assert connected.state() == ({}, {}, None, {})
    assert connected.world.stack() is not None
    assert connected.world.parameters().awake_until() == 0


def test_second_time_fails(connected: Connected) -> None:
    """If a second call fails, the connection that existed before stays as it was."""
    connected.up()
    before = connected.state()
    connected.github.fail(Failure("PATCH", ".*/hooks/.*", 404, body={"message": "Not Found", "documentation_url": "x"}))

    said = connected.up("--paused")

    assert said.status in {2, 3}
    assert connected.state() == before


def test_interruption(connected: Connected) -> None:
    """Ctrl-C in the middle of a step takes the connection back, and says that the stack is there."""
    stop = Failure("POST", ".*/hooks", 201, body=b"", done=True, meanwhile=lambda: os.kill(os.getpid(), signal.SIGINT))
    connected.github.fail(stop)

    said = connected.up()

    assert said.status == 130
    assert "interrupted: the stack" in said.err
    assert connected.state() == ({}, {}, None, {})


def test_no_secret_is_told(connected: Connected, caplog: pytest.LogCaptureFixture) -> None:
    """The token, the private key and the webhook's secret are in no output and no log."""
    with caplog.at_level("DEBUG", logger="dockercise_prefect"):
        said = connected.up("--statuses")
        again = connected.world.verb("status", "--json")

    stored = connected.stored()
    assert stored is not None
    key = {f"line {number} of the key": line for number, line in enumerate((stored.deploy_key or "").splitlines()[2:-1])}
    secrets = {"token": TOKEN, "webhook": stored.webhook_secret, **key}
    channels = {"out": said.out + again.out, "err": said.err + again.err, "log": caplog.text}
    assert len(secrets) > 3
    assert leaks({name: text.encode() for name, text in channels.items()}, secrets) == []


def test_a_repository_elsewhere(connected: Connected) -> None:
    """For a repository on another host, the webhook, its secret and the public key are shown once, to enter them there."""
    said = connected.world.again(GITLAB)
    again = connected.world.again(GITLAB)

    name = repository_name(GITLAB)
    secret = connected.world.parameters().secrets()[name]
    (stored,) = (one.repository for one in connected.world.parameters().repositories())
    assert isinstance(stored, StackRepository)
    pair = read_deploy_key(stored.deploy_key or "")
    assert pair is not None
    assert said.status == 0, said
    assert f"  webhook for pushes: {connected.world.webhook()}, content type application/json" in said.out
    assert f"  its secret: {secret}" in said.out
    assert f"  deploy key, read-only: {pair.public}" in said.out
    assert (stored.url, stored.address) == ("git@gitlab.example.org:acme/infra.git", GITLAB)
    assert again.out.splitlines()[-2:] == [f"{GITLAB} is connected already", "nothing to do"]
    assert secret not in again.out


def test_a_repository_elsewhere_by_ssh(connected: Connected) -> None:
    """An ssh address is used as it is, whatever its port; a second call with other options keeps key and secret."""
    url = "ssh://git@git.example.org:2222/acme/infra.git"
    connected.world.again(url)
    before = connected.world.parameters().secrets()

    said = connected.world.again(url, "--cron", "0 4 * * *")

    (stored,) = (one.repository for one in connected.world.parameters().repositories())
    assert isinstance(stored, StackRepository)
    assert (stored.url, stored.address) == (url, "https://git.example.org/acme/infra")
    assert stored.options.crons == ("0 4 * * *",)
    assert connected.world.parameters().secrets() == before
    assert "its secret: as before; it is not shown again" in said.out


def test_a_token_that_is_missing(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a token for GitHub, the message says which variable it is read from."""
    monkeypatch.delenv("GITHUB_TOKEN")

    said = connected.up()

    assert (said.status, connected.state()) == (2, ({}, {}, None, {}))
    assert "GITHUB_TOKEN is not set" in said.err
