"""Fixtures that the end-to-end tests share: the command as a user types it, and the image that the examples name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from scripts.busybox import ensure_busybox
from scripts.engine import ensure_engine
from scripts.screenshot import ARGUMENTS, CHROMIUM, VIEW
from tests.support.command import Command
from tests.support.prefect.prefect_pages import DRAWN_MS, window
from tests.support.site import Site, make_site

expect.set_options(timeout=DRAWN_MS)


@dataclass(frozen=True)
class Said:
    """The result of the command; `summary` is the object on stdout, empty if there was none."""

    exit_status: int
    summary: dict[str, Any]
    stderr: str

    @property
    def stages(self) -> dict[str, dict[str, Any]]:
        """The stages in the summary."""
        stages: dict[str, dict[str, Any]] = self.summary["stages"]
        return stages


@pytest.fixture(scope="session")
def busybox() -> str:
    """Makes sure that the engine has the image that `flows/hello` names."""
    with closing(ensure_engine()) as client:
        ensure_busybox(client)
    return "busybox"


@pytest.fixture
def environment(prefect_api: str, tmp_path: Path) -> dict[str, str]:
    """Runs report to the session's server and keep their results in the test's folder."""
    return os.environ | {"PREFECT_API_URL": prefect_api, "DOCKERCISE_DATA": str(tmp_path / "data")}


NewSite = Callable[[str, Mapping[str, str]], Site]


@pytest.fixture
def new_site(
    tmp_path: Path, prefect_api: str, environment: dict[str, str], command: Command, monkeypatch: pytest.MonkeyPatch
) -> NewSite:
    """Creates a repository with a pipeline and other files."""
    monkeypatch.setenv("DOCKERCISE_DATA", environment["DOCKERCISE_DATA"])
    return partial(make_site, tmp_path, prefect_api, environment, command)


Dockercise = Callable[..., Said]


@pytest.fixture
def dockercise_run(environment: dict[str, str], busybox: str) -> Dockercise:
    """`dockercise run --json`, as a process."""

    def run(*arguments: str | Path, **variables: str) -> Said:
        command = [sys.executable, "-m", "dockercise_prefect", "run", "--json", *map(str, arguments)]
        said = subprocess.run(command, check=False, capture_output=True, text=True, env=environment | variables, timeout=1200)
        assert "Traceback" not in said.stderr, said.stderr
        return Said(said.returncode, json.loads(said.stdout) if said.stdout else {}, said.stderr)

    return run


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window."""
    with window(browser, viewport=VIEW) as page:
        yield page
