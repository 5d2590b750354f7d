"""The door of a stack, behind a function URL, on moto's server: which requests it believes, and what it does then."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from dockercise_prefect.aws.stack.door import KEPT, LARGEST, LARGEST_IN_QUEUE, PUSHES
from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.webhook.payload import event as receiver
from dockercise_prefect.webhook.payload.delivery import read_delivery
from tests.aws.stack.door_world import NAME, DoorWorld, door_world
from tests.support.aws.moto import Aws
from tests.webhook.payloads import (
    SECRET,
    Sent,
    gitea_push,
    gitea_sent,
    github_push,
    github_sent,
    gitlab_push,
    gitlab_sent,
    gitlab_signed,
    signature,
)

pytestmark = pytest.mark.docker  # for the server

ACCEPTED: dict[str, Callable[[], Sent]] = {
    "github": lambda: github_sent(github_push()),
    "github-form": lambda: github_sent(github_push(), form=True),
    "gitea": lambda: gitea_sent(gitea_push()),
    "forgejo": lambda: gitea_sent(gitea_push(), name="Forgejo"),
    "gitlab-token": lambda: gitlab_sent(gitlab_push()),
    "gitlab-signed": lambda: gitlab_signed(gitlab_push(), key=SECRET.encode(), now=4_000_000_000),
    "gitlab-tag": lambda: gitlab_sent(gitlab_push(), event="Tag Push Hook"),
}
FORGED: dict[str, Callable[[], Sent]] = {
    "wrong-secret": lambda: github_sent(github_push(), secret="guessed"),
    "unsigned": lambda: github_sent(github_push()).without("x-hub-signature-256"),
    "old-signature": lambda: github_sent(github_push()).with_headers(x_hub_signature_256="sha1=2fd4e1c67a2d28fc"),
    "other-body": lambda: Sent(headers=github_sent(github_push()).headers, body=github_sent(github_push()).body),
    "gitea-with-githubs-signature-only": lambda: gitea_sent(gitea_push()).without("x-gitea-signature"),
    "wrong-token": lambda: gitlab_sent(gitlab_push(), token="guessed"),
    "no-token": lambda: gitlab_sent(gitlab_push(), token=None),
    "signed-long-ago": lambda: gitlab_signed(gitlab_push(), key=SECRET.encode(), now=4_000_000_000 - 301),
    "signed-with-an-empty-key": lambda: gitlab_signed(gitlab_push(), key=b"", now=4_000_000_000),
}


@pytest.mark.parametrize("kind", ACCEPTED)
def test_signed_push_is_queued_and_wakes_the_host(world: DoorWorld, kind: str) -> None:
    """A push of each kind of host is answered with 202, lies in the queue as it was sent, and starts the host."""
    sent = ACCEPTED[kind]()

    answer = world.send(sent)

    (message,) = world.messages()
    assert (answer.status_code, answer.json()["result"]) == (202, "queued")
    assert base64.b64decode(message["body"]) == sent.body
    assert world.host_state == "running"


@pytest.mark.parametrize("kind", FORGED)
def test_forged_push_leaves_the_host_asleep(world: DoorWorld, kind: str) -> None:
    """A request whose sender does not know a secret is answered with 401, and nothing happens."""
    answer = world.send(FORGED[kind]())

    assert (answer.status_code, answer.json()["result"]) == (401, "forged")
    assert world.messages() == []
    assert world.host_state == "stopped"


@pytest.mark.parametrize("kind", ACCEPTED)
def test_receiver_believes_what_comes_from_the_queue_hours_later(world: DoorWorld, kind: str) -> None:
    """The receiver on the host accepts each queued push, also when a signed time has long passed."""
    world.send(ACCEPTED[kind]())
    (message,) = world.messages()
    headers = message["headers"] | ({"x-gitlab-token": SECRET} if message.get("token_of") == NAME else {})

    delivery = read_delivery(headers, base64.b64decode(message["body"]))

    assert delivery.proven_by(SECRET, world.clock() + 36_000) is not None
    assert receiver.other_event(delivery) is None


def test_tokens_are_not_in_the_queue(world: DoorWorld) -> None:
    """GitLab's token is a secret: the message has the name of its parameter instead."""
    world.send(gitlab_sent(gitlab_push(), token=SECRET))

    (message,) = world.messages()

    assert message["token_of"] == NAME
    assert SECRET not in json.dumps(message)


