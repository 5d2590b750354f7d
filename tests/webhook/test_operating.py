"""What the operator of a receiver sees: health, metrics, the log, the file, and a second receiver."""

from __future__ import annotations

import re
import sqlite3
import stat
from pathlib import Path

import pytest

from dockercise_prefect.errors import WebhookError
from dockercise_prefect.webhook.receiver.server import listen
from tests.webhook.payloads import (
    SECRET,
    Sent,
    github_push,
    github_sent,
    gitlab_push,
    gitlab_sent,
)
from tests.webhook.receiving import Receiving, receiving
from tests.webhook.scripted_world import ScriptedWorld
from tests.webhook.world import eventually


def test_health(world: ScriptedWorld, receiver: Receiving) -> None:
    """Health shows whether deliveries are accepted, and separately the state of Prefect."""
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
    """The metrics count deliveries by their results, and runs."""
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
    """A line shows host, repository, branch, commit, the result, and how long it took."""
    world.register("acme/infra")
    payload = github_push("acme/infra")

    receiver.deliver(github_sent(payload))

    pattern = rf"github acme/infra main {payload['after'][:7]}: queued, queued for registered/acme/infra \(\d+\.\d ms\)"
    eventually(lambda: any(re.fullmatch(pattern, line) for line in receiver.log))


def test_nothing_secret_in_the_log(world: ScriptedWorld, receiver: Receiving, tmp_path: Path) -> None:
    """Neither secrets nor payloads are in a log or an answer, whatever fails; text of strangers stays on one line."""
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
    """Only the user can read deliveries and the copies of secrets."""
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
    """A second receiver with the same data folder is refused with the reason."""
    assert receiver.url

    with pytest.raises(WebhookError, match="another receiver is using"), receiving(world.hub, tmp_path / "data"):
        pass


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 8200), ("no.such.host.invalid", 8200), ("x" * 300, 1)])
def test_places_that_are_not_here(host: str, port: int) -> None:
    """An address that does not belong to this machine is an error with the reason."""
    with pytest.raises(WebhookError, match="cannot listen on"):
        listen(host, port)
