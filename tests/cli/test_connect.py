"""`connect` and `disconnect`: against GitHub's own description, a real Prefect server, and git over ssh with the new key."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import pytest

from dockercise_prefect.connect.connection import key_title
from dockercise_prefect.connect.deploy_key import read_deploy_key
from dockercise_prefect.orchestration.prefect.secret_blocks import delete_secret
from tests.cli.connected_world import URL, World
from tests.support.hosts.git_repository import git
from tests.support.hosts.github_server import TOKEN, Failure
from tests.support.suite.leaks import found as leaks

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]


def test_connect(world: World, tmp_path: Path) -> None:
    """`connect` makes a key for the repository, a signing webhook and a deployment with both, and shows what to do next."""
    said = world.connect("--cron", "0 3 * * *")

    assert said.status == 0, said
    (key,), (hook,), (deployed,) = world.hosted.keys.values(), world.hosted.hooks.values(), world.deployments()
    pair = read_deploy_key(world.secrets()[world.blocks.key] or "")
    assert pair is not None
    assert (key["key"], key["title"], key["read_only"]) == (pair.public, f"dockercise for {URL}", True)
    assert set(world.ssh.entered) == {pair.public}
    secret = world.secrets()[world.blocks.webhook]
    assert secret is not None
    assert re.fullmatch("[0-9a-f]{64}", secret)
    assert hook["config"] == {"url": URL, "content_type": "json", "secret": secret, "insecure_ssl": "0"}
    assert world.secrets()[world.blocks.token] is None
    assert deployed.registration.credentials == world.blocks.key
    assert deployed.registration.webhook_secret == world.blocks.webhook
    assert deployed.registration.statuses is None
    assert "0 3 * * *" in deployed.schedules
    repository = world.name.partition("/")[2]
    assert said.out.splitlines() == [
        f"{world.name} on 127.0.0.1:{world.github.api.rpartition(':')[2]}: private",
        f"deploy key added to {world.name}, read-only ({pair.fingerprint})",
        f"its private key is in Prefect's Secret block {world.blocks.key}",
        f"the webhook's secret is in Prefect's Secret block {world.blocks.webhook}",
        f"{repository} · 2 stages in 1 file · main at {git(world.work, 'rev-parse', 'HEAD')[:12]}",
        f"deployment {repository}/{repository} created",
        f"webhook added: GitHub sends pushes to {URL}",
        f"a push to {world.name} starts a run when `dockercise webhook` answers at {URL} and a worker is running:",
        said.out.splitlines()[-1],
    ]
    assert said.out.splitlines()[-1].endswith("prefect worker start --pool dockercise")
    known = (tmp_path / "data/repositories/known_hosts").read_text()
    assert known.splitlines() == [f"[127.0.0.1]:{world.ssh.port} {world.ssh.host_key}"]


def test_connect_again(world: World) -> None:
    """A second call creates a new key, removes the old one, and leaves everything else unchanged."""
    world.connect()
    (old,), hooks, secrets, (deployed,) = (
        list(world.hosted.keys),
        dict(world.hosted.hooks),
        world.secrets(),
        world.deployments(),
    )

    said = world.connect("--target", "hello")

    assert said.status == 0, said
    assert list(world.hosted.keys) != [old]
    assert len(world.hosted.keys) == 1
    assert world.hosted.hooks == hooks
    assert world.secrets()[world.blocks.webhook] == secrets[world.blocks.webhook]
    assert world.secrets()[world.blocks.key] != secrets[world.blocks.key]
    assert [one.id for one in world.deployments()] == [deployed.id]
    assert world.deployments()[0].parameters == {"targets": ["hello"]}
    assert f"the old deploy key {old} of {world.name} is removed" in said.out
    assert "updated" in said.out


def test_key_of_others_is_left_alone(world: World) -> None:
    """Keys and webhooks that others have added to the repository stay, both after `connect` and after `disconnect`."""
    theirs = {"id": 1, "key": "ssh-ed25519 AAAA", "title": "of others"}
    world.hosted.keys[1] = world.github.description.example("deploy-key") | theirs
    hook = world.github.description.example("hook")
    world.hosted.hooks[2] = hook | {"id": 2, "config": hook["config"] | {"url": "https://ci.example.org"}}

    world.connect()
    world.disconnect()

    assert (list(world.hosted.keys), list(world.hosted.hooks)) == ([1], [2])


def test_token_for_statuses(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only --statuses stores a token, the lesser one if it is given; a call without --statuses removes the token."""
    monkeypatch.setenv("STATUS_TOKEN", "github_pat_lesser")

    with_token = world.connect("--statuses", "--statuses-token-env", "STATUS_TOKEN")
    kept, registered = world.secrets()[world.blocks.token], world.deployments()[0].registration.statuses
    without = world.connect()

    assert (kept, registered) == ("github_pat_lesser", world.blocks.token)
    assert f"commit statuses are sent with the token in Prefect's Secret block {world.blocks.token}" in with_token.out
    assert world.secrets()[world.blocks.token] is None
    assert world.deployments()[0].registration.statuses is None
    assert "commit statuses are not sent any more" in without.out


