"""The file of a receiver: its content, how long it is kept, and what happens with a file that is not ours."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.errors import WebhookError
from dockercise_prefect.webhook.payload.delivery import read_delivery
from dockercise_prefect.webhook.payload.push import Push
from dockercise_prefect.webhook.payload.reading import event_of
from dockercise_prefect.webhook.receiver.database import Database
from dockercise_prefect.webhook.receiver.inbox import KEPT_SECONDS, Acceptance, Addressee, Inbox
from dockercise_prefect.webhook.receiver.notices import Notices
from dockercise_prefect.webhook.receiver.orders import Orders
from tests.webhook.payloads import github_push, github_sent


def a_push() -> Push:
    sent = github_sent(github_push("acme/infra"))
    push = event_of(read_delivery(sent.headers, sent.body))
    assert isinstance(push, Push)
    return push


def test_what_was_pushed_is_not_kept(tmp_path: Path) -> None:
    """When a delivery is done, the bytes of its push are removed from the file; after a month the rest is removed, too."""
    path = tmp_path / "webhook/deliveries.sqlite"
    with closing(Database(path)) as database:
        inbox, orders = Inbox(database), Orders(database)
        push = replace(a_push(), changed=("a-name-that-is-nowhere-else",))
        inbox.accept("github:1", "digest", push, [Addressee("id", "flow/name")], now=0.0)
        order = orders.claim(now=1.0)
        assert order is not None
        assert order.event == push
        orders.done(order, "untouched")
        orders.release(order)

        again = inbox.accept("github:1", "digest", push, [], now=2.0)
        forgotten = (inbox.forget(KEPT_SECONDS - 1.0), inbox.forget(KEPT_SECONDS + 1.0))

    assert again is Acceptance.REPEATED
    assert forgotten == (0, 1)
    assert b"a-name-that-is-nowhere-else" not in path.read_bytes()


def test_what_waits_is_never_forgotten(tmp_path: Path) -> None:
    """A delivery that still waits after a month is kept."""
    with closing(Database(tmp_path / "webhook/deliveries.sqlite")) as database:
        inbox = Inbox(database)
        inbox.accept("github:1", None, a_push(), [Addressee("id", "flow/name")], now=0.0)

        assert inbox.forget(KEPT_SECONDS * 2.0) == 0
        assert inbox.waiting() == 1


def test_a_file_of_the_version_before(tmp_path: Path) -> None:
    """A file of an earlier version keeps its waiting deliveries, but not its statuses, whose sites came from payloads."""
    path = tmp_path / "webhook/deliveries.sqlite"
    path.parent.mkdir()
    push = json.dumps({**json.loads(a_push().to_json()), "site": "https://evil.example.org"})
    with closing(sqlite3.connect(path)) as old, old:
        old.executescript((Path(__file__).parent / "version-1.sql").read_text(encoding="utf-8"))
        old.execute(
            "INSERT INTO deliveries VALUES (1, 'github:1', NULL, 'github', 'acme/infra', 'https://x.org', 'main', 'a', 0, ?)",
            (push,),
        )
        old.execute("INSERT INTO orders (seq, delivery, deployment_id, name, due, token) VALUES (1, 1, 'id', 'f/d', 0, 't')")
        old.execute("INSERT INTO notices VALUES (1, 'pending', 'waits', 0, 0, 0)")

    with closing(Database(path)) as database:
        order, notice = Orders(database).claim(now=1.0), Notices(database).claim(now=1.0)

    assert order is not None
    assert order.event.repository == "acme/infra"
    assert notice is None


def test_files_that_are_not_ours(tmp_path: Path) -> None:
    """A file that is not a database, or has another version, is an error that names it; the file is not overwritten."""
    path = tmp_path / "webhook/deliveries.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 100)

    with pytest.raises(WebhookError, match="cannot store deliveries in"):
        Database(path)

    assert path.read_bytes().startswith(b"no database")
