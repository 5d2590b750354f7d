"""Packages of Debian and Ubuntu that the scripts install."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripts import debian
from scripts.console import SetUpError
from scripts.debian import install, is_debian_like, missing_packages, parse_os_release

DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n# a comment = none\n'
MINT = 'ID=linuxmint\nID_LIKE="ubuntu debian"\n'
FEDORA = "ID=fedora\n"


def test_an_os_release_file_is_read_as_a_shell_would() -> None:
    """Quotes are removed, and comments are left out."""
    assert parse_os_release(DEBIAN) == {
        "PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)",
        "VERSION_CODENAME": "bookworm",
        "ID": "debian",
    }


@pytest.mark.parametrize(("text", "expected"), [(DEBIAN, True), (MINT, True), (FEDORA, False), ("", False)])
def test_systems_with_debians_packages_are_known(text: str, *, expected: bool) -> None:
    """Debian, Ubuntu and systems derived from them have apt; others do not."""
    assert is_debian_like(parse_os_release(text)) is expected


def test_only_what_is_missing_is_installed_each_once() -> None:
    """A package is installed if one of its commands is missing, and only once."""
    needed = {"git": "git", "ip": "iproute2", "bridge": "iproute2"}

    assert missing_packages(needed, {"git": "/usr/bin/git"}.get) == ["iproute2"]


def test_nothing_missing_needs_no_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who has everything already needs neither root nor Debian."""
    monkeypatch.setattr(debian, "OS_RELEASE", Path("/nowhere"))

    install([], "the tests")


def test_other_systems_are_told_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system without apt nothing is tried; the message names the packages and their purpose."""
    release = tmp_path / "os-release"
    release.write_text(FEDORA, encoding="ascii")
    monkeypatch.setattr(debian, "OS_RELEASE", release)

    with pytest.raises(SetUpError, match="missing for the tests: what Debian and Ubuntu have in chromium"):
        install(["chromium"], "the tests")


def test_a_user_without_rights_is_told_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root installs; other users are shown the command that root would type."""
    release = tmp_path / "os-release"
    release.write_text(DEBIAN, encoding="ascii")
    monkeypatch.setattr(debian, "OS_RELEASE", release)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(SetUpError, match="as root: apt-get install --no-install-recommends chromium git"):
        install(["chromium", "git"], "the tests")
