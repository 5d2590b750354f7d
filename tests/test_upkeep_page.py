"""The page on upgrading, cleaning up and uninstalling: its commands work as described."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from dockercise_prefect.cli import dockercise
from dockercise_prefect.orchestration.packages import fetch as packages
from dockercise_prefect.orchestration.registrations import checkout
from dockercise_prefect.results.record import endings, unsent
from dockercise_prefect.settings import ConfigFile, Folders, load
from dockercise_prefect.webhook.receiver import receiver
from tests.test_user_pages import blocks

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/upkeep.md").read_text()
DATA = ".local/share/dockercise"


def block(mentioning: str) -> str:
    """The only block of shell commands that contains this text."""
    (found,) = (text for text in blocks(PAGE, "sh") if mentioning in text)
    return found


def typed(commands: str, home: Path) -> str:
    """The output of the commands when a user with this home folder types them."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"HOME": str(home), "PATH": path}
    return subprocess.run(["bash", "-euc", commands], env=environment, capture_output=True, text=True, check=True).stdout


def test_every_folder_of_data_is_told() -> None:
    """The table names each folder that the package uses in the data folder."""
    listed = set(re.findall(r"`([a-z.]+)`", "".join(re.findall(r"^\| (`[^|]+) \|", PAGE, re.MULTILINE))))

    assert listed == {
        *("results", "prefect", "server.json", "server.lock", "server.log", "server.secret", "server.login"),
        *(endings.ENDED, unsent.UNSENT, checkout.FOLDER, packages.FOLDER, receiver.FOLDER),
    }


def test_the_settings_are_read(tmp_path: Path) -> None:
    """The settings on the page are valid, and they are all settings of what is kept."""
    (text,) = blocks(PAGE, "toml")
    folders = Folders(working=tmp_path, home=tmp_path, data=tmp_path)

    settings = load({}, ConfigFile(tmp_path / "config.toml", text), {}, folders)

    assert (settings.keep_days, settings.keep_runs, settings.keep_size) == (30, 200, 20 * 1024**3)
    assert (settings.keep_cache_days, settings.gc_after_runs) == (90, True)
    assert set(re.findall(r"^(\w+) =", text, re.MULTILINE)) == {
        name for name in settings.origins if name.startswith(("keep_", "gc_"))
    }


@pytest.mark.docker
def test_prefect_is_told_how_long_to_keep_runs(tmp_path: Path) -> None:
    """The commands for Prefect's own list use settings that Prefect has, in the folder of the local server."""
    typed(block("prefect config set"), tmp_path)

    said = "from prefect.settings import get_current_settings as s; v = s().server.services.db_vacuum; "
    read = f"{said}print(sorted(v.enabled_vacuum_types), v.retention_period.days)"
    environment = {"PREFECT_HOME": str(tmp_path / DATA / "prefect"), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", read], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "['events', 'flow_runs', 'orphans'] 30"


def test_the_rule_of_the_bucket_is_one() -> None:
    """The lifecycle rule is JSON with the keys that S3 requires."""
    (rules,) = map(json.loads, blocks(PAGE, "json"))

    (rule,) = rules["Rules"]
    assert {"ID", "Status", "Filter", "Expiration"} == set(rule)


def test_every_command_exists() -> None:
    """Each `dockercise` command on the page exists."""
    named = set(re.findall(r"dockercise ([a-z]+)", "".join(blocks(PAGE, "sh"))))

    assert named <= set(dockercise.list_commands(click.Context(dockercise)))
