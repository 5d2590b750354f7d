"""Hostile senders: their requests are proven before they are read, and cost a bounded amount of work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from dockercise_prefect.webhook.receiver.body import LARGEST
from dockercise_prefect.webhook.receiver.directory import DirectoryPace
from dockercise_prefect.webhook.receiver.intake import MOST_HASHED
from tests.webhook.payloads import Sent, gitea_sent, github_push, github_sent, gitlab_sent, gitlab_signed, signature
from tests.webhook.receiving import BRISK, Receiving, receiving
from tests.webhook.scripted_world import ScriptedWorld
from tests.webhook.world import eventually

GITHUB = b'{"repository": {"clone_url": "https://github.com/acme/infra.git"}, "a": '
GITLAB = b'{"project": {"git_http_url": "https://github.com/acme/infra.git"}, "a": '


def knows(receiver: Receiving, count: int) -> None:
    """Wait until the receiver has read this number of registrations."""
    eventually(lambda: receiver.client.get("/health").json()["registrations"]["count"] == count, 60)


def nested(start: bytes, size: int) -> bytes:
    """Many small lists, which need twenty times their size when they are parsed."""
    return start + b"[" + b"[]," * ((size - len(start) - 10) // 3) + b"[]]}"


@pytest.mark.parametrize(
    "sent",
    [
        Sent(headers=github_sent({}, secret="guessed").headers, body=GITHUB + b"[" * 100_000),
        Sent(headers=github_sent({}, secret="guessed", form=True).headers, body=b"payload=" + GITHUB + b"["),
        Sent(headers=gitea_sent({}, secret="guessed").headers, body=GITHUB + b"\xff"),
        Sent(headers=gitlab_sent({}, token="guessed").headers, body=GITLAB + b"{"),
        Sent(headers=gitlab_signed({}, key=b"guessed").headers, body=GITLAB + b"{"),
    ],
    ids=["github", "form", "gitea", "gitlab's token", "gitlab's signature"],
)
def test_what_is_forged_is_not_read(world: ScriptedWorld, receiver: Receiving, sent: Sent) -> None:
    """A body that is not JSON is refused because of its signature: the body was not parsed."""
    world.register("acme/infra")
    knows(receiver, 1)
    body = sent.body if b"payload=" not in sent.body else sent.body.replace(b'"', b"%22")

    assert receiver.result(Sent(headers=sent.headers, body=body)) == (401, "forged")


def test_health_answers_while_strangers_send(world: ScriptedWorld, receiver: Receiving) -> None:
    """Eight forged deliveries of 25 MB at the same time are refused; health and genuine pushes are answered meanwhile."""
    world.register("acme/infra")
    knows(receiver, 1)
    forged = Sent(headers=github_sent({}, secret="guessed").headers, body=nested(GITHUB, LARGEST))

    def send(_number: int) -> int:
        with httpx.Client(base_url=receiver.url, timeout=120, trust_env=False) as client:
            return client.post("/", content=forged.body, headers=dict(forged.headers)).status_code

    with ThreadPoolExecutor(8) as senders:
        answers = senders.map(send, range(8))
        meanwhile = [receiver.client.get("/health").status_code for _ in range(20)]
        pushed = receiver.result(github_sent(github_push("acme/infra")))
        statuses = list(answers)

    assert set(meanwhile) == {200}
    assert pushed == (202, "queued")
    assert set(statuses) <= {401, 503}
    assert 401 in statuses


def test_hundreds_of_registrations(world: ScriptedWorld, tmp_path: Path) -> None:
    """A push finds its secret among hundreds; on a large body that names them all, only a limited number is tried."""
    count = 200
    for number in range(count):
        world.register("acme/infra", secret=f"secret {number:03}", name=f"n{number:03}")
    large = nested(GITHUB, LARGEST)
    last, first, beyond = (f"secret {number:03}" for number in (count - 1, 0, MOST_HASHED // LARGEST))

    with receiving(world.hub, tmp_path / "data", pace=replace(BRISK, directory=DirectoryPace())) as receiver:
        knows(receiver, count)
        usual = receiver.result(github_sent(github_push("acme/infra"), secret=last))
        signed = [f"sha256={signature(large, secret)}" for secret in (first, beyond)]
        headers = [github_sent({}).with_headers(x_hub_signature_256=one).headers for one in signed]
        of_first, of_beyond = [receiver.result(Sent(headers=one, body=large)) for one in headers]

    assert usual == (202, "queued")
    assert of_first == (400, "malformed")
    assert of_beyond == (401, "forged")


def test_two_secrets_of_one_repository(world: ScriptedWorld, receiver: Receiving) -> None:
    """If a repository has two deployments, a delivery starts the one whose secret it was signed with."""
    world.register("acme/infra", secret="one")
    other = world.register("acme/infra", secret="two", name="second")
    knows(receiver, 2)

    assert receiver.result(github_sent(github_push("acme/infra"), secret="two")) == (202, "queued")
    eventually(lambda: [run.deployment_id for run in world.runs()] == [other.deployment_id])
