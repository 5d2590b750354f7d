"""The page on `dockercise doctor`: its tables and its examples are those of the program."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dockercise_prefect.orchestration.doctor.check import Check, CheckStatus, Examination, SettingRead
from dockercise_prefect.orchestration.doctor.examination import examine
from dockercise_prefect.settings import read_settings
from tests.test_user_pages import blocks

PAGE = (Path(__file__).resolve().parents[1] / "docs/doctor.md").read_text()
TABLE = PAGE[PAGE.index("## What is examined") :]
NAMES = re.findall(r"^\| `([a-z A-Z]+)` \|", TABLE, re.MULTILINE)


def test_every_status_is_told() -> None:
    """The table of marks has each status."""
    assert set(re.findall(r"^\| \S \| `(\w+)` \|", PAGE, re.MULTILINE)) == {status.value for status in CheckStatus}


@pytest.mark.docker
def test_every_check_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefect_api: str) -> None:
    """What an examination gives is in the table, and the table has nothing else."""
    monkeypatch.setenv("DOCKERCISE_DATA", str(tmp_path))
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)

    found = {check.name for check in examine(read_settings).checks}

    pools = {name for name in found if name.startswith("work pool")}
    assert found - pools == set(NAMES) - {"work pools", "work pool NAME"}
    assert len(pools) > 0


def test_the_example_shows_checks_of_the_table() -> None:
    """The names in the example are those of checks."""
    (example,) = (text for text in blocks(PAGE, "console") if "dockercise doctor" in text)

    shown = re.findall(r"^  [✓?!✗] (.+?)  ", example, re.MULTILINE)

    assert len(shown) > 10
    assert set(shown) <= set(NAMES)


def test_the_object_has_the_fields_it_has() -> None:
    """The JSON on the page has exactly the keys of a real one."""
    (example,) = blocks(PAGE, "json")
    check = Check("a", CheckStatus.OK, "b")

    shown = json.loads(example)

    real = Examination([check], {"jobs": SettingRead(1, "default")}, {}).to_json()
    assert list(shown) == list(real)
    assert list(shown["checks"][0]) == list(check.to_json())
    assert list(shown["settings"]["jobs"]) == list(real["settings"]["jobs"])


def test_the_command_for_programs_works() -> None:
    """The filter finds the free bytes in such an object."""
    (command,) = blocks(PAGE, "sh")
    (example,) = blocks(PAGE, "json")
    jq = shutil.which("jq")
    assert jq, "jq is not installed"
    (query,) = re.findall(r"'(.*)'", command)

    done = subprocess.run([jq, "-e", query], input=example, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.strip()) == (1, "false")
