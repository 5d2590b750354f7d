"""How a run ends, as seen in a user's shell: exit status, summary, and nothing left on the engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.runtime.docker.engine import DockerEngine
from tests.e2e.conftest import Dockercise

pytestmark = pytest.mark.docker

BUSY = "img: busybox, run"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for one pipeline; at the end nothing of it may be left."""
    root = tmp_path / f"pipeline-{tmp_path.name}"
    root.mkdir()
    yield root
    with closing(DockerEngine.connect()) as engine:
        left = [left for left in engine.leftovers() if left.labels.get("dockercise.pipeline") == root.name]
    assert left == []


def write(folder: Path, text: str) -> Path:
    """Write the pipeline's only file, and return the folder."""
    (folder / "p.dockercise.yaml").write_text(text)
    return folder


def test_ways_to_fail(dockercise_run: Dockercise, folder: Path) -> None:
    """Each kind of failure has its status and its exit code; the other stages still run, and the run has failed."""
    ways = {
        "one": (f"{{{BUSY}: 'exit 1'}}", "failed", 1),
        "two": (f"{{{BUSY}: 'exit 2'}}", "failed", 2),
        "missing": (f"{{{BUSY}: no-such-command}}", "failed", 127),
        "killed": (f"{{{BUSY}: 'kill -9 $$'}}", "failed", 137),
        "tolerated": (f"{{{BUSY}: 'exit 3', neverFail: true}}", "tolerated", 3),
        "late": (f"{{{BUSY}: \"trap '' TERM; while :; do sleep 1; done\", timeout: 10s}}", "timed_out", 137),
    }

    said = dockercise_run("-C", write(folder, "".join(f"{name}: {keys}\n" for name, (keys, _, _) in ways.items())))

    ended = {name: (stage["status"], stage["exit_code"]) for name, stage in said.stages.items()}
    assert ended == {name: (status, exit_code) for name, (_, status, exit_code) in ways.items()}
    assert said.exit_status == ExitStatus.STAGE_FAILED


@pytest.mark.parametrize(
    ("keys", "status", "exit_code", "exit_status"),
    [
        (f"{{{BUSY}: 'exit 3', neverFail: true}}", "tolerated", 3, ExitStatus.DONE),
        ("{img: dockercise.test/none:1, pull: never, run: 'true'}", "not_started", None, ExitStatus.ENGINE_FAILED),
        (f"{{{BUSY}: 'true', user: nobody-here}}", "error", None, ExitStatus.ENGINE_FAILED),
        (f"{{{BUSY}: 'true', env: SURELY_NOT_SET}}", "not_started", None, ExitStatus.WRONG_INPUT),
    ],
)
def test_one_stage(  # noqa: PLR0917  a table
    dockercise_run: Dockercise, folder: Path, keys: str, status: str, exit_code: int | None, exit_status: ExitStatus
) -> None:
    """Each problem of a pipeline's only stage has its status and its exit status."""
    said = dockercise_run("-C", write(folder, f"stage: {keys}"))

    stage = said.stages["stage"]
    assert (stage["status"], stage["exit_code"], said.exit_status) == (status, exit_code, exit_status), said.stderr


def test_no_engine(dockercise_run: Dockercise, folder: Path) -> None:
    """Without an engine the summary is still printed, and the message names the address that was tried."""
    said = dockercise_run("-C", write(folder, f"a: {{{BUSY}: 'true'}}"), DOCKER_HOST="unix:///nowhere/docker.sock")

    assert said.exit_status == ExitStatus.ENGINE_FAILED
    assert said.summary["status"] == "error"
    assert "unix:///nowhere/docker.sock" in said.stderr


@pytest.mark.parametrize(
    ("text", "arguments", "exit_status", "message", "compiled"),
    [
        ("a: {img: busybox, rnu: 'true'}", [], ExitStatus.WRONG_INPUT, "did you mean `run`?", False),
        ("a: {img: busybox, run: 'true'}", ["--jobs", "0"], ExitStatus.WRONG_INPUT, "--jobs", False),
        ("a: {img: busybox, run: 'true'}", ["b"], ExitStatus.WRONG_INPUT, "the target `b` is not a stage", True),
        ("a: {img: busybox, run: 'true'}", ["--env", "=x"], ExitStatus.WRONG_INPUT, "--env", True),
        ("a: {img: busybox, run: 'true'}", ["--env-file", "nowhere.env"], ExitStatus.WRONG_INPUT, "nowhere.env", True),
        ("meta: {name: empty}", [], ExitStatus.NOTHING_TO_DO, "nothing to do", True),
    ],
)
def test_nothing_starts(  # noqa: PLR0917  a table
    dockercise_run: Dockercise,
    folder: Path,
    text: str,
    arguments: list[str],
    exit_status: ExitStatus,
    message: str,
    compiled: bool,
) -> None:
    """Errors are reported before anything is started; stdout has the summary if the pipeline itself is correct."""
    said = dockercise_run("-C", write(folder, text), *arguments)

    assert said.exit_status == exit_status
    assert message in said.stderr
    assert said.summary.get("status") == ("error" if compiled else None)
    assert {entry["status"] for entry in said.summary.get("stages", {}).values()} <= {"not_started"}


def test_no_pipeline_at_all(dockercise_run: Dockercise, folder: Path) -> None:
    """For an empty folder there is nothing to do; it is not an error of the user."""
    said = dockercise_run("-C", folder)

    assert said.exit_status == ExitStatus.NOTHING_TO_DO
    assert "nothing to do: no *.dockercise.yaml below" in said.stderr


@pytest.mark.acceptance
def test_200_stages_at_once(dockercise_run: Dockercise, folder: Path) -> None:
    """Two hundred parallel containers all pass, each with its own output."""
    lines = [f"s{number}: {{{BUSY}: echo {number}}}" for number in range(200)]

    said = dockercise_run("-C", write(folder, "\n".join(lines)), "--jobs", "200")

    assert said.exit_status == ExitStatus.DONE, said.stderr
    assert {entry["status"] for entry in said.stages.values()} == {"passed"}
    assert len(said.stages) == 200


def test_a_failed_stage_is_told_with_its_last_lines(dockercise_run: Dockercise, folder: Path) -> None:
    """The terminal shows the stage's output with its name, and the stages that did not start because of it."""
    text = f"check: {{{BUSY}: 'echo grep: no match >&2; exit 2'}}\npublish: {{{BUSY}: 'true', after: check}}"

    said = dockercise_run("-C", write(folder, text))

    assert "check   │ grep: no match" in said.stderr
    assert "not started: check failed" in said.stderr
    assert said.stages["check"]["message"] == "exit code 2\ngrep: no match"
    assert said.stages["publish"]["status"] == "not_started"