def test_events_are_those_of_the_receiver() -> None:
    """The door and the receiver agree on the events of pushes."""
    assert {HostKind(kind): set(events) for kind, events in PUSHES.items()} == receiver.PUSHES
    assert PUSHES.keys() == KEPT.keys()


@pytest.mark.parametrize("event", ["ping", "issues"])
def test_other_events_leave_the_host_asleep(world: DoorWorld, event: str) -> None:
    """An event that cannot start a run is answered, and does not wake the host."""
    answer = world.send(github_sent({"zen": "Speak like a human."}, event=event))

    assert (answer.status_code, answer.json()["result"]) == (200, "ignored")
    assert world.host_state == "stopped"


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"repository": []}', b'{"repository": {"clone_url": ""}}', b'{"a":' * 5000, b"\xff\xfe"]
)
def test_signed_nonsense_is_malformed(world: DoorWorld, body: bytes) -> None:
    """A body that names no repository is refused, even if it is signed."""
    sent = github_sent(github_push())

    wrong = Sent(headers=sent.headers, body=body).with_headers(x_hub_signature_256=f"sha256={signature(body, SECRET)}")

    answer = world.send(wrong.with_headers(content_type="application/octet-stream"))

    assert (answer.status_code, answer.json()["result"]) == (400, "malformed")
    assert world.messages() == []
    assert world.host_state == "stopped"


def test_request_of_a_stranger_is_malformed(world: DoorWorld) -> None:
    """A request without the headers of a git host is refused before secrets are read."""
    answer = world.send(Sent(headers={"content-type": "application/json"}, body=b"{}"))

    assert (answer.status_code, answer.json()["result"]) == (400, "malformed")


def test_oversized_body_is_refused(world: DoorWorld) -> None:
    """A body that is larger than a function URL takes is refused by AWS; where AWS lets it through, the door refuses it."""
    sent = github_sent(github_push())
    big = Sent(headers=sent.headers, body=b"x" * (LARGEST + 1))

    through = world.door.receive({"headers": dict(big.headers), "body": big.body.decode(), "isBase64Encoded": False}, "r")

    assert (through.status, through.result) == (413, "too big")
    assert world.send(Sent(headers=big.headers, body=big.body * 2)).status_code == 413
    assert world.host_state == "stopped"


def test_large_body_lies_in_the_bucket(world: DoorWorld) -> None:
    """A body that does not fit into a message is in the bucket, and the message says where."""
    sent = github_sent(github_push(padding="x" * LARGEST_IN_QUEUE))

    answer = world.send(sent)

    (message,) = world.messages()
    assert answer.status_code == 202
    assert "body" not in message
    assert world.aws.objects(world.names.bucket) == {message["object"]: sent.body}
    assert message["object"].startswith("inbox/")


def test_redelivery_is_queued_again(world: DoorWorld) -> None:
    """A delivery that is sent again at once is a message of its own. The receiver knows what is repeated."""
    sent = github_sent(github_push())

    statuses = [world.send(sent).status_code for _ in range(2)]

    assert statuses == [202, 202]
    assert [message["headers"]["x-github-delivery"] for message in world.messages()] == [sent.headers["x-github-delivery"]] * 2


def test_pushes_of_a_repository_keep_their_order(world: DoorWorld) -> None:
    """Five pushes of one repository come out of the queue as they came in, however they are signed."""
    sent = [github_sent(github_push(), identity=f"push-{number}") for number in range(5)]

    for one in sent:
        world.send(one)

    assert [message["headers"]["x-github-delivery"] for message in world.messages()] == [
        f"push-{number}" for number in range(5)
    ]


