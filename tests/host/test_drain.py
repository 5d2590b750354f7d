"""The drain: from the queue of the stack to the receiver on the host."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from dockercise_prefect.errors import WebhookError
from dockercise_prefect.host.drain import MOST_TRIES, Drain, Verdict, bucket_reader, hold_seconds, verdict
from tests.host.answering import answering
from tests.host.queues import Queues
from tests.support.aws.moto import Aws
from tests.webhook.payloads import SECRET, github_push, github_sent, gitlab_push, gitlab_sent, gitlab_signed
from tests.webhook.receiving import receiving
from tests.webhook.scripted_world import ScriptedWorld
from tests.webhook.world import eventually

CLOSED = "http://127.0.0.1:9/"
"""Nobody listens there."""


def make_drain(
    queues: Queues,
    receiver: str,
    *,
    secrets: Mapping[str, str] | None = None,
    unregistered: bool = False,
    body_of: Callable[[str], bytes | None] = lambda _key: None,
    log: list[str] | None = None,
) -> Drain:
    """A drain of these queues."""
    return Drain(
        queue=queues.opened(),
        body_of=body_of,
        secrets=lambda: secrets or {},
        unregistered=lambda: unregistered,
        clock=time.time,
        say=(log if log is not None else []).append,
        receiver=receiver,
        pause=0.1,
        patience=0.1,
    )


@pytest.fixture
def world(tmp_path: Path) -> ScriptedWorld:
    """Prefect and git, as the test says."""
    return ScriptedWorld(tmp_path / "world.sqlite")


@pytest.mark.parametrize(
    ("status", "unregistered", "expected"),
    [
        (200, False, Verdict.DONE),
        (202, True, Verdict.DONE),
        (400, True, Verdict.LOST),
        (413, False, Verdict.LOST),
        (401, False, Verdict.LOST),
        (404, False, Verdict.LOST),
        (401, True, Verdict.LATER),
        (404, True, Verdict.LATER),
        (408, False, Verdict.AGAIN),
        (429, False, Verdict.AGAIN),
        (500, False, Verdict.AGAIN),
        (503, True, Verdict.AGAIN),
        (None, False, Verdict.AGAIN),
    ],
)
def test_each_answer_has_its_verdict(status: int | None, unregistered: bool, expected: Verdict) -> None:
    """A push is done when it is stored, lost when it can never run, and kept in all other cases."""
    assert verdict(status, unregistered=unregistered, tries=1) is expected


def test_a_push_is_held_longer_each_time_until_it_is_given_up() -> None:
    """A push of a repository that is not registered waits longer each time, and is a dead letter after more than an hour."""
    waits = [hold_seconds(tries) for tries in range(1, MOST_TRIES)]

    assert waits == sorted(waits)
    assert waits[0] == 5
    assert 3600 < sum(waits) < 3 * 3600
    assert verdict(404, unregistered=True, tries=MOST_TRIES - 1) is Verdict.LATER
    assert verdict(404, unregistered=True, tries=MOST_TRIES) is Verdict.LOST


@pytest.mark.docker
def test_a_push_in_the_queue_becomes_a_run(queues: Queues, world: ScriptedWorld, tmp_path: Path) -> None:
    """A signed push goes from the queue to the receiver, starts one run, and is not in the queue any more."""
    world.register("acme/infra")
    sent = github_sent(github_push("acme/infra", after="a" * 40))
    queues.push(sent)

    with receiving(world.hub, tmp_path / "data") as receiver:
        drain = make_drain(queues, receiver.url)
        found = drain.step(0)
        eventually(lambda: len(world.runs()) == 1)

    assert found
    assert queues.opened().waiting() == 0
    assert drain.last_push is not None
    assert (drain.last_push.repository, drain.last_push.commit, drain.last_push.result) == ("acme/infra", "a" * 40, "queued")


@pytest.mark.docker
def test_an_empty_queue_is_nothing(queues: Queues) -> None:
    """Without a message, nothing is sent anywhere."""
    with answering(202) as receiver:
        assert not make_drain(queues, receiver.url).step(0)

    assert receiver.bodies == []


@pytest.mark.docker
def test_killed_between_answer_and_delete_there_is_one_run(queues: Queues, world: ScriptedWorld, tmp_path: Path) -> None:
    """A message that the receiver has, but that was not deleted, is taken again, and starts no second run."""
    world.register("acme/infra")
    queues.push(github_sent(github_push("acme/infra")))
    first = queues.opened()

    with receiving(world.hub, tmp_path / "data") as receiver:
        message = first.take(0)
        assert message is not None
        answer = json.loads(message.text)
        receiver.client.post("/", headers=answer["headers"], content=base64.b64decode(answer["body"])).raise_for_status()
        eventually(lambda: len(world.runs()) == 1)
        first.hold(message, 0)  # what SQS does some time after a host has died
        drain = make_drain(queues, receiver.url)
        drain.step(0)

    assert drain.last_push is not None
    assert drain.last_push.result == "repeated"
    assert len(world.runs()) == 1
    assert queues.opened().waiting() == 0


@pytest.mark.docker
def test_a_receiver_that_cannot_answer_costs_no_push(queues: Queues) -> None:
    """While the receiver answers 503, the push stays; when it answers again, it gets the push."""
    queues.push(github_sent(github_push()))

    with answering(503, 503, 202) as receiver:
        drain = make_drain(queues, receiver.url)
        drain.step(0)

    assert len(receiver.bodies) == 3
    assert queues.opened().waiting() == 0
    assert queues.dead() == []


@pytest.mark.docker
def test_a_drain_that_is_stopped_leaves_the_push_in_the_queue(queues: Queues) -> None:
    """A drain that waits for the receiver ends when it is stopped, and the next one gets the same push."""
    queues.push(github_sent(github_push()))
    drain = make_drain(queues, CLOSED)
    working = threading.Thread(target=drain.step, args=(0,))

    working.start()
    eventually(lambda: drain.taken == 1)
    with pytest.raises(WebhookError, match="a push is being taken to the receiver"), drain.held():
        raise AssertionError("nobody may think that no push is being taken")
    drain.stop()
    working.join(60)

    assert not working.is_alive()
    with drain.held():
        assert queues.opened().waiting() == 1
    with answering(202) as receiver:
        assert make_drain(queues, receiver.url).step(0)
    assert len(receiver.bodies) == 1
    assert not drain.step(0)


@pytest.mark.docker
def test_pushes_of_a_repository_that_is_not_registered_yet_wait(queues: Queues) -> None:
    """While a repository is not registered, its push is put aside and others go on; it is in the queue until it is done."""
    log: list[str] = []
    queues.push(github_sent(github_push("acme/new")), group="new")
    queues.push(github_sent(github_push("acme/infra")), group="infra")

    with answering(404, 202) as receiver:
        drain = make_drain(queues, receiver.url, unregistered=True, log=log)
        assert drain.step(0)
        assert drain.step(0)

    assert [json.loads(body)["repository"]["full_name"] for body in receiver.bodies] == ["acme/new", "acme/infra"]
    assert queues.opened().waiting() == 1
    assert queues.dead() == []
    assert log == ["a push waits until its repository is registered (m404)"]


@pytest.mark.docker
def test_a_push_that_can_never_run_is_a_dead_letter(queues: Queues) -> None:
    """A push for an unknown repository is in the queue for dead letters, unchanged and with the reason."""
    log: list[str] = []
    sent = github_sent(github_push())
    queues.push(sent)

    with answering(404) as receiver:
        make_drain(queues, receiver.url, log=log).step(0)

    ((text, reason),) = queues.dead()
    assert base64.b64decode(json.loads(text)["body"]) == sent.body
    assert reason == "r404: m404"
    assert log == ["a message of the queue cannot be carried out, and is in the queue for dead letters: r404: m404"]
    assert queues.opened().waiting() == 0


@pytest.mark.docker
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hello", "the message is not a delivery: the text: json_invalid"),
        ('{"headers": {}}', "the message must have either a body or an object"),
        ('{"headers": {}, "body": "!"}', "the body of the message is not in base64"),
        ('{"headers": {"x-event": "a\\r\\nhost: b"}, "body": ""}', "the headers of the message are not headers of HTTP"),
        ('{"headers": {"x-\\u0142": "a"}, "body": ""}', "the headers of the message are not headers of HTTP"),
        ('{"headers": {}, "object": "inbox/1"}', "the object inbox/1 with the body is not in the bucket any more"),
        ('{"headers": {}, "body": "", "token_of": "gone"}', "the secret of gone was removed after the push"),
    ],
)
def test_a_message_that_cannot_be_read_stops_nothing(queues: Queues, text: str, reason: str) -> None:
    """A message that the door cannot have written is a dead letter with the reason, and the next push is delivered."""
    queues.put(text)
    queues.push(github_sent(github_push()))

    with answering(202) as receiver:
        drain = make_drain(queues, receiver.url)
        drain.step(0)
        drain.step(0)

    assert queues.dead() == [(text, reason)]
    assert len(receiver.bodies) == 1
    assert queues.opened().waiting() == 0


@pytest.mark.docker
def test_a_long_body_is_read_from_the_bucket(aws: Aws, queues: Queues, world: ScriptedWorld, tmp_path: Path) -> None:
    """The body that the door put into the bucket gets to the receiver as it was sent."""
    world.register("acme/infra")
    sent = github_sent(github_push("acme/infra", padding="x" * 300_000))
    aws.bucket("stack-bucket")
    aws.client("s3").put_object(Bucket="stack-bucket", Key="inbox/1", Body=sent.body)
    queues.push(sent, object="inbox/1")

    with receiving(world.hub, tmp_path / "data") as receiver:
        drain = make_drain(queues, receiver.url, body_of=bucket_reader(aws.client("s3"), "stack-bucket"))
        drain.step(0)
        eventually(lambda: len(world.runs()) == 1)

    assert queues.opened().waiting() == 0


@pytest.mark.docker
def test_an_object_that_is_gone_has_no_body(aws: Aws) -> None:
    """Reading a missing object gives nothing, and not an error."""
    aws.bucket("empty-bucket")

    assert bucket_reader(aws.client("s3"), "empty-bucket")("inbox/1") is None


@pytest.mark.docker
@pytest.mark.parametrize("secret", [SECRET, "sécret", "ключ"])
def test_the_plain_token_comes_from_the_parameters(secret: str, queues: Queues, world: ScriptedWorld, tmp_path: Path) -> None:
    """GitLab's plain token is not in the queue; the receiver gets it from the secret of the repository."""
    world.register("git@gitlab.com:acme/tools/infra.git", secret=secret)
    sent = gitlab_sent(gitlab_push(), token=None)
    queues.push(sent, token_of="acme-infra")

    with receiving(world.hub, tmp_path / "data") as receiver:
        drain = make_drain(queues, receiver.url, secrets={"acme-infra": secret})
        drain.step(0)

    assert drain.last_push is not None
    assert drain.last_push.result == "queued"


@pytest.mark.docker
def test_a_signature_with_a_time_holds_after_a_long_sleep(queues: Queues, world: ScriptedWorld, tmp_path: Path) -> None:
    """A delivery that was signed hours ago is accepted, if the signature was right, and refused if it was not."""
    world.register("git@gitlab.com:acme/tools/infra.git")
    queues.push(gitlab_signed(gitlab_push(), key=SECRET.encode(), now=time.time() - 7200))
    queues.push(gitlab_signed(gitlab_push(), key=b"another", now=time.time() - 7200))

    with receiving(world.hub, tmp_path / "data") as receiver:
        drain = make_drain(queues, receiver.url, secrets={"other": "x", "acme-infra": SECRET})
        drain.step(0)
        drain.step(0)
        eventually(lambda: len(world.runs()) == 1)

    assert [reason for _, reason in queues.dead()] == ["forged: the signature does not match the secret of this repository"]
    assert queues.opened().waiting() == 0
