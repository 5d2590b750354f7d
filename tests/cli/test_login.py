"""`login` and `logout`, and which token the other commands use, against a GitHub Enterprise on loopback."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dockercise_prefect.cli.github_options import find_token
from dockercise_prefect.connect.logins import Login, Logins
from dockercise_prefect.errors import UsageError
from tests.support.command import Command
from tests.support.hosts.device_flow_pages import CLIENT_ID, DEVICE_CODE, PENDING, USER_CODE
from tests.support.hosts.gh_program import make_gh
from tests.support.hosts.github_server import ENTERPRISE, TOKEN, Failure, GitHubServer, running_github
from tests.support.suite.leaks import found as leaks

OF_THE_CODE = {"access_token": TOKEN, "token_type": "bearer", "scope": "repo"}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubServer]:
    """A GitHub Enterprise. The user has no login, no `gh` and no variable for it."""
    monkeypatch.setenv("DOCKERCISE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    for name in ("GITHUB_TOKEN", "DOCKERCISE_GITHUB_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    with running_github(ENTERPRISE) as server:
        yield server
    assert server.wrong == []


@pytest.fixture
def host(server: GitHubServer) -> str:
    """The name of that GitHub."""
    return server.api.removeprefix("http://").removesuffix("/api/v3")


@pytest.fixture
def logins(tmp_path: Path) -> Logins:
    """The kept logins."""
    return Logins(tmp_path / "data")


@pytest.fixture
def by_code(server: GitHubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user logs in with a code, and agrees at the second question."""
    monkeypatch.setenv("DOCKERCISE_GITHUB_CLIENT_ID", CLIENT_ID)
    server.logins.replies = [PENDING, OF_THE_CODE]


