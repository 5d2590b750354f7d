"""What is answered at the door, over a real socket."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dockercise_prefect.errors import WebhookError
from dockercise_prefect.webhook.body import LARGEST
from dockercise_prefect.webhook.server import listen
from tests.webhook.payloads import (
    SECRET,
    Sent,
    gitea_push,
    gitea_sent,
    github_examples,
    github_push,
    github_sent,
    gitlab_push,
    gitlab_sent,
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
    """Deliveries are taken at the root and at /webhook."""
    world.register("acme/infra")

    assert receiver.deliver(github_sent(github_push("acme/infra")), path).status_code == 202


def test_every_host(world: ScriptedWorld, receiver: Receiving) -> None:
    """GitHub's JSON and forms, Gitea's, Forgejo's and GitLab's deliveries come in by the same door."""
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
    """GitHub's ping shows whether repository and secret are right, and starts nothing."""
    world.register("Octocoders/Hello-World")
    ping = github_examples("ping")[0]

    assert receiver.result(github_sent(ping, event="ping")) == (200, "ignored")
    assert receiver.result(github_sent(ping, event="ping", secret="another")) == (401, "forged")
    assert world.runs() == []


def test_the_ping_of_an_organisation(receiver: Receiving) -> None:
    """A delivery that names no repository is answered politely, and does nothing."""
    (ping,) = [one for one in github_examples("ping") if "repository" not in one]

    answer = receiver.deliver(github_sent(ping, event="ping"))

    assert (answer.status_code, answer.json()["message"]) == (200, "the delivery names no repository")


def test_a_forged_delivery(world: ScriptedWorld, receiver: Receiving) -> None:
    """A signature by another secret, and none at all, are refused with 401."""
    world.register("acme/infra")

    assert receiver.result(github_sent(github_push("acme/infra"), secret="guessed")) == (401, "forged")
    assert receiver.result(github_sent(github_push("acme/infra")).without("x-hub-signature-256")) == (401, "forged")
    assert receiver.result(gitlab_sent(gitlab_push("acme/infra"), token=None)) == (401, "forged")
    assert world.runs() == []


def test_no_secret_anywhere(world: ScriptedWorld, receiver: Receiving) -> None:
    """A deployment without a secret takes nothing from nobody, and the log says what to do."""
    world.register("acme/infra", secret=None)
    world.register("acme/empty", secret="")

    for repository in ("acme/infra", "acme/empty"):
        assert receiver.result(github_sent(github_push(repository), secret="")) == (401, "forged")
        assert receiver.result(github_sent(github_push(repository))) == (401, "forged")

    assert receiver.logged("there is no secret for registered/acme/infra: set DOCKERCISE_WEBHOOK_SECRET")


def test_the_receivers_own_secret(world: ScriptedWorld, tmp_path: Path) -> None:
    """A deployment that names no secret takes the receiver's own; one that names one does not."""
    world.register("acme/infra", secret=None)
    world.register("acme/other", secret="its own")

    with receiving(world.hub, tmp_path / "data", own_secret="of the receiver") as receiver:
        assert receiver.result(github_sent(github_push("acme/infra"), secret="of the receiver")) == (202, "queued")
        assert receiver.result(github_sent(github_push("acme/other"), secret="of the receiver")) == (401, "forged")


def test_each_deployment_by_its_own_secret(world: ScriptedWorld, receiver: Receiving) -> None:
    """Whoever knows the secret of one repository starts nothing of another by naming its address besides."""
    world.register("acme/infra")
    mallory = world.register("mallory/tools", secret="mallory's")
    payload = github_push("acme/infra")
    payload["repository"]["ssh_url"] = "git@github.com:mallory/tools.git"

    assert receiver.result(github_sent(payload, secret="mallory's")) == (202, "queued")
    eventually(lambda: len(world.runs()) == 1)
    assert [run.deployment_id for run in world.runs()] == [mallory.deployment_id]


