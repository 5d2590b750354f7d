"""The answers to deliveries, over a real socket."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dockercise_prefect.webhook.payload.delivery import read_delivery
from dockercise_prefect.webhook.payload.push import Push
from dockercise_prefect.webhook.payload.reading import event_of
from dockercise_prefect.webhook.receiver.database import Database
from dockercise_prefect.webhook.receiver.inbox import Acceptance, Addressee, Inbox
from tests.webhook.payloads import (
    Sent,
    gitea_push,
    gitea_sent,
    github_examples,
    github_push,
    github_sent,
    gitlab_push,
    gitlab_sent,
    gitlab_signed,
)
from tests.webhook.receiving import BRISK, Receiving, receiving
from tests.webhook.scripted_world import ScriptedWorld
from tests.webhook.world import eventually


def test_a_push_is_queued(world: ScriptedWorld, receiver: Receiving) -> None:
    """A signed push to a registered repository is answered with 202 and the deployment's name, and starts a run."""
    registered = world.register("acme/infra")
    payload = github_push("acme/infra")

    answer = receiver.deliver(github_sent(payload))

    assert answer.status_code == 202
    assert answer.json() == {"result": "queued", "message": "queued for registered/acme/infra"}
    eventually(lambda: [run.commit for run in world.runs()] == [payload["after"]])
    assert world.runs()[0].deployment_id == registered.deployment_id


@pytest.mark.parametrize("path", ["/", "/webhook"])
def test_both_doors(world: ScriptedWorld, receiver: Receiving, path: str) -> None:
    """Deliveries are accepted at the root and at /webhook."""
    world.register("acme/infra")

    assert receiver.deliver(github_sent(github_push("acme/infra")), path).status_code == 202


def test_every_host(world: ScriptedWorld, receiver: Receiving) -> None:
    """GitHub's JSON and forms, and Gitea's, Forgejo's and GitLab's deliveries use the same address."""
    world.register("acme/infra")
    world.register("https://git.example.org/acme/infra.git")
    world.register("git@gitlab.com:acme/tools/infra.git")

    for sent in (
        github_sent(github_push("acme/infra")),
        github_sent(github_push("acme/infra"), form=True),
        gitea_sent(gitea_push("acme/infra")),
        gitea_sent(gitea_push("acme/infra"), name="Forgejo"),
        gitlab_sent(gitlab_push("acme/tools/infra")),
    ):
        assert receiver.result(sent) == (202, "queued")

    eventually(lambda: len(world.runs()) == 5)


def test_a_ping_is_answered(world: ScriptedWorld, receiver: Receiving) -> None:
    """GitHub's ping shows whether the repository and the secret are right, and starts nothing."""
    world.register("Octocoders/Hello-World")
    ping = github_examples("ping")[0]

    assert receiver.result(github_sent(ping, event="ping")) == (200, "ignored")
    assert receiver.result(github_sent(ping, event="ping", secret="another")) == (401, "forged")
    assert world.runs() == []


def test_the_ping_of_an_organisation(receiver: Receiving) -> None:
    """A delivery that names no repository gets a successful answer, and does nothing."""
    (ping,) = [one for one in github_examples("ping") if "repository" not in one]

    answer = receiver.deliver(github_sent(ping, event="ping"))

    assert (answer.status_code, answer.json()["message"]) == (200, "the delivery does not name a repository")


def test_a_forged_delivery(world: ScriptedWorld, receiver: Receiving) -> None:
    """A delivery that is signed with another secret, or not at all, is refused with 401."""
    world.register("acme/infra")

    assert receiver.result(github_sent(github_push("acme/infra"), secret="guessed")) == (401, "forged")
    assert receiver.result(github_sent(github_push("acme/infra")).without("x-hub-signature-256")) == (401, "forged")
    assert receiver.result(gitlab_sent(gitlab_push("acme/infra"), token=None)) == (401, "forged")
    assert world.runs() == []


def test_no_secret_anywhere(world: ScriptedWorld, receiver: Receiving) -> None:
    """A deployment without a secret accepts no delivery, and the log shows what to do."""
    world.register("acme/infra", secret=None)
    world.register("acme/empty", secret="")

    for repository in ("acme/infra", "acme/empty"):
        assert receiver.result(github_sent(github_push(repository), secret="")) == (401, "forged")
        assert receiver.result(github_sent(github_push(repository))) == (401, "forged")

    assert receiver.logged("there is no secret for registered/acme/infra: set DOCKERCISE_WEBHOOK_SECRET")


