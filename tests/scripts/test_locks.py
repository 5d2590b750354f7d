"""The locks for all installations."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.environment import DEV_LOCK, ROOT, RUNTIME_LOCK

IMAGE_LOCK = "tests/support/aws/awscli.lock"


def _pins(lock: str) -> dict[str, str]:
    """Name to version; a package that is pinned only for some systems counts like any other."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[.*?\])?==([^\s;]+)", text, flags=re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("lock", "groups"), [(RUNTIME_LOCK, ("build",)), (DEV_LOCK, ("build", "dev"))], ids=["users", "developers"]
)
def test_a_lock_holds_all_that_the_project_asks_for(lock: str, groups: tuple[str, ...]) -> None:
    """Each dependency in pyproject.toml is in the lock, in an allowed version; `make lock` updates the lock."""
    project = _project()
    asked = [*project["project"]["dependencies"], *(line for group in groups for line in project["dependency-groups"][group])]

    pins = _pins(lock)
    wrong = [
        line
        for line in asked
        if (wanted := Requirement(line)).name and not wanted.specifier.contains(pins.get(canonicalize_name(wanted.name), "0"))
    ]

    assert wrong == []


def test_the_build_back_end_is_locked() -> None:
    """The package is built with tools from the lock, so an installation downloads nothing unlocked."""
    asked = [Requirement(line) for line in _project()["build-system"]["requires"]]

    assert all(wanted.specifier.contains(_pins(RUNTIME_LOCK)[canonicalize_name(wanted.name)]) for wanted in asked)


def test_developers_have_what_users_have() -> None:
    """The developers' lock has the users' packages in the same versions, so the tests run what is shipped."""
    assert _pins(RUNTIME_LOCK).items() <= _pins(DEV_LOCK).items()


@pytest.mark.parametrize("lock", [RUNTIME_LOCK, DEV_LOCK, IMAGE_LOCK])
def test_a_lock_has_hashes_and_no_addresses(lock: str) -> None:
    """Every pin has a hash, and no index is named, so a user's own index is used."""
    text = Path(ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[A-Za-z0-9])", text)

    assert [entry.split()[0] for entry in entries if "==" in entry and "--hash=sha256:" not in entry] == []
    assert "://" not in text
    assert "index-url" not in text