@pytest.mark.usefixtures("by_code")
def test_login_with_a_code(command: Command, server: GitHubServer, host: str, logins: Logins) -> None:
    """With an app, the user types a code on GitHub's page; the login is checked, kept for its owner only, and described."""
    server.scopes = "repo, gist"

    said = command("login", "github", "--host", host)

    path = logins.path(host)
    assert said.status == 0, said
    assert said.out.splitlines() == [
        f"open http://{host}/login/device and type the code {USER_CODE}",
        f"logged in to {host} as octocat, with GitHub's device flow",
        "its rights: repo, gist",
        f"kept in {path}, which only you can read",
    ]
    assert logins.find(host) == Login(host=host, user="octocat", token=TOKEN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert server.requests == [("GET", "/user")]


@pytest.mark.usefixtures("by_code")
def test_login_with_an_end(command: Command, server: GitHubServer, host: str, logins: Logins) -> None:
    """If GitHub gives a token for some hours, the command says until when, and the login remembers it."""
    server.logins.replies = [OF_THE_CODE | {"expires_in": 28800}]

    said = command("login", "github", "--host", host)

    login = logins.find(host)
    assert login is not None
    assert login.ends is not None
    assert f"with GitHub's device flow, until {login.ends:%H:%M UTC on %d %B %Y}" in said.out
    assert "GitHub does not say which rights this token has" in said.out


def test_login_with_gh(  # noqa: PLR0917  fixtures
    command: Command, server: GitHubServer, host: str, logins: Logins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an app, the token of `gh` is used, even if GITHUB_TOKEN is set; the command says which of them will be used."""
    monkeypatch.setenv("PATH", str(make_gh(tmp_path / "bin", host, TOKEN)))
    monkeypatch.setenv("GITHUB_TOKEN", "another")
    server.scopes = "gist"

    said = command("login", "github", "--host", host)

    assert said.out.splitlines() == [
        f"logged in to {host} as octocat, with the account of gh",
        "its rights: gist; `dockercise connect` needs `repo`",
        f"kept in {logins.path(host)}, which only you can read",
        "GITHUB_TOKEN is set, and is used instead of this login",
    ]


def test_login_with_the_variable(command: Command, host: str, logins: Logins, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an app and without `gh`, the token in GITHUB_TOKEN is used."""
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)

    said = command("login", "github", "--host", host)

    assert f"logged in to {host} as octocat, with GITHUB_TOKEN\n" in said.out
    assert logins.find(host) is not None


def test_nothing_to_log_in_with(command: Command, host: str, logins: Logins) -> None:
    """If there is no token at all, the message names the three ways to log in."""
    said = command("login", "github", "--host", host)

    assert said.status == 2
    assert f"there is nothing to log in to {host} with" in said.err
    assert all(way in said.err for way in (f"gh auth login --hostname {host}", "GITHUB_TOKEN", "github_client_id"))
    assert logins.find(host) is None


def test_wrong_token_is_not_kept(command: Command, host: str, logins: Logins, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that GitHub does not accept is not kept, and an earlier login stays."""
    earlier = Login(host=host, user="hubot", token=TOKEN)
    logins.keep(earlier)
    monkeypatch.setenv("GITHUB_TOKEN", "wrong")

    said = command("login", "github", "--host", host)

    assert said.status == 2
    assert f"{host} does not accept the token in GITHUB_TOKEN" in said.err
    assert logins.find(host) == earlier


@pytest.mark.parametrize(
    ("reply", "status", "text"),
    [
        ({"error": "access_denied"}, 2, "the log-in was refused"),
        ({"error": "expired_token"}, 3, "the code has expired"),
        (b"<html>", 2, "is not GitHub"),
    ],
)
@pytest.mark.usefixtures("by_code")
def test_failed_login(  # noqa: PLR0917  fixtures
    command: Command, server: GitHubServer, host: str, logins: Logins, reply: dict[str, str] | bytes, status: int, text: str
) -> None:
    """A log-in that fails says why, and keeps nothing."""
    server.logins.replies = [PENDING, reply]

    said = command("login", "github", "--host", host)

    assert said.status == status
    assert text in said.err
    assert logins.find(host) is None


@pytest.mark.usefixtures("by_code")
def test_network_goes_away(command: Command, server: GitHubServer, host: str, logins: Logins) -> None:
    """If GitHub cannot be reached after the code, another try may succeed, and nothing is kept."""
    server.fail(Failure("GET", "/user", None))

    said = command("login", "github", "--host", host)

    assert said.status == 3
    assert f"no answer from {host}" in said.err
    assert logins.find(host) is None


@pytest.mark.usefixtures("by_code")
def test_interruption(command: Command, server: GitHubServer, host: str, logins: Logins) -> None:
    """Ctrl-C ends the waiting, and nothing is kept."""
    server.logins.asked = lambda: os.kill(os.getpid(), signal.SIGINT)

    said = command("login", "github", "--host", host)

    assert said.status == 130
    assert logins.find(host) is None


@pytest.mark.parametrize(
    "arguments", [("login", "gitlab"), ("login",), ("logout", "gitlab"), ("login", "github", "--host", "a/b")]
)
@pytest.mark.usefixtures("server")
def test_wrong_call(command: Command, arguments: tuple[str, ...]) -> None:
    """A wrong call is a usage error."""
    said = command(*arguments)

    assert (said.status, said.out) == (2, "")


def test_logout(command: Command, host: str, logins: Logins) -> None:
    """`logout` removes the login, and says that GitHub still accepts the token; a second call finds nothing."""
    logins.keep(Login(host=host, user="octocat", token=TOKEN))

    said, again = command("logout", "github", "--host", host), command("logout", "github", "--host", host)

    assert logins.find(host) is None
    assert (said.status, again.status) == (0, 0)
    assert said.out.splitlines() == [
        f"logged out of {host}: the token is removed from this machine",
        "GitHub accepts the token until you revoke it there, under Settings, Applications or Developer settings",
    ]
    assert again.out == f"you are not logged in to {host}: there is nothing to remove\n"


def test_no_secret_is_told(
    command: Command, server: GitHubServer, host: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The token and the secret of the code are in no output, no log and no message about an error."""
    wrong = "ghp_wrongTokenOfTheTests0123456789"
    outcomes = []
    with caplog.at_level("DEBUG"):
        monkeypatch.setenv("GITHUB_TOKEN", wrong)
        outcomes.append(command("login", "github", "--host", host))
        monkeypatch.setenv("DOCKERCISE_GITHUB_CLIENT_ID", CLIENT_ID)
        for reply in (OF_THE_CODE, {"error": "access_denied"}, OF_THE_CODE | {"access_token": wrong}):
            server.logins.replies = [PENDING, reply]
            outcomes.append(command("login", "github", "--host", host))
        server.fail(Failure("GET", "/user", None))
        outcomes.append(command("login", "github", "--host", host))
        outcomes.append(command("logout", "github", "--host", host))

    told = {str(number): f"{said.out}{said.err}".encode() for number, said in enumerate(outcomes)}
    secrets = {"token": TOKEN, "wrong token": wrong, "secret of the code": DEVICE_CODE}
    assert [said.status for said in outcomes] == [2, 0, 2, 2, 3, 0]
    assert "/login/oauth/access_token" in caplog.text
    assert leaks(told | {"log": caplog.text.encode()}, secrets) == []


def test_tokens_come_in_order(
    server: GitHubServer, host: str, logins: Logins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable that the user names comes first, then GITHUB_TOKEN, the kept login, and `gh`."""
    monkeypatch.setenv("PATH", str(make_gh(tmp_path / "bin", host, "of gh")))
    of_gh = find_token(None, server.api)
    logins.keep(Login(host=host, user="octocat", token="of the login"))
    of_the_login = find_token(None, server.api)
    monkeypatch.setenv("GITHUB_TOKEN", "of the variable")
    of_the_variable = find_token(None, server.api)
    monkeypatch.setenv("MINE", "of mine")

    of_mine = find_token("MINE", server.api)

    assert [(one.text, one.origin) for one in (of_mine, of_the_variable, of_the_login, of_gh)] == [
        ("of mine", "MINE"),
        ("of the variable", "GITHUB_TOKEN"),
        ("of the login", "the login of octocat"),
        ("of gh", "the account of gh"),
    ]


def test_login_to_another_host_is_not_used(server: GitHubServer, logins: Logins) -> None:
    """A token is only sent to the GitHub that it is for."""
    logins.keep(Login(host="github.com", user="octocat", token=TOKEN))

    with pytest.raises(UsageError, match=r"there is no token for 127\.0\.0\.1") as raised:
        find_token(None, server.api)

    assert f"dockercise login github --host {server.api[7:-7]}" in str(raised.value)
    assert find_token(None, None).text == TOKEN


def test_login_that_has_ended(server: GitHubServer, host: str, logins: Logins) -> None:
    """A login whose time is over is not used; the message says what to do."""
    logins.keep(Login(host=host, user="octocat", token=TOKEN, ends=datetime.now(UTC) - timedelta(hours=1)))

    with pytest.raises(UsageError, match=f"the login of octocat to {host} has ended") as raised:
        find_token(None, server.api)

    assert raised.value.hint == f"log in again with `dockercise login github --host {host}`"


@pytest.mark.usefixtures("server")
def test_named_variable_that_is_not_set(logins: Logins) -> None:
    """If the user names a variable that is not set, no other token is used."""
    logins.keep(Login(host="github.com", user="octocat", token=TOKEN))

    with pytest.raises(UsageError, match="MINE is not set"):
        find_token("MINE", None)


def test_login_that_ends_is_not_stored_for_statuses(command: Command, server: GitHubServer, host: str, logins: Logins) -> None:
    """Commit statuses need a token that stays valid, so `connect --statuses` refuses a login that ends."""
    logins.keep(Login(host=host, user="octocat", token=TOKEN, ends=datetime.now(UTC) + timedelta(hours=8)))

    said = command("connect", "acme/infra", "--webhook-url", "https://hooks.example.org", "--api", server.api, "--statuses")

    assert said.status == 2
    assert "the login of octocat ends soon" in said.err
    assert server.requests == []


def test_choosing_needs_a_terminal(command: Command, server: GitHubServer, host: str, logins: Logins) -> None:
    """Without a terminal, `connect` without a repository says what to type, and asks nobody."""
    logins.keep(Login(host=host, user="octocat", token=TOKEN))

    said = command("connect", "--webhook-url", "https://hooks.example.org", "--api", server.api)

    assert said.status == 2
    assert said.err == (
        "no repository is named, and you can choose one only on a terminal\n  hint: type `dockercise connect OWNER/REPO`\n"
    )
    assert server.requests == []
