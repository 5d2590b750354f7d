"""GitHub's device flow, against a server with its two pages. The time between two questions does not pass, but is counted."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dockercise_prefect.errors import HostError, HostRefusedError
from dockercise_prefect.hosts.device_flow import DeviceFlow
from dockercise_prefect.hosts.github_site import GitHubSite
from tests.support.hosts.device_flow_pages import CLIENT_ID, DEVICE_CODE, PENDING, USER_CODE, DeviceFlowPages, Reply
from tests.support.hosts.github_server import ENTERPRISE, TOKEN, GitHubServer, running_github

AGREED: Reply = {"access_token": TOKEN, "token_type": "bearer", "scope": "repo"}
SLOW_DOWN: Reply = {"error": "slow_down", "interval": 12}


@dataclass
class Time:
    """A clock that only pauses move on."""

    now: float = 1000
    pauses: list[float] = field(default_factory=list)

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def server() -> Iterator[GitHubServer]:
    """A GitHub Enterprise. Its answers tell programs to ask every five seconds."""
    with running_github(ENTERPRISE) as server:
        server.logins.started = {"interval": 5}
        yield server


@pytest.fixture
def pages(server: GitHubServer) -> DeviceFlowPages:
    """Its pages for the device flow."""
    return server.logins


@pytest.fixture
def time() -> Time:
    """The time of the program that asks."""
    return Time()


@pytest.fixture
def flow(server: GitHubServer, time: Time) -> DeviceFlow:
    """A program that logs users in there."""
    return DeviceFlow(_site(server), CLIENT_ID, time.pause, lambda: time.now)


def _site(server: GitHubServer) -> GitHubSite:
    return GitHubSite.of(server.api.removeprefix("http://").removesuffix("/api/v3"))


def test_user_agrees(flow: DeviceFlow, pages: DeviceFlowPages, time: Time) -> None:
    """The user gets a code and the page to type it on, and GitHub is asked every five seconds until the user has agreed."""
    pages.replies = [PENDING, PENDING, AGREED]

    code = flow.start()
    granted = flow.wait(code)

    assert (code.user_code, code.address.rpartition(":")[2].partition("/")[2]) == (USER_CODE, "login/device")
    assert (granted.token, granted.seconds) == (TOKEN, None)
    assert time.pauses == [5, 5, 5]
    assert pages.scopes == ["repo"]


def test_token_with_an_end(flow: DeviceFlow, pages: DeviceFlowPages) -> None:
    """The token of a GitHub App comes with the time for which it is valid."""
    pages.replies = [{"access_token": TOKEN, "expires_in": 28800, "refresh_token": "ghr_x", "token_type": "bearer"}]

    assert flow.wait(flow.start()).seconds == 28800


def test_token_that_ends_in_another_age(flow: DeviceFlow, pages: DeviceFlowPages) -> None:
    """However far away the end of a token is said to be, it is a time that calendars have."""
    pages.replies = [{"access_token": TOKEN, "expires_in": 10**30}]

    seconds = flow.wait(flow.start()).seconds

    assert seconds is not None
    assert datetime.now(UTC) + timedelta(seconds=seconds) > datetime.now(UTC)


@pytest.mark.parametrize(
    ("reply", "later"), [(SLOW_DOWN, 12), ({"error": "slow_down"}, 10), ({"error": "slow_down", "interval": 1}, 10)]
)
def test_slow_down(flow: DeviceFlow, pages: DeviceFlowPages, time: Time, reply: Reply, later: int) -> None:
    """If GitHub asks to slow down, the time between questions grows by five seconds, or to what GitHub names."""
    pages.replies = [reply, PENDING, AGREED]

    flow.wait(flow.start())

    assert time.pauses == [5, later, later]


@pytest.mark.parametrize("error", ["expired_token", "token_expired"])
def test_code_has_expired(flow: DeviceFlow, pages: DeviceFlowPages, error: str) -> None:
    """If GitHub says that the code has expired, the error says what to do."""
    pages.replies = [PENDING, {"error": error}]

    with pytest.raises(HostError, match="the code has expired\n  hint: type the command again"):
        flow.wait(flow.start())


def test_code_expires_here(flow: DeviceFlow, pages: DeviceFlowPages, time: Time) -> None:
    """After the time of the code, GitHub is not asked any more."""
    pages.started = {"interval": 5, "expires_in": 12}

    with pytest.raises(HostError, match="the code has expired"):
        flow.wait(flow.start())

    assert time.pauses == [5, 5, 2]
    assert pages.questions == 3


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("access_denied", "the log-in was refused on 127.0.0.1"),
        ("device_flow_disabled", "does not allow the device flow"),
        ("incorrect_client_credentials", f"has no app with the id {CLIENT_ID}"),
        ("a_new\x1b[31m_error", "refused the log-in: a_new [31m_error"),
    ],
)
def test_refusals(flow: DeviceFlow, pages: DeviceFlowPages, error: str, said: str) -> None:
    """Each refusal ends the log-in, with its reason."""
    pages.replies = [PENDING, {"error": error}]

    with pytest.raises(HostRefusedError) as refused:
        flow.wait(flow.start())

    assert said in refused.value.message
    assert refused.value.hint


def test_app_that_may_not(flow: DeviceFlow, pages: DeviceFlowPages) -> None:
    """An app that does not allow the device flow is reported at the start."""
    pages.started = {"error": "device_flow_disabled"}

    with pytest.raises(HostRefusedError, match="does not allow the device flow"):
        flow.start()


def test_unknown_app(server: GitHubServer) -> None:
    """If GitHub does not know the app, the message names the setting."""
    with pytest.raises(
        HostRefusedError, match=r"has no app with the id Iv1\.another\n  hint: correct the setting `github_client_id`"
    ):
        DeviceFlow(_site(server), "Iv1.another").start()


@pytest.mark.parametrize("hiccup", [None, 500, 429])
def test_hiccup(flow: DeviceFlow, pages: DeviceFlowPages, time: Time, hiccup: Reply) -> None:
    """A question without an answer is asked again, after twice the time."""
    pages.replies = [hiccup, PENDING, AGREED]

    assert flow.wait(flow.start()).token == TOKEN
    assert time.pauses == [5, 10, 10]


def test_hiccups_are_counted_anew(flow: DeviceFlow, pages: DeviceFlowPages) -> None:
    """Only questions without an answer that follow one another end the log-in."""
    pages.started = {"interval": 0, "expires_in": 3600}
    pages.replies = [*[None] * 4, PENDING, *[None] * 4, AGREED]

    assert flow.wait(flow.start()).token == TOKEN


@pytest.mark.parametrize(("outage", "said"), [(None, "no answer from 127.0.0.1"), (503, "is too busy for a log-in")])
def test_outage(flow: DeviceFlow, pages: DeviceFlowPages, outage: Reply, said: str) -> None:
    """If GitHub does not answer any more, the log-in ends, and another try may succeed."""
    pages.replies = [PENDING, outage]

    with pytest.raises(HostError, match=said) as failed:
        flow.wait(flow.start())

    assert not isinstance(failed.value, HostRefusedError)
    assert pages.questions == 6


def test_nobody_there() -> None:
    """If no server listens, the error names the host."""
    with pytest.raises(HostError, match=r"no answer from 127\.0\.0\.1:9"):
        DeviceFlow(GitHubSite.of("127.0.0.1:9"), CLIENT_ID).start()


@pytest.mark.parametrize(
    "reply",
    [b"<html>a proxy</html>", b"[]", b"{", b"[" * 100_000, 307, {"access_token": "two words"}, {"access_token": 1}],
    ids=lambda reply: str(reply)[:20],
)
def test_something_else_answers(flow: DeviceFlow, pages: DeviceFlowPages, reply: Reply) -> None:
    """An answer that cannot come from GitHub, such as a redirection, ends the log-in."""
    pages.replies = [reply, AGREED]

    with pytest.raises(HostRefusedError, match="is not GitHub"):
        flow.wait(flow.start())


@pytest.mark.parametrize(
    "started",
    [
        {"user_code": "\x1b[31mA"},
        {"verification_uri": "javascript:x"},
        {"verification_uri": "https://a\nb"},
        {"device_code": ""},
    ],
)
def test_code_that_is_none(flow: DeviceFlow, pages: DeviceFlowPages, started: dict[str, str]) -> None:
    """A code or an address that GitHub does not send is never shown."""
    pages.started = started

    with pytest.raises(HostRefusedError, match="is not GitHub"):
        flow.start()


def test_password_of_the_user_stays_here(
    flow: DeviceFlow, pages: DeviceFlowPages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password in `.netrc` is not sent: these pages are asked without one."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    pages.replies = [AGREED]

    assert flow.wait(flow.start()).token == TOKEN


def test_no_secret_is_told(flow: DeviceFlow, pages: DeviceFlowPages, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the token nor the secret of the code is in a log or in the text of a value."""
    pages.replies = [PENDING, AGREED]

    with caplog.at_level(logging.DEBUG):
        code = flow.start()
        granted = flow.wait(code)

    assert "/login/oauth/access_token" in caplog.text
    for secret in (TOKEN, DEVICE_CODE):
        assert secret not in f"{caplog.text} {code} {granted}"
