"""Logins that are kept on this machine."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dockercise_prefect.connect.logins import Login, Logins
from dockercise_prefect.errors import StorageError, UsageError
from tests.support.hosts.github_server import TOKEN

LOGIN = Login(host="github.com", user="octocat", token=TOKEN, ends=datetime(2026, 12, 1, 2, 0, tzinfo=UTC))


def test_login_is_kept(tmp_path: Path) -> None:
    """A login is found again as it was kept, one for each GitHub."""
    logins = Logins(tmp_path / "data")
    other = Login(host="github.example.com:8443", user="hubot", token="another")

    logins.keep(LOGIN)
    logins.keep(other)

    assert (logins.find("github.com"), logins.find("github.example.com:8443")) == (LOGIN, other)
    assert logins.find("acme.ghe.com") is None


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    """The file and its folder are closed for other users, even if the folder was open before, and nothing else is left."""
    (tmp_path / "logins").mkdir(mode=0o755)

    path = Logins(tmp_path).keep(LOGIN)

    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)] == [0o600, 0o700]
    assert list(path.parent.iterdir()) == [path]


def test_later_login_replaces_it(tmp_path: Path) -> None:
    """There is one login for each GitHub: the latest."""
    logins, later = Logins(tmp_path), replace(LOGIN, user="hubot", token="another", ends=None)
    logins.keep(LOGIN)

    logins.keep(later)

    assert logins.find("github.com") == later


def test_login_is_removed(tmp_path: Path) -> None:
    """A removed login is gone, and can be removed once."""
    logins = Logins(tmp_path)
    logins.keep(LOGIN)

    assert (logins.remove("github.com"), logins.remove("github.com")) == (True, False)
    assert logins.find("github.com") is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        "[" * 100_000,
        json.dumps({"host": "github.com", "user": "octocat", "token": TOKEN, "ends": "9999-12-31T23:59:59-23:59"}),
        json.dumps({"host": "github.com", "user": "octocat", "token": 1, "ends": None}),
        json.dumps({"host": "github.com", "user": "octocat", "token": TOKEN, "ends": "soon"}),
        json.dumps({"host": "github.example.com", "user": "octocat", "token": TOKEN, "ends": None}),
    ],
    ids=lambda content: content[:20],
)
def test_damaged_login(tmp_path: Path, content: str) -> None:
    """A damaged file, or one of another host, is an error that says what to do, and it can be removed."""
    logins = Logins(tmp_path)
    logins.keep(LOGIN).write_text(content)

    with pytest.raises(UsageError, match=r"github\.com\.json is damaged\n  hint: log in again") as raised:
        logins.find("github.com")

    assert TOKEN not in str(raised.value)
    assert logins.remove("github.com")


def test_no_place_for_it(tmp_path: Path) -> None:
    """If the login cannot be written, the error names the file, and not the token."""
    (tmp_path / "logins").write_text("a file in the way")

    with pytest.raises(StorageError, match=r"cannot write .*github\.com\.json") as raised:
        Logins(tmp_path).keep(LOGIN)

    assert TOKEN not in str(raised.value)


def test_token_is_not_in_its_text() -> None:
    """The text of a login does not hold the token."""
    assert TOKEN not in repr(LOGIN)