def test_the_receivers_own_secret(world: ScriptedWorld, tmp_path: Path) -> None:
    """A deployment that names no secret uses the receiver's own; a deployment that names one does not."""
    world.register("acme/infra", secret=None)
    world.register("acme/other", secret="its own")

    with receiving(world.hub, tmp_path / "data", own_secret="of the receiver") as receiver:
        assert receiver.result(github_sent(github_push("acme/infra"), secret="of the receiver")) == (202, "queued")
        assert receiver.result(github_sent(github_push("acme/other"), secret="of the receiver")) == (401, "forged")


def test_each_deployment_by_its_own_secret(world: ScriptedWorld, receiver: Receiving) -> None:
    """A sender who knows the secret of one repository cannot start another one by naming its address as well."""
    world.register("acme/infra")
    mallory = world.register("mallory/tools", secret="mallory's")
    payload = github_push("acme/infra")
    payload["repository"]["ssh_url"] = "git@github.com:mallory/tools.git"

    assert receiver.result(github_sent(payload, secret="mallory's")) == (202, "queued")
    eventually(lambda: len(world.runs()) == 1)
    assert [run.deployment_id for run in world.runs()] == [mallory.deployment_id]


def test_an_unknown_repository(world: ScriptedWorld, receiver: Receiving) -> None:
    """A repository that is not registered is answered with 404."""
    world.register("acme/infra")
    eventually(lambda: receiver.logged("1 deployment waits for pushes") or receiver.logged("0 deployments"))

    assert receiver.result(github_sent(github_push("acme/unknown"))) == (404, "unknown")


def test_a_repository_that_was_just_registered(world: ScriptedWorld, tmp_path: Path) -> None:
    """For a delivery of an unknown repository, the registrations are read again before the answer."""
    pace = replace(BRISK, directory=replace(BRISK.directory, usual=3600))
    with receiving(world.hub, tmp_path / "data", pace=pace) as receiver:
        eventually(lambda: world.calls("registrations") == 1)
        world.register("acme/new")

        assert receiver.result(github_sent(github_push("acme/new"))) == (202, "queued")


def test_unknown_repositories_do_not_wear_prefect_out(world: ScriptedWorld, tmp_path: Path) -> None:
    """However many unknown repositories send deliveries, the registrations are not read again more often than the limit."""
    pace = replace(BRISK, directory=replace(BRISK.directory, usual=3600, least=0.5))
    with receiving(world.hub, tmp_path / "data", pace=pace) as receiver:
        began = time.monotonic()
        for _ in range(5):
            assert receiver.result(github_sent(github_push("acme/unknown")))[0] == 404
        took = time.monotonic() - began

    assert world.calls("registrations") <= 2 + took / 0.5


def test_unknown_while_prefect_is_down(world: ScriptedWorld, receiver: Receiving) -> None:
    """If it is unknown whether a repository is registered, the answer reports it."""
    eventually(lambda: receiver.logged("0 deployments wait"))
    world.hang_up()
    eventually(lambda: receiver.logged("Prefect does not answer"))

    answer = receiver.deliver(github_sent(github_push("acme/infra")))

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert answer.json()["message"] == "the registrations cannot be read now"


def test_a_branch_that_nobody_waits_for(world: ScriptedWorld, receiver: Receiving) -> None:
    """Branches are chosen by globs, which distinguish upper and lower case."""
    world.register("acme/infra", branches=["main", "release/*"])

    assert receiver.result(github_sent(github_push("acme/infra", branch="release/1.0"))) == (202, "queued")
    assert receiver.result(github_sent(github_push("acme/infra", branch="Main"))) == (200, "ignored")
    assert receiver.result(github_sent(github_push("acme/infra", branch="feature"))) == (200, "ignored")
    assert receiver.logged("github acme/infra feature")


def test_repeated_deliveries(world: ScriptedWorld, receiver: Receiving) -> None:
    """A repeated delivery runs once, and so does a signed body that is sent with another id or with another host's headers."""
    world.register("acme/infra")
    payload = github_push("acme/infra")

    assert receiver.result(github_sent(payload, identity="one")) == (202, "queued")
    assert receiver.result(github_sent(payload, identity="one")) == (200, "repeated")
    assert receiver.result(github_sent(payload, identity="two")) == (200, "repeated")
    assert receiver.result(gitea_sent(payload, identity="three")) == (200, "repeated")
    eventually(lambda: len(world.runs()) == 1)


