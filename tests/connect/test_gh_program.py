"""The token of `gh`, from a small program of that name."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.connect.gh_program import token_of_gh
from tests.support.hosts.gh_program import make_gh
from tests.support.hosts.github_server import TOKEN


def test_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is the one that `gh` has for this host."""
    monkeypatch.setenv("PATH", str(make_gh(tmp_path, "github.com", TOKEN)))
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)

    assert token_of_gh("github.com") == TOKEN
    assert token_of_gh("github.example.com") is None


def test_variable_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`gh` is asked for its own token, even if GITHUB_TOKEN is set."""
    monkeypatch.setenv("PATH", str(make_gh(tmp_path, "github.com", TOKEN)))
    monkeypatch.setenv("GITHUB_TOKEN", "of the variable")

    assert token_of_gh("github.com") == TOKEN


def test_no_gh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `gh`, there is no token."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert token_of_gh("github.com") is None
