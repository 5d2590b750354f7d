"""The page about the stack without our command: its commands make, connect, update and delete a stack."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from dockercise_prefect.aws.names import repository_name
from dockercise_prefect.aws.repository import StackRepository
from tests.aws.stack.emulated import EmulatedStack, new_stack
from tests.support.aws.locked_environment import locked_environment
from tests.support.aws.ministack import MiniStack
from tests.support.aws.stack_template import template_for_ministack
from tests.webhook.payloads import github_push, github_sent

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "deployments/aws/README.md").read_text(encoding="utf-8")
COMMANDS = "\n".join(re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)).splitlines()
(REPOSITORY,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
IMAGE = "/aws/service/debian/release/13/latest/amd64"


@pytest.mark.docker
def test_commands_make_and_delete_a_stack(ministack: MiniStack, tmp_path: Path) -> None:
    """Typed in their order, the commands make a stack that takes pushes of the repository, change it, and delete it."""
    stack = new_stack(ministack, "dockercise")
    secret = json.loads(REPOSITORY)["webhook_secret"]
    (tmp_path / "template.yaml").write_text(template_for_ministack(), encoding="utf-8")
    (tmp_path / "repository.json").write_text(REPOSITORY, encoding="utf-8")
    (tmp_path / "secret.txt").write_text(secret, encoding="utf-8")
    image, make, outputs, *connect, update, delete = [command for command in COMMANDS if command]

    said = [typed(command, stack, tmp_path) for command in (make, outputs, *connect, update)]

    settings = stack.parameters.host()
    assert IMAGE in image
    assert "WebhookUrl" in said[1]
    assert settings is not None
    assert (settings.idle_minutes, settings.package) == (30, "dockercise-prefect==0.1.0")
    assert stack.send(github_sent(github_push("acme/infra"), secret=secret)).status_code == 202
    typed(delete, stack, tmp_path)
    stack.wait_until_gone()
    assert stack.client("sqs").list_queues().get("QueueUrls", []) == []


def test_repository_is_one_that_the_host_reads() -> None:
    """The host can read the repository on the page, and its name is the one on the page."""
    repository = StackRepository.from_text(REPOSITORY)

    name = repository_name(repository.address)

    assert name == repository_name(repository.url)
    assert f">>> repository_name(\"{repository.address}\")\n'{name}'" in PAGE
    assert {f"/dockercise/dockercise/{folder}/{name}" for folder in ("secrets", "repositories")} == set(
        re.findall(r"--name (/dockercise/\S+)", PAGE)
    )


def typed(command: str, stack: EmulatedStack, folder: Path) -> str:
    """Run a command of the page, with an instance that exists already. Returns its output."""
    words = shlex.split(command.replace("deployments/aws/template.yaml", "template.yaml"))
    if "Zone=" in command:
        words += [f"HostId={stack.host}", f"VolumeId={stack.given['VolumeId']}"]
    words[0] = str(locked_environment(ROOT / "tests/support/aws/awscli.lock") / "aws")
    environment = {**stack.aws.environment(), "PATH": "/usr/bin:/bin", "AWS_PAGER": ""}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