def test_dry_run(world: World) -> None:
    """A dry run shows what would be done and changes nothing, before and after the repository is connected."""
    first = world.connect("--dry-run", "--statuses")
    nothing = (world.github.written(), world.deployments(), set(world.secrets().values()))
    world.connect("--statuses")
    before = world.state()
    second, third = world.connect("--dry-run"), world.disconnect("--dry-run")

    assert nothing == ([], [], {None})
    assert world.state() == before
    assert first.out.splitlines()[1:] == [
        f"would add a read-only deploy key of {world.name}, 'dockercise for {URL}'",
        f"would save its private key in Prefect's Secret block {world.blocks.key}",
        f"would save the webhook's secret in Prefect's Secret block {world.blocks.webhook}",
        f"would save a token for commit statuses in Prefect's Secret block {world.blocks.token}",
        f"would register {world.hosted.ssh_url}",
        f"would add a webhook of {world.name} for pushes, to {URL}",
    ]
    assert "would replace a read-only deploy key" in second.out
    assert "would remove the token for commit statuses" in second.out
    assert "would set a webhook" in second.out
    assert all(line.startswith("would remove: ") for line in third.out.splitlines())


def test_disconnect(world: World) -> None:
    """Everything is removed, on GitHub and in Prefect; a second call finds nothing."""
    world.connect("--statuses")

    said, again = world.disconnect(), world.disconnect()

    assert (said.status, again.status) == (0, 0)
    assert world.state() == ({}, {}, dict.fromkeys(world.secrets()), [])
    repository = world.name.partition("/")[2]
    assert said.out.splitlines() == [
        f"removed: webhook to {URL} of {world.name}",
        f"removed: deploy key 'dockercise for {URL}' of {world.name}",
        f"removed: deployment {repository}/{repository}",
        f"removed: Prefect's Secret block {world.blocks.webhook}",
        f"removed: Prefect's Secret block {world.blocks.key}",
        f"removed: Prefect's Secret block {world.blocks.token}",
    ]
    assert again.out == f"{world.name} is not connected: there is nothing to remove\n"


def test_disconnect_what_is_half_gone(world: World) -> None:
    """If the key on GitHub is already removed, the rest is removed too, by the address of the webhook."""
    world.connect()
    world.hosted.keys.clear()

    unknown = world.disconnect()
    known = world.disconnect("--webhook-url", URL)

    assert f"dockercise no longer knows which webhook of {world.name} is its own; there are {URL}" in unknown.out
    assert known.out == f"removed: webhook to {URL} of {world.name}\n"
    assert world.state() == ({}, {}, dict.fromkeys(world.secrets()), [])


def test_disconnect_without_blocks(world: World) -> None:
    """If the Secret blocks do not exist any more, --webhook-url finds the rest on GitHub, and the key by its title."""
    world.connect()
    for block in world.secrets():
        delete_secret(block)

    world.disconnect("--webhook-url", URL)

    assert world.state() == ({}, {}, dict.fromkeys(world.secrets()), [])