def test_an_unknown_repository(world: ScriptedWorld, receiver: Receiving) -> None:
    """A repository that nobody registered is answered with 404."""
    world.register("acme/infra")
    eventually(lambda: receiver.logged("1 deployment waits for pushes") or receiver.logged("0 deployments"))

    assert receiver.result(github_sent(github_push("acme/unknown"))) == (404, "unknown")


def test_a_repository_that_was_just_registered(world: ScriptedWorld, tmp_path: Path) -> None:
    """A delivery of a repository that is not known yet has the registrations read again before it is answered."""
    pace = replace(BRISK, directory=replace(BRISK.directory, usual=3600))
    with receiving(world.hub, tmp_path / "data", pace=pace) as receiver:
        eventually(lambda: world.calls("registrations") == 1)
        world.register("acme/new")

        assert receiver.result(github_sent(github_push("acme/new"))) == (202, "queued")


def test_unknown_repositories_do_not_wear_prefect_out(world: ScriptedWorld, tmp_path: Path) -> None:
    """However many unknown repositories ask, the registrations are read again only so often."""
    pace = replace(BRISK, directory=replace(BRISK.directory, usual=3600, least=0.5))
    with receiving(world.hub, tmp_path / "data", pace=pace) as receiver:
        began = time.monotonic()
        for _ in range(5):
            assert receiver.result(github_sent(github_push("acme/unknown")))[0] == 404
        took = time.monotonic() - began

    assert world.calls("registrations") <= 2 + took / 0.5


def test_unknown_while_prefect_is_down(world: ScriptedWorld, receiver: Receiving) -> None:
    """Where nobody can say whether a repository is registered, that is what the answer says."""
    eventually(lambda: receiver.logged("0 deployments wait"))
    world.hang_up()
    eventually(lambda: receiver.logged("Prefect does not answer"))

    answer = receiver.deliver(github_sent(github_push("acme/infra")))

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert answer.json()["message"] == "the registrations cannot be read now"


def test_a_branch_that_nobody_waits_for(world: ScriptedWorld, receiver: Receiving) -> None:
    """Branches are chosen by globs, in which letter case counts."""
    world.register("acme/infra", branches=["main", "release/*"])

    assert receiver.result(github_sent(github_push("acme/infra", branch="release/1.0"))) == (202, "queued")
    assert receiver.result(github_sent(github_push("acme/infra", branch="Main"))) == (200, "ignored")
    assert receiver.result(github_sent(github_push("acme/infra", branch="feature"))) == (200, "ignored")
    assert receiver.logged("github acme/infra feature")


def test_repeated_deliveries(world: ScriptedWorld, receiver: Receiving) -> None:
    """A delivery that comes again, and a signed body under another id or by another host's headers, run once."""
    world.register("acme/infra")
    payload = github_push("acme/infra")

    assert receiver.result(github_sent(payload, identity="one")) == (202, "queued")
    assert receiver.result(github_sent(payload, identity="one")) == (200, "repeated")
    assert receiver.result(github_sent(payload, identity="two")) == (200, "repeated")
    assert receiver.result(gitea_sent(payload, identity="three")) == (200, "repeated")
    eventually(lambda: len(world.runs()) == 1)


def test_gitlabs_tokens_sign_no_body(world: ScriptedWorld, receiver: Receiving) -> None:
    """The same body under another id is another push where the host signs none."""
    world.register("https://gitlab.com/acme/infra")
    payload = gitlab_push("acme/infra")

    assert receiver.result(gitlab_sent(payload, identity="one")) == (202, "queued")
    assert receiver.result(gitlab_sent(payload, identity="one")) == (200, "repeated")
    assert receiver.result(gitlab_sent(payload, identity="two")) == (202, "queued")


