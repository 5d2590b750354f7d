"""Reading bodies that are proven: with bounds, and in a separate process if they are long."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.webhook.payload.content import read_payload
from dockercise_prefect.webhook.payload.delivery import MalformedError, read_delivery
from dockercise_prefect.webhook.payload.push import MOST_PATHS, NoPush, Push
from dockercise_prefect.webhook.payload.reading import READ_HERE, event_of
from tests.webhook.payloads import Sent, github_push, github_sent


@given(payload=st.dictionaries(st.text(), st.text() | st.integers()), before=st.integers(0, 8))
def test_a_form_holds_the_same(payload: dict[str, object], before: int) -> None:
    """GitHub's default content type, a form, holds the same payload, wherever it is cut for decoding."""
    text = json.dumps({"long": "x" * before + "é+ %" * 9000} | payload, ensure_ascii=False)

    assert read_payload(urlencode({"payload": text}).encode(), form=True) == json.loads(text)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[]", "not a JSON object"),
        (b"", "not valid JSON"),
        (b'{"a": "\xff"}', "not UTF-8 (byte 7)"),
        (b'{"a": NaN}', "not valid JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_payload(body: bytes, message: str) -> None:
    """An error is reported without any text of the payload."""
    with pytest.raises(MalformedError) as raised:
        read_payload(body, form=False)

    assert message in raised.value.message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{}", "no field `payload`"),
        (b"payload=%FF", "not UTF-8"),
        (b"payload=%", "not valid JSON"),
        (b"payload={}&payload={}", "or several"),
        (b"a=1&" * 20, "not a form"),
    ],
)
def test_what_is_no_form(body: bytes, message: str) -> None:
    """A form without its one field is refused."""
    with pytest.raises(MalformedError) as raised:
        read_payload(body, form=True)

    assert message in raised.value.message


def large(sent: Sent) -> Sent:
    """The same push followed by many blanks, so that it is a long one."""
    return Sent(headers=sent.headers, body=sent.body + b" " * READ_HERE)


def test_a_long_push_is_the_same_push() -> None:
    """A body that is read in a separate process gives the same result as one that is read in this process."""
    sent = github_sent(github_push(changed=[f"a/{number}" for number in range(MOST_PATHS)]))

    apart = event_of(read_delivery(sent.headers, large(sent).body))

    assert isinstance(apart, Push)
    assert apart == event_of(read_delivery(sent.headers, sent.body))


def test_a_long_body_that_is_no_push() -> None:
    """Errors of a long body, and reasons why it starts nothing, are reported as for a short body."""
    note = large(github_sent(github_push(ref="refs/notes/x")))
    broken = large(github_sent(github_push(sender="me")))

    assert event_of(read_delivery(note.headers, note.body)) == NoPush(
        "`refs/notes/x` is not a branch or tag; only pushes of those start runs"
    )
    with pytest.raises(MalformedError, match="`sender` in the payload is not an object"):
        event_of(read_delivery(broken.headers, broken.body))


def test_a_body_that_takes_too_much() -> None:
    """A proven body that needs more memory than the limit is refused, and this process goes on."""
    sent = github_sent({})
    hostile = b'{"a": [' + b"[]," * (24 * 1024 * 1024 // 3) + b"[]]}"

    with pytest.raises(MalformedError, match="takes too much time or memory to read"):
        event_of(read_delivery(sent.headers, hostile))