def test_repositories_do_not_wait_for_each_other(world: DoorWorld) -> None:
    """Pushes of different repositories are in different groups, and those of one repository in one."""
    for repository in ("acme/infra", "acme/app", "acme/infra"):
        world.send(github_sent(github_push(repository)))

    answer = world.client("sqs").receive_message(
        QueueUrl=world.names.queue, MaxNumberOfMessages=10, AttributeNames=["MessageGroupId"]
    )

    assert len({one["Attributes"]["MessageGroupId"] for one in answer["Messages"]}) == 2


@pytest.mark.parametrize("code", ["IncorrectInstanceState", "InsufficientInstanceCapacity", "UnauthorizedOperation"])
def test_start_that_fails_means_later(aws: Aws, stack: str, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    """If the host cannot be started now, the push is queued and answered with 202 all the same, and the log says why."""
    with refusing_ec2(code) as url, door_world(aws, stack, ec2_url=url) as world:
        answer = world.send(github_sent(github_push()))

        assert (answer.status_code, answer.json()["message"]) == (202, f"{NAME}: queued; the host is woken later")
        assert len(world.messages()) == 1
        assert code in capsys.readouterr().out


def test_push_that_cannot_be_stored_is_answered_with_503(world: DoorWorld) -> None:
    """Without the queue, the sender is told to send again, and the host stays asleep."""
    world.client("sqs").delete_queue(QueueUrl=world.names.queue)

    answer = world.send(github_sent(github_push()))

    assert (answer.status_code, answer.json()["result"]) == (503, "failed")
    assert world.host_state == "stopped"


def test_new_secret_works_at_once(world: DoorWorld) -> None:
    """A push that is signed with a secret made after the secrets were read is believed, some seconds later."""
    world.send(github_sent(github_push()))
    world.parameters.save_secret("acme-app-5e6f7a8b", "new secret")
    new = github_sent(github_push("acme/app"), secret="new secret")

    too_soon = world.send(new).status_code
    world.clock.now += 5
    soon = world.send(new).status_code

    assert (too_soon, soon) == (401, 202)


def test_removed_secret_stops_working(world: DoorWorld) -> None:
    """A minute after its removal, a secret proves nothing any more."""
    world.send(github_sent(github_push()))
    world.parameters.remove_secret(NAME)

    world.clock.now += 60

    assert world.send(github_sent(github_push())).status_code == 401


def test_more_secrets_than_a_page_has(world: DoorWorld) -> None:
    """Every secret is tried, however many repositories a stack has."""
    for number in range(25):
        world.parameters.save_secret(f"acme-{number}-00000000", f"secret {number}")

    statuses = {world.send(github_sent(github_push(), secret=f"secret {number}")).status_code for number in range(25)}

    assert statuses == {202}


def test_log_has_no_secrets(world: DoorWorld, capsys: pytest.CaptureFixture[str]) -> None:
    """The log says what became of each request. It has no secret, no signature and no payload."""
    sent = [github_sent(github_push(after="f" * 40)), gitlab_sent(gitlab_push()), github_sent(github_push(), secret="guessed")]

    for one in sent:
        world.send(one)

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    text = json.dumps(lines)
    assert [line["result"] for line in lines] == ["queued", "queued", "forged"]
    assert [word for word in (SECRET, sent[0].headers["x-hub-signature-256"][7:], "f" * 40) if word in text] == []


@contextmanager
def refusing_ec2(code: str) -> Iterator[str]:
    """An EC2 that refuses everything with an error. moto's instances always start."""
    body = f"<Response><Errors><Error><Code>{code}</Code><Message>not now</Message></Error></Errors></Response>"

    class Requests(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(400)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name of the base class
            """Print nothing."""

    server = HTTPServer(("127.0.0.1", 0), Requests)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
