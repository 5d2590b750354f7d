"""The page on notifications: the automation that it describes reports a failed run."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue

import pytest

from tests.e2e.conftest import Dockercise
from tests.support.hosts.git_repository import make_repository
from tests.test_user_pages import blocks

pytestmark = pytest.mark.docker

PAGE = (Path(__file__).resolve().parents[3] / "docs/notifying.md").read_text()
(BLOCK,) = blocks(PAGE, "python")
PIPELINE, AUTOMATION = blocks(PAGE, "yaml")

PATIENCE = 120.0
"""Seconds after which a missing message fails the test."""


@contextmanager
def listening() -> Iterator[tuple[str, Queue[str]]]:
    """An address, and the messages that it receives."""
    heard: Queue[str] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.put(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  its name in the base class
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hooks/bookshop", heard
    server.shutdown()
    server.server_close()


def test_the_automation_of_the_page_tells_of_a_failed_run(
    dockercise_run: Dockercise, environment: dict[str, str], prefect_api: str, tmp_path: Path
) -> None:
    """One message is sent, with how the run ended; none for a run that passed, or for another pipeline."""
    name = f"bookshop-{uuid.uuid4().hex[:8]}"
    environment |= {"PREFECT_API_URL": prefect_api}
    with listening() as (url, heard):
        code = BLOCK.replace("https://chat.example.org/hooks/bookshop", url).replace("bookshop-failures", name)
        made = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
        text = AUTOMATION.replace("00000000-0000-0000-0000-000000000000", made.stdout.strip())
        (tmp_path / "notify.yaml").write_text(text.replace("bookshop", name))
        create = [sys.executable, "-m", "prefect", "automation", "create", "--from-file", "notify.yaml"]
        subprocess.run(create, check=True, env=environment, cwd=tmp_path, capture_output=True)
        root = tmp_path / "root"
        root.mkdir()

        for pipeline, script in ((name, "true"), (f"{name}-other", "exit 4"), (name, "exit 3")):
            stages = {"meta": {"name": pipeline}, "check": {"img": "busybox", "run": script}}
            (root / "root.dockercise.yaml").write_text(json.dumps(stages))
            dockercise_run("-C", root)

        assert heard.get(timeout=PATIENCE).startswith(f"{name} Failed: failed: check (exit code 3) (")
        assert heard.empty()


@pytest.mark.parametrize(
    ("deploy", "branch", "messages"),
    [
        ("true", "main", ["shop passed"]),
        ("exit 3", "main", ["main is broken by A Developer <developer@example.org>: deploy", "shop failed"]),
        ("exit 3", "try", ["try is broken by A Developer <developer@example.org>: deploy"]),
    ],
)
def test_the_stages_of_the_page_tell_of_a_run(
    dockercise_run: Dockercise, tmp_path: Path, deploy: str, branch: str, messages: list[str]
) -> None:
    """One stage sends a message if something failed, and says what; the other one sends how the run ended, on one branch."""
    on_this_network = {"test.dockercise.yaml": "meta: {name: shop, network: host}\n"}
    scripts = {"test.sh": "true", "deploy.sh": deploy}
    root = make_repository(tmp_path / "root", {"shop.dockercise.yaml": PIPELINE, **scripts, **on_this_network}, branch)
    with listening() as (url, heard):
        said = dockercise_run("-C", root, "--env", f"CHAT_URL={url}")

        assert (said.stages["deploy"]["exit_code"], said.summary["status"]) in {(0, "passed"), (3, "failed")}
        assert sorted(heard.get(timeout=PATIENCE) for _ in messages) == messages
        assert heard.empty()


def test_a_run_of_some_stages_tells_of_them(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """If only some stages run, as with `triggers`, both messages are sent, and no other stage runs because of them."""
    meta = {"test.dockercise.yaml": "meta: {name: shop, network: host}\n"}
    root = make_repository(tmp_path / "root", {"shop.dockercise.yaml": PIPELINE, "test.sh": "exit 4", **meta}, "main")
    with listening() as (url, heard):
        said = dockercise_run("-C", root, "test", "--env", f"CHAT_URL={url}")

        assert sorted(heard.get(timeout=PATIENCE) for _ in range(2)) == [
            "main is broken by A Developer <developer@example.org>: test",
            "shop failed",
        ]
        assert heard.empty()
        assert said.stages.keys() == {"test", "alarm", "report"}
