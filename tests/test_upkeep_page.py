"""The page on upgrading, cleaning up and uninstalling: its commands work as described."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import click
import pytest

from dockercise_prefect.archives.content_digest import digest_text
from dockercise_prefect.cli import dockercise
from dockercise_prefect.cli.present.garbage import outcome_line, total_line
from dockercise_prefect.connect import logins
from dockercise_prefect.orchestration.gc.item import Item, Kind, Outcome, Verb
from dockercise_prefect.orchestration.packages import fetch as packages
from dockercise_prefect.orchestration.registrations import checkout
from dockercise_prefect.orchestration.reuse.sources import RUNS
from dockercise_prefect.results.cache.contents import Contents
from dockercise_prefect.results.cache.entries import Entries
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.record import endings, unsent
from dockercise_prefect.results.upkeep.cache import CacheLimits, unwanted_in_cache
from dockercise_prefect.runtime.copying import trials
from dockercise_prefect.settings import ConfigFile, Folders, default_settings, load
from dockercise_prefect.webhook.receiver import receiver
from tests.results.cache.test_entries import ENTRY
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
        *(endings.ENDED, unsent.UNSENT, checkout.FOLDER, packages.FOLDER, receiver.FOLDER, trials.FOLDER, logins.FOLDER),
    }


def test_the_settings_are_read(tmp_path: Path) -> None:
    """The settings on the page are valid, and they are all settings of what is kept."""
    (text,) = blocks(PAGE, "toml")
    folders = Folders(working=tmp_path, home=tmp_path, data=tmp_path)

    settings = load({}, ConfigFile(tmp_path / "config.toml", text), {}, folders)

    assert (settings.keep_days, settings.keep_runs, settings.keep_size) == (30, 200, 20 * 1024**3)
    assert (settings.keep_cache_days, settings.gc_after_runs) == (90, True)
    assert settings.keep_build_cache == 20 * 1024**3
    assert (settings.cache_size, settings.cache_days, settings.cache_audit) == (20 * 1024**3, 60, 20)
    assert set(re.findall(r"^(\w+) =", text, re.MULTILINE)) == {
        name for name in settings.origins if name.startswith(("keep_", "cache_", "gc_"))
    }


def test_what_is_kept_without_a_setting_is_told() -> None:
    """The page names the defaults for what stages with `cache` have left."""
    settings = default_settings()

    assert (settings.cache_size, settings.cache_days) == (10 * 1024**3, 30)
    assert "above 10 GB and after 30 days" in PAGE


def test_the_lines_of_gc_are_real(tmp_path: Path) -> None:
    """The example has the words of the program for each reason, apart from numbers."""
    objects = FolderObjects(tmp_path)
    texts = [bytes([number]) for number in range(4)]
    digests = [digest_text(sha256(text).digest()) for text in texts]
    for digest, text in zip(digests, texts, strict=True):
        Contents(objects).keep_output(digest, [text])
    for run_id in ("20260101T000000Z", "20260102T000000Z", *(f"202602{day}T000000Z" for day in range(10, 12))):
        Entries(objects, "shop").add(f"{run_id}-0000", [])
    for hour in range(10, 10 + RUNS):
        made = [replace(ENTRY, output_digest=digest) for digest in digests[:2]]
        Entries(objects, "shop").add(f"20260212T00{hour}00Z-0000", made)
    Entries(objects, "shop").withdraw(ENTRY.ingredients.key, "20260101T000000Z-0000")
    for file in tmp_path.rglob("*.*"):
        os.utime(file, (0, 0))

    found = unwanted_in_cache(objects, CacheLimits(30, RUNS, 1), datetime(2026, 3, 2, tzinfo=UTC))

    items = [Item(Kind.CACHE, Verb.REMOVE, each.name, each.why, each.remove, each.size) for each in found]
    outcomes = [Outcome(Kind.CACHE, item, done=True) for item in items]
    said = [*(outcome_line(outcome, dry_run=False) for outcome in outcomes), total_line(outcomes, dry_run=False)]
    (shown,) = blocks(PAGE, "console")
    assert without_numbers(said) == without_numbers(shown.splitlines()[1:])


def without_numbers(lines: list[str]) -> list[str]:
    """The lines with `N` in the place of each number, and of each size."""
    return [re.sub(r"[0-9.]+( bytes?| [KMG]B|g)?", "N", line) for line in lines]


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
