"""The parts on another account and on jobs of the page on AWS: every command, output and file in them is the real one."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dockercise_prefect.aws.jobs.rendering import jobs_template
from dockercise_prefect.aws.names import JOB_USER
from dockercise_prefect.aws.role.customers import Customers
from dockercise_prefect.cli import dockercise
from dockercise_prefect.cli.aws_verbs.jobs import JOBS
from tests.support.aws.cfn import read_template
from tests.test_user_pages import blocks

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/serverless.md").read_text(encoding="utf-8")
PART = PAGE[PAGE.index("## Another account") :]


def examples() -> dict[str, str]:
    """Each command of the part with what it prints."""
    shown = (block.removeprefix("$ dockercise ").partition("\n") for block in blocks(PART, "console"))
    return {command: output for command, _, output in shown}


def test_a_new_customer_looks_like_this(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`new` prints what the page shows, with an external id of its own."""
    monkeypatch.setenv("DOCKERCISE_DATA", str(tmp_path))
    command = next(command for command in examples() if command.startswith("aws role new"))

    said = CliRunner().invoke(dockercise, command.split())

    external_id = Customers(tmp_path).find("acme").external_id
    assert said.output.replace(external_id, "EXTERNAL-ID") == examples()[command]


@pytest.mark.parametrize("command", sorted({*examples(), *re.findall(r"`dockercise (aws (?:role|jobs) [^`]*)`", PART)}))
def test_every_command_takes_its_options(command: str) -> None:
    """The verbs and options on the page exist."""
    words = shlex.split(command)
    verbs, options = words[:3], [word for word in words if word.startswith("--")]

    told = CliRunner().invoke(dockercise, [*verbs, "--help"])

    assert told.exit_code == 0, told.output
    assert [option for option in options if option not in told.output] == []


def test_the_parameters_of_the_stack_of_jobs_are_those() -> None:
    """The command for CloudFormation gives a value to each parameter that has no default."""
    [shown] = blocks(PART, "sh")
    parameters: dict[str, Any] = read_template(jobs_template())["Parameters"]

    given = re.findall(r"(\w+)=", shown.partition("--parameter-overrides")[2])

    assert given == [name for name, parameter in parameters.items() if "Default" not in parameter]
    assert f"--stack-name {JOBS} " in shown


def test_the_part_of_sshd_is_the_one_that_the_host_gets() -> None:
    """The page shows the file of this package, without its comments and with an example's names."""
    [shown] = [block for block in blocks(PART, "text") if block.startswith("Listen")]
    text = (ROOT / "dockercise_prefect/host/sshd.conf").read_text(encoding="utf-8")
    values = {"dockercise": "/opt/dockercise/current/bin/dockercise", "stack": "dockercise", "region": "eu-west-1"}

    ours = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#")).format(**values)

    assert shown == ours
    assert f"\nAllowUsers {JOB_USER}\n" in shown
