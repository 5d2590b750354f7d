"""The page on deploying: every file, option and service that it names exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from dockercise_prefect.cli import dockercise
from tests.test_user_pages import blocks

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/deploying.md").read_text()
LINES = [line for block in blocks(PAGE, "sh") for line in block.splitlines()]


def test_every_file_is_there() -> None:
    """Every file that is named below `deployments/` exists."""
    named = set(re.findall(r"deployments/[\w./-]+\w", PAGE))

    assert len(named) >= 6
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_option_of_ours_is_there() -> None:
    """Each `dockercise` command on the page accepts its options."""
    commands = [line.partition("dockercise register ")[2] for line in LINES if "dockercise register " in line]
    shown = CliRunner().invoke(dockercise, ["register", "--help"]).output

    given = {word for command in commands for word in shlex.split(command) if word.startswith("--")}

    assert len(commands) == 2
    assert [option for option in given if option not in shown] == []


@pytest.mark.docker
def test_every_command_of_prefects_is_there() -> None:
    """Each `prefect` command on the page accepts its options."""
    commands = [line.partition("prefect ")[2].split() for line in LINES if re.search(r"(^|&& |worker )prefect ", line)]
    for words in commands:
        verbs = [word for word in words[: words.index("--type") if "--type" in words else 2] if not word.startswith("-")]
        help_text = ""
        for length in (2, 1):
            done = subprocess.run(
                [sys.executable, "-m", "prefect", *verbs[:length], "--help"], capture_output=True, text=True, check=False
            )
            help_text += done.stdout
        assert [word for word in words if word.startswith("--") and word not in help_text] == []
    assert len(commands) >= 5


def test_compose_services_are_there() -> None:
    """The service in which commands are typed is in the compose file."""
    services = set(re.findall(r"exec (?:--user \w+ )?(\w+) ", "\n".join(LINES)))

    assert services == {"worker"}
    assert "  worker:\n" in (ROOT / "deployments/compose/compose.yaml").read_text()