def test_gitlabs_tokens_sign_no_body(world: ScriptedWorld, receiver: Receiving) -> None:
    """If the host does not sign bodies, the same body with another id is another push."""
    world.register("https://gitlab.com/acme/infra")
    payload = gitlab_push("acme/infra")

    assert receiver.result(gitlab_sent(payload, identity="one")) == (202, "queued")
    assert receiver.result(gitlab_sent(payload, identity="one")) == (200, "repeated")
    assert receiver.result(gitlab_sent(payload, identity="two")) == (202, "queued")


def test_the_same_commits_pushed_again(world: ScriptedWorld, receiver: Receiving) -> None:
    """If the host signs the id of each delivery, a push that was taken back and made again is another push."""
    world.register("https://gitlab.com/acme/infra", secret="key")
    payload = gitlab_push("acme/infra")
    one, again = (gitlab_signed(payload, key=b"key") for _ in range(2))

    assert receiver.result(one) == (202, "queued")
    assert receiver.result(one) == (200, "repeated")
    assert receiver.result(again) == (202, "queued")
    assert receiver.result(again.with_headers(webhook_id="another")) == (401, "forged")


def test_malformed_deliveries(world: ScriptedWorld, receiver: Receiving) -> None:
    """A request that is not a delivery is answered with 400 and the missing part."""
    world.register("acme/infra")
    payload = github_push("acme/infra")
    del payload["after"]

    answer = receiver.deliver(github_sent(payload))

    assert (answer.status_code, answer.json()["message"]) == (400, "the payload lacks `after`")
    assert receiver.deliver(Sent(headers={}, body=b"hello")).status_code == 400


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(body=st.binary(), event=st.sampled_from(["x-github-event", "x-gitlab-event", "x-gitea-event", "x-nothing"]))
def test_any_bytes_at_the_door(receiver: Receiving, body: bytes, event: str) -> None:
    """For any bytes, the answer is a client error and never a server error."""
    answer = receiver.deliver(Sent(headers={event: "push", "x-github-delivery": "1"}, body=body))

    assert 400 <= answer.status_code < 500


def test_the_queue_is_full(world: ScriptedWorld, tmp_path: Path) -> None:
    """If the queue is full, deliveries are answered with 503, and accepted when there is room again."""
    world.register("acme/infra")
    with receiving(world.hub, tmp_path / "data", pace=replace(BRISK, most_waiting=2)) as receiver:
        eventually(lambda: receiver.logged("1 deployment waits"))
        world.hang_up()
        waiting = [receiver.result(github_sent(github_push("acme/infra"))) for _ in range(3)]
        health = receiver.client.get("/health")
        world.answer()
        eventually(lambda: len(world.runs()) == 2)

        assert waiting == [(202, "queued"), (202, "queued"), (503, "full")]
        assert (health.status_code, health.json()["accepts"], health.json()["queue"]) == (503, False, 2)
        assert receiver.result(github_sent(github_push("acme/infra"))) == (202, "queued")


def test_one_deployment_fills_no_room_of_others(tmp_path: Path) -> None:
    """A deployment whose orders cannot be started has its own limit; others are still accepted, also from the same push."""
    one, other = Addressee("1", "flow/one"), Addressee("2", "flow/other")
    with closing(Database(tmp_path / "deliveries.sqlite")) as database:
        inbox = Inbox(database, each=2)

        def accepted(number: int, *addressees: Addressee) -> Acceptance:
            sent = github_sent(github_push("acme/infra"))
            push = event_of(read_delivery(sent.headers, sent.body))
            assert isinstance(push, Push)
            return inbox.accept(f"github:{number}", None, push, addressees, now=0.0)

        of_one = [accepted(number, one) for number in range(3)]
        of_both = accepted(3, one, other)
        again = accepted(3, other)

        assert of_one == [Acceptance.QUEUED, Acceptance.QUEUED, Acceptance.FULL]
        assert (of_both, again) == (Acceptance.FULL, Acceptance.REPEATED)
        assert accepted(4, other) is Acceptance.QUEUED
        assert accepted(5, other) is Acceptance.FULL