def test_malformed_deliveries(world: ScriptedWorld, receiver: Receiving) -> None:
    """What is no delivery is answered with 400 and what is missing."""
    world.register("acme/infra")
    payload = github_push("acme/infra")
    del payload["after"]

    answer = receiver.deliver(github_sent(payload))

    assert (answer.status_code, answer.json()["message"]) == (400, "the payload lacks `after`")
    assert receiver.deliver(Sent(headers={}, body=b"hello")).status_code == 400


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=st.binary(), event=st.sampled_from(["x-github-event", "x-gitlab-event", "x-gitea-event", "x-nothing"]))
def test_any_bytes_at_the_door(receiver: Receiving, body: bytes, event: str) -> None:
    """Whatever comes, the answer is a client's error, and never our own."""
    answer = receiver.deliver(Sent(headers={event: "push", "x-github-delivery": "1"}, body=body))

    assert 400 <= answer.status_code < 500


def test_the_queue_is_full(world: ScriptedWorld, tmp_path: Path) -> None:
    """More than the queue holds is answered with 503, and taken when there is room again."""
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


def connected(receiver: Receiving) -> socket.socket:
    host, port = receiver.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def rest_of(connection: socket.socket) -> bytes:
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
    return answer


def raw(receiver: Receiving, *parts: bytes) -> bytes:
    """Send bytes as they are; returns all that is answered until the connection is closed."""
    with connected(receiver) as connection:
        for part in parts:
            connection.sendall(part)
        return rest_of(connection)


def test_a_body_that_says_it_is_too_big(receiver: Receiving) -> None:
    """A body that announces more than any payload has is refused before it comes."""
    answer = raw(receiver, f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {LARGEST + 1}\r\n\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.rpartition(b"\r\n")[2])["result"] == "too big"


