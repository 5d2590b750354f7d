"""`flows/hello` gives the same values in all three ways to run a pipeline."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Dockercise
from tests.support.prefect import prefect_records

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parents[2]
PREFECT = [sys.executable, "-m", "prefect"]


@pytest.fixture
def expected(dockercise_run: Dockercise, tmp_path: Path) -> dict[str, str]:
    """The values of `dockercise run`."""
    said = dockercise_run("-C", ROOT / "flows/hello")
    assert (said.exit_status, said.summary["status"]) == (0, "passed"), said.stderr
    return values(tmp_path / "data/results/hello")


def values(results: Path) -> dict[str, str]:
    """The values in the entries of the newest run's stages."""
    newest = max(filter(Path.is_dir, results.iterdir()), key=lambda folder: folder.stat().st_mtime)
    stages = json.loads((newest / "index.json").read_text())["stages"]
    return {name: json.loads((newest / f"{name}.json").read_text())["value"] for name in stages}


def test_the_values_are_the_ones_that_the_pipeline_is_there_to_show(expected: dict[str, str]) -> None:
    """Every stage of the example has a value."""
    assert len(expected) >= 5
    assert sum(1 for value in expected.values() if value) >= 5


def test_the_compiled_module_runs_as_a_program(expected: dict[str, str], environment: dict[str, str], tmp_path: Path) -> None:
    """`python flows/hello.py` gives the same values as `dockercise run`."""
    environment["DOCKERCISE_DATA"] = str(tmp_path / "module")

    said = subprocess.run(
        [sys.executable, str(ROOT / "flows/hello.py")],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )

    assert said.returncode == 0, said.stderr
    assert values(tmp_path / "module/results/hello") == expected


def test_prefects_own_deployment_runs_it(
    expected: dict[str, str], environment: dict[str, str], prefect_api: str, tmp_path: Path
) -> None:
    """`prefect deploy` accepts the compiled module, and a process worker runs it to the same values."""
    environment["DOCKERCISE_DATA"] = str(tmp_path / "worker")
    pool = f"pool-{tmp_path.name}"
    subprocess.run([*PREFECT, "work-pool", "create", "--type", "process", pool], check=True, env=environment, cwd=tmp_path)
    deploy = [*PREFECT, "--no-prompt", "deploy", "flows/hello.py:hello", "--name", "test", "--pool", pool]
    subprocess.run(deploy, check=True, env=environment, cwd=ROOT)
    deployment = prefect_records.ask(prefect_api, "deployments/name/hello/test")
    flow_run = prefect_records.ask(prefect_api, f"deployments/{deployment['id']}/create_flow_run", {})

    subprocess.run([*PREFECT, "worker", "start", "--pool", pool, "--run-once"], check=True, env=environment, cwd=tmp_path)

    ended = prefect_records.flow_run(prefect_api, flow_run["id"])
    assert (ended.type, ended.message) == ("COMPLETED", None)
    assert values(tmp_path / "worker/results/hello") == expected
    assert set(deployment["parameter_openapi_schema"]["properties"]) == {"targets", "env", "commit", "results", "resume"}


def test_flow_serve_accepts_the_module(environment: dict[str, str], busybox: str) -> None:
    """Prefect can serve the module's flow: it has a name, a source file and a parameter schema."""
    program = (
        "import importlib.util, sys; spec = importlib.util.spec_from_file_location('hello', sys.argv[1]);"
        "module = importlib.util.module_from_spec(spec); sys.modules['hello'] = module; spec.loader.exec_module(module);"
        "deployment = module.hello.to_deployment('served'); print(deployment.entrypoint, sorted(deployment.parameters))"
    )

    said = subprocess.run(
        [sys.executable, "-c", program, "flows/hello.py"],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
    )

    assert said.returncode == 0, said.stderr
    assert "hello.py:hello" in said.stdout