def test_disconnect_what_github_has_forgotten(world: World) -> None:
    """A repository that does not exist on GitHub any more is disconnected in Prefect."""
    world.connect()
    del world.github.repositories[world.name]

    said = world.disconnect()

    assert "has no repository" in said.out
    assert (said.status, world.deployments(), set(world.secrets().values())) == (0, [], {None})


def test_disconnect_what_was_renamed(world: World) -> None:
    """A repository that was renamed is disconnected by its old name."""
    world.connect()
    new = f"{world.name}-new"
    world.hosted.name = new
    world.github.repositories = {new: world.hosted}
    world.github.moved[world.name] = new

    said = world.disconnect()

    assert said.status == 0, said
    assert world.state() == ({}, {}, dict.fromkeys(world.secrets()), [])


def test_disconnect_goes_as_far_as_it_can(world: World) -> None:
    """A part that cannot be removed is reported, the rest is removed, and the call fails; a later call completes it."""
    world.connect()
    world.github.fail(Failure("DELETE", ".*/hooks/.*", 500))

    said = world.disconnect()
    world.github.heal()
    again = world.disconnect("--webhook-url", URL)

    assert said.status == 3
    assert f"NOT removed: webhook to {URL} of {world.name}: 127.0.0.1" in said.out
    assert (world.hosted.keys, world.deployments(), set(world.secrets().values())) == ({}, [], {None})
    assert again.out == f"removed: webhook to {URL} of {world.name}\n"


def _forbidden(body: str = "Resource not accessible by personal access token") -> Mapping[str, str]:
    return {"message": body, "documentation_url": "https://docs.github.com"}


FAILURES: dict[str, Failure] = {
    "the key is refused": Failure("POST", ".*/keys", 403, body=_forbidden()),
    "the key is in use": Failure("POST", ".*/keys", 422, body=_forbidden("Validation Failed")),
    "the key's answer is lost": Failure("POST", ".*/keys", None, done=True),
    "the webhook is refused": Failure("POST", ".*/hooks", 403, body=_forbidden()),
    "there are too many webhooks": Failure("POST", ".*/hooks", 422, body=_forbidden("Validation Failed")),
    "GitHub fails": Failure("POST", ".*/hooks", 500),
    "the webhook's answer is lost": Failure("POST", ".*/hooks", None, done=True),
    "a rate limit": Failure("POST", ".*/hooks", 403, body=_forbidden("API rate limit exceeded"), headers={"Retry-After": "60"}),
    "the webhook cannot be changed": Failure("PATCH", ".*/hooks/.*", 404, body=_forbidden("Not Found")),
}


@pytest.mark.parametrize("what", [what for what, failure in FAILURES.items() if failure.method != "PATCH"])
def test_first_time_fails(world: World, what: str) -> None:
    """If a step fails or its answer is lost, everything that was made is taken back, and no secret is shown."""
    world.github.fail(FAILURES[what])

    said = world.connect("--statuses")

    assert said.status in {2, 3}
    assert world.state() == ({}, {}, dict.fromkeys(world.secrets()), [])
    assert "NOT undone" not in said.out
    assert TOKEN not in said.out + said.err


@pytest.mark.parametrize("what", [what for what, failure in FAILURES.items() if failure.path != ".*/hooks"])
def test_second_time_fails(world: World, what: str) -> None:
    """If a second call fails, the connection that existed before stays as it was."""
    world.connect("--statuses")
    before = world.state()
    world.github.fail(FAILURES[what])

    said = world.connect("--statuses")

    assert said.status in {2, 3}
    assert world.state() == before


def test_pipeline_that_does_not_compile(world: World) -> None:
    """A pipeline that does not compile is not connected; its findings are shown, and nothing stays."""
    world.push("hello: {img: busybox, run: echo, after: nobody}\n")

    said = world.connect()

    assert said.status == 2
    assert "infra.dockercise.yaml:1:" in said.err
    assert "undone: the new deploy key" in said.out
    assert world.state() == ({}, {}, dict.fromkeys(world.secrets()), [])


def test_git_that_does_not_let_us_in(world: World) -> None:
    """If the key does not open the repository, nothing stays."""
    world.ssh.let_in = list

    said = world.connect()

    assert said.status == 3
    assert world.state() == ({}, {}, dict.fromkeys(world.secrets()), [])