def test_a_body_that_does_not_say_how_big_it_is(receiver: Receiving) -> None:
    """A body in chunks is cut off when it is larger than any payload."""
    size = LARGEST + 1
    answer = raw(
        receiver, b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", f"{size:x}\r\n".encode(), b"x" * size
    )

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_slow_senders(world: ScriptedWorld, tmp_path: Path) -> None:
    """A body that does not come is given up, and does not hold up others."""
    world.register("acme/infra")
    with receiving(world.hub, tmp_path / "data", pace=replace(BRISK, body_seconds=0.3)) as receiver:
        answer = raw(receiver, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")

        assert answer.startswith(b"HTTP/1.1 408 ")
        assert receiver.result(github_sent(github_push("acme/infra"))) == (202, "queued")


def test_slow_heads(receiver: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection on which no request comes is closed, also after one that was answered."""
    monkeypatch.setattr("dockercise_prefect.webhook.prompt_connection.PromptConnection.head_seconds", 0.3)

    assert raw(receiver) == b""
    assert raw(receiver, b"POST / HTTP/1.1\r\nHost:") == b""
    with connected(receiver) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        answered = b""
        while not answered.endswith(b"}"):
            answered += connection.recv(65536)
        connection.sendall(b"GET /he")
        assert answered.startswith(b"HTTP/1.1 200 ")
        assert rest_of(connection) == b""


def test_other_requests(receiver: Receiving) -> None:
    """Other methods and paths are refused, and nothing is shown of the program."""
    assert receiver.client.get("/").status_code == 405
    assert receiver.client.post("/admin").status_code == 404
    assert "server" not in receiver.client.get("/health").headers


def test_health(world: ScriptedWorld, receiver: Receiving) -> None:
    """Health says whether deliveries are accepted, and how Prefect is, which is another thing."""
    world.register("acme/infra")
    eventually(lambda: receiver.client.get("/health").json()["registrations"]["count"] == 1)

    well = receiver.client.get("/health")
    world.hang_up()
    eventually(lambda: not receiver.client.get("/health").json()["prefect"])
    down = receiver.client.get("/health")

    assert (well.status_code, well.json()["prefect"], well.json()["queue"]) == (200, True, 0)
    assert (down.status_code, down.json()["accepts"]) == (200, True)
    assert 0 <= well.json()["registrations"]["age_seconds"] < 60


def test_metrics(world: ScriptedWorld, receiver: Receiving) -> None:
    """The metrics count deliveries by what became of them, and runs."""
    world.register("acme/infra")
    receiver.deliver(github_sent(github_push("acme/infra")))
    receiver.deliver(github_sent(github_push("acme/infra"), secret="guessed"))
    eventually(lambda: receiver.figures().get('dockercise_webhook_submissions_total{result="started"}') == 1)

    figures = receiver.figures()

    assert figures['dockercise_webhook_deliveries_total{result="queued"}'] == 1
    assert figures['dockercise_webhook_deliveries_total{result="forged"}'] == 1
    assert figures['dockercise_webhook_deliveries_total{result="unknown"}'] == 0
    assert figures["dockercise_webhook_answer_seconds_count"] == 2
    assert figures["dockercise_webhook_queue_length"] == 0
    assert figures["dockercise_webhook_prefect_up"] == 1


def test_the_log_has_one_line_for_each_delivery(world: ScriptedWorld, receiver: Receiving) -> None:
    """A line says host, repository, branch, commit, what became of it, and how long that took."""
    world.register("acme/infra")
    payload = github_push("acme/infra")

    receiver.deliver(github_sent(payload))

    pattern = rf"github acme/infra main {payload['after'][:7]}: queued, queued for registered/acme/infra \(\d+\.\d ms\)"
    eventually(lambda: any(re.fullmatch(pattern, line) for line in receiver.log))


def test_nothing_secret_in_the_log(world: ScriptedWorld, receiver: Receiving, tmp_path: Path) -> None:
    """Neither secrets nor payloads are in a log or an answer, whatever goes wrong; what strangers wrote is on one line."""
    world.register("acme/infra")
    world.surprise(1)
    payload = github_push("acme/infra", head_commit="the payload's own text")
    sents = [
        github_sent(payload),
        gitlab_sent(gitlab_push("acme/infra"), token=SECRET),
        github_sent(payload).with_headers(x_hub_signature_256=f"sha256={SECRET.encode().hex()}"),
        github_sent(github_push("acme/infra", branch="main\nforged line \x1b[31m")),
        Sent(headers=github_sent({}).headers, body=b'{"the payload\'s own text": '),
    ]

    answers = "".join(receiver.deliver(sent).text for sent in sents)
    eventually(lambda: len(world.runs()) == 2)
    log = "\n".join(receiver.log)

    for text in (answers, log):
        assert SECRET not in text
        assert SECRET.encode().hex() not in text
        assert "the payload's own text" not in text
        assert "in a message that nobody foresaw" not in text
    assert all(line.isprintable() for line in receiver.log)


def test_the_file_is_its_owners(world: ScriptedWorld, receiver: Receiving, tmp_path: Path) -> None:
    """Deliveries and the copies of secrets are for the user's eyes only."""
    world.register("acme/infra")
    receiver.deliver(github_sent(github_push("acme/infra")))
    folder = tmp_path / "data/webhook"

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}, modes


def test_a_disk_that_fails(world: ScriptedWorld, receiver: Receiving, tmp_path: Path) -> None:
    """A delivery that cannot be kept is not accepted."""
    world.register("acme/infra")
    eventually(lambda: receiver.logged("1 deployment waits") or receiver.logged("0 deployments wait"))
    with sqlite3.connect(tmp_path / "data/webhook/deliveries.sqlite") as connection:
        connection.execute("DROP TABLE deliveries")

    answer = receiver.deliver(github_sent(github_push("acme/infra")))

    assert (answer.status_code, answer.json()["result"]) == (503, "failed")


def test_two_receivers_of_one_folder(world: ScriptedWorld, receiver: Receiving, tmp_path: Path) -> None:
    """A second receiver with the same data folder is refused, and says why."""
    assert receiver.url

    with pytest.raises(WebhookError, match="another receiver works with"), receiving(world.hub, tmp_path / "data"):
        pass


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 8200), ("no.such.host.invalid", 8200), ("x" * 300, 1)])
def test_places_that_are_not_here(host: str, port: int) -> None:
    """An address that is not this machine's is an error that says so."""
    with pytest.raises(WebhookError, match="cannot listen on"):
        listen(host, port)
