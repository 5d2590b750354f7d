"""The example pipelines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dockercise_prefect.cli import dockercise
from dockercise_prefect.compiler import compile_with_origin
from dockercise_prefect.compiler.lint import lint

FLOWS = Path(__file__).parent.parent / "flows"
SEED_EDGES = {
    ("aws_access_key_id", "assume-role", "after"),
    ("aws_secret_access_key", "assume-role", "after"),
    ("aws_session_token", "assume-role", "after"),
    ("create-stack", "aws_access_key_id", "env"),
    ("create-stack", "aws_secret_access_key", "env"),
    ("create-stack", "aws_session_token", "env"),
    ("create-stack", "get-code", "vol"),
    ("wait-for-success", "create-stack", "after"),
    ("wait-for-success", "aws_access_key_id", "env"),
    ("wait-for-success", "aws_secret_access_key", "env"),
    ("wait-for-success", "aws_session_token", "env"),
}


@pytest.mark.parametrize("folder", sorted(path.name for path in FLOWS.iterdir() if any(path.glob("*.dockercise.yaml"))))
def test_compiled_module_is_up_to_date(folder: str) -> None:
    """The module next to each example is the result of compiling its YAML."""
    arguments = ["compile", str(FLOWS / folder), "-o", str(FLOWS), "--check"]

    result = CliRunner().invoke(dockercise, arguments)

    assert (FLOWS / f"{folder}.py").is_file()
    assert result.exit_code == 0, result.output


def test_seed_has_its_edges() -> None:
    """The unchanged seed compiles to its seven stages, with exactly the edges that it writes."""
    result = CliRunner().invoke(dockercise, ["compile", str(FLOWS / "infra"), "--format", "json"])

    stages = json.loads(result.stdout)["stages"]
    edges = {(name, edge["stage"], edge["kind"]) for name, stage in stages.items() for edge in stage["depends_on"]}
    assert len(stages) == 7
    assert edges == SEED_EDGES
    assert stages["create-stack"]["env"]["AWS_DEFAULT_REGION"] == {"host": "AWS_DEFAULT_REGION", "optional": False}


def test_hello_shows_the_language() -> None:
    """The first example uses every kind of edge and the code, and has no findings, also none of lint rules."""
    compiled, origin = compile_with_origin(FLOWS / "hello")

    kinds = {edge.kind.value for stage in compiled.pipeline for edge in stage.depends_on}
    assert kinds == {"after", "env", "vol", "on"}
    assert any(mount.target == "/code" for stage in compiled.pipeline for mount in stage.mounts)
    assert compiled.warnings == lint(compiled.pipeline, origin) == ()