def test_host_that_is_another(world: World) -> None:
    """A host without the key that GitHub publishes does not receive our key."""
    world.github.host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDAZFvDtFqGn2Q6rqUvFl0n3zOtuLbMxSsK5bR4rbGJo"

    said = world.connect()

    assert said.status == 3
    assert world.ssh.entered == []
    assert world.state() == ({}, {}, dict.fromkeys(world.secrets()), [])


def test_what_cannot_be_undone_is_said(world: World) -> None:
    """If taking back fails too, the message names everything that stays, and the rest is taken back."""
    world.github.fail(Failure("POST", ".*/hooks", 500))
    world.github.fail(Failure("DELETE", ".*/keys/.*", 500))

    said = world.connect()

    assert said.status == 3
    assert f"NOT undone: the new deploy key of {world.name}" in said.out
    assert len(world.hosted.keys) == 1
    assert (world.hosted.hooks, world.deployments(), set(world.secrets().values())) == ({}, [], {None})


def test_interruption(world: World) -> None:
    """Ctrl-C in the middle of a step also takes back that step."""
    world.github.fail(Failure("POST", ".*/hooks", 201, body=b"", done=True, meanwhile=_interrupt))

    said = world.connect()

    assert said.status == 130
    assert world.state() == ({}, {}, dict.fromkeys(world.secrets()), [])


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_no_secret_is_told(world: World, prefect_api: str, data_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The token, the private key and the webhook's secret are in no answer of Prefect's API, no log, and no output."""
    with caplog.at_level("DEBUG"):
        said = world.connect("--statuses")

    secrets = {name: text for name, text in world.secrets().items() if text}
    key = secrets.pop(world.blocks.key).splitlines()
    secrets |= {f"line {number} of the key": line for number, line in enumerate(key[2:-1])}
    answers = {
        path: httpx.post(f"{prefect_api}/{path}/filter", json={}).raise_for_status().content
        for path in ("block_documents", "deployments", "flows", "events", "variables")
    }
    channels = answers | {
        "out": said.out.encode(),
        "err": said.err.encode(),
        "log": caplog.text.encode(),
        "server.log": (data_folder / "server.log").read_bytes(),
    }
    assert len(secrets) > 3
    assert world.blocks.webhook.encode() in answers["block_documents"]
    assert leaks(channels, secrets) == []


@pytest.mark.parametrize(
    ("arrange", "arguments", "said"),
    [
        (lambda world: setattr(world.hosted, "admin", False), (), "the token's user is not an administrator of acme/infra"),
        (lambda _world: os.environ.pop("GITHUB_TOKEN"), (), "GITHUB_TOKEN is not set"),
        (lambda _world: os.environ.update(GITHUB_TOKEN="wrong"), (), "does not accept the token in GITHUB_TOKEN"),
        (lambda world: world.github.repositories.clear(), (), "has no repository acme/infra"),
        (lambda _world: None, ("--statuses-token-env", "HOME"), "add --statuses"),
        (lambda _world: None, ("--statuses", "--statuses-token-env", "NOT_SET"), "NOT_SET is not set"),
        (lambda _world: None, ("--webhook-url", "hooks.example.org"), "is not an address that pushes can be sent to"),
        (lambda _world: None, ("--webhook-url", "https://me:pw@hooks.example.org"), "contains a user or a password"),
        (lambda _world: None, ("--cron", "whenever"), "whenever"),
    ],
)
def test_wrong_input(
    world: World, arrange: Callable[[World], object], arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong call is reported before anything is changed."""
    arrange(world)

    outcome = world.connect(*arguments)

    assert outcome.status == 2
    assert said in outcome.err
    assert world.github.written() == []
    assert "pw@" not in outcome.err
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)


def test_prefect_that_is_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Prefect nothing is changed on GitHub."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        said = world.connect()

    assert said.status == 3
    assert "Prefect failed" in said.err
    assert world.github.written() == []


def test_title_names_the_receiver() -> None:
    """On GitHub's page of deploy keys, the title of a key shows which receiver it belongs to."""
    assert key_title(URL) == "dockercise for https://hooks.example.org"
