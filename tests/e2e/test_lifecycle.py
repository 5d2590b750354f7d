"""How stages and runs go, on the real engine, as seen in a user's shell."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.runtime.docker.engine import DockerEngine
from tests.e2e.conftest import Dockercise
from tests.support.hosts.git_repository import make_repository
from tests.support.running_command import PATIENCE, running, until

pytestmark = pytest.mark.docker

UP = "echo up; trap 'echo asked; exit 1' TERM; while :; do sleep 0.1; done"
"""A script that tells when it runs, and ends when it is asked to."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A repository for one pipeline, on its branch `master`; at the end nothing of its runs may be left on the engine."""
    name = f"pipeline-{tmp_path.name}"
    yield make_repository(tmp_path / name, {"README": "x"})
    with closing(DockerEngine.connect()) as engine:
        left = [left for left in engine.leftovers() if left.labels.get("dockercise.pipeline") == name]
    assert left == []


def write(folder: Path, text: str) -> Path:
    (folder / "p.dockercise.yaml").write_text(f"meta: {{defaults: {{img: busybox}}}}\n{text}")
    return folder


def test_conditions_answers_and_retries(dockercise_run: Dockercise, folder: Path) -> None:
    """One run with everything: each stage runs, is skipped, is tried again and says why, as the language page tells."""
    said = dockercise_run(
        "-C",
        write(
            folder,
            "flaky: {run: 'n=$(cat /state/n 2>/dev/null || echo 0); echo $((n+1)) > /state/n; test $n -ge 2',"
            f" vol: '{folder.name}:/state', retries: {{times: 3, delay: 0.1s}}}}\n"
            "ask: {run: 'exit 3'}\n"
            "yes: {run: 'true', if: ask}\n"
            "no: {run: 'echo $DOCKERCISE_BRANCH', unless: ask}\n"
            "uses: {run: 'true', env: yes}\n"
            "prod: {run: 'true', when: {branch: prod}}\n"
            "here: {run: 'true', when: {branch: [m*, '!main'], event: manual}}\n"
            "strict: {run: 'echo ${BASH_VERSION-none}; false | true', shell: [sh, -o, pipefail], neverFail: true}\n"
            "told: {run: 'echo never', when: failure}\n",
        ),
    )
    subprocess.run(["docker", "volume", "rm", folder.name], check=True, capture_output=True)

    assert {name: (one["status"], one["attempts"], one["because"]) for name, one in said.stages.items()} == {
        "flaky": ("passed", 3, None),
        "ask": ("tolerated", 1, None),
        "yes": ("skipped", None, "ask"),
        "no": ("passed", 1, None),
        "uses": ("skipped", None, "yes"),
        "prod": ("skipped", None, None),
        "here": ("passed", 1, None),
        "strict": ("tolerated", 1, None),
        "told": ("skipped", None, None),
    }
    assert said.stages["prod"]["message"] == "skipped: the branch is master, and must match prod"
    assert said.exit_status == ExitStatus.DONE


def test_clean_up_gets_what_is_left(dockercise_run: Dockercise, folder: Path, tmp_path: Path) -> None:
    """After a failure, a clean-up stage sees the value and the files as they were left, and how the run stands."""
    out = tmp_path / "seen"
    out.mkdir()
    said = dockercise_run(
        "-C",
        write(
            folder,
            "make: {run: 'echo half; echo x > $OUT/file; exit 4'}\n"
            "never: {run: 'echo no', after: make}\n"
            "tell: {run: 'echo \"$DOCKERCISE_STATUS|$DOCKERCISE_FAILED|$MAKE|$NEVER|$(cat /make/file)\" > /seen/told',"
            f" vol: '{out}:/seen', env: [make, never], when: always}}\n",
        ),
    )

    assert (out / "told").read_text() == "failed|make|half||x\n"
    assert {name: one["status"] for name, one in said.stages.items()} == {
        "make": "failed",
        "never": "not_started",
        "tell": "passed",
    }
    assert said.exit_status == ExitStatus.STAGE_FAILED


def test_targets_are_cleaned_up_after(dockercise_run: Dockercise, folder: Path, tmp_path: Path) -> None:
    """`run STAGE` also runs the clean-up stages of that stage, without the others that they come after."""
    seen = tmp_path / "seen"
    seen.mkdir()
    write(
        folder,
        "start: {run: 'echo started; echo x > $OUT/file'}\n"
        "test: {run: 'exit 4', after: start}\n"
        "other: {run: 'echo no'}\n"
        f"stop: {{run: 'echo \"stop $START $(cat /start/file)\" >> /seen/told', env: start, vol: ['{seen}:/seen', start],"
        " after: [test, other], when: always}\n"
        f"tell: {{run: 'echo \"$DOCKERCISE_STATUS: $DOCKERCISE_FAILED\" >> /seen/told', vol: '{seen}:/seen', after: stop,"
        " when: failure}\n"
        "last: {run: 'true', when: failure}\n"
        "elsewhere: {run: 'true', after: other, when: always}\n",
    )

    failed = dockercise_run("-C", folder, "test")
    passed = dockercise_run("-C", folder, "start")

    assert {name: one["status"] for name, one in failed.stages.items()} == {
        "start": "passed",
        "test": "failed",
        "stop": "passed",
        "tell": "passed",
        "last": "passed",
    }
    assert failed.exit_status == ExitStatus.STAGE_FAILED
    assert {name: one["status"] for name, one in passed.stages.items()} == {
        "start": "passed",
        "stop": "passed",
        "tell": "skipped",
        "last": "skipped",
    }
    assert passed.exit_status == ExitStatus.DONE
    assert (seen / "told").read_text() == "stop started x\nfailed: test\nstop started x\n"


def test_everything_skipped_is_nothing_to_do(dockercise_run: Dockercise, folder: Path) -> None:
    """If all that was asked for is skipped, the exit status is 4, and the summary says why."""
    write(folder, "build: {run: 'exit 1'}\ndeploy: {run: 'true', after: build, when: {branch: prod}}\n")

    said = dockercise_run("-C", folder, "deploy")

    assert said.exit_status == ExitStatus.NOTHING_TO_DO
    assert {name: one["status"] for name, one in said.stages.items()} == {"build": "skipped", "deploy": "skipped"}
    assert "nothing to do: every stage is skipped" in said.stderr


def test_the_timeout_of_a_run(dockercise_run: Dockercise, folder: Path) -> None:
    """A run that takes too long has failed; what ran has timed out, and clean-up stages run."""
    write(folder, f'long: {{run: "{UP}"}}\nafter: {{run: x, after: long}}\nclean: {{run: "true", when: always}}\n')
    text = (folder / "p.dockercise.yaml").read_text().replace("meta: {", "meta: {timeout: 15s, ")
    (folder / "p.dockercise.yaml").write_text(text)

    said = dockercise_run("-C", folder)

    assert {name: one["status"] for name, one in said.stages.items()} == {
        "long": "timed_out",
        "after": "not_started",
        "clean": "passed",
    }
    assert said.summary["status"] == "failed"
    assert said.exit_status == ExitStatus.STAGE_FAILED


@pytest.fixture
def heeds_hangups() -> Iterator[None]:
    """Processes heed SIGHUP, also if the tests run under nohup."""
    usual = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, usual)


@pytest.mark.usefixtures("heeds_hangups")
@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGHUP", "cancel"])
def test_a_run_that_is_cancelled_cleans_up(
    folder: Path, environment: dict[str, str], busybox: str, tmp_path: Path, how: str
) -> None:
    """By signals and by `dockercise cancel`: stages get their signal, clean-up stages run, and the exit status is 130."""
    write(
        folder,
        f'long: {{run: "{UP}"}}\n'
        f"clean: {{run: 'echo $DOCKERCISE_STATUS > /seen/told', vol: '{tmp_path}:/seen', when: always}}\n",
    )

    with running(folder, environment) as (process, lines):
        run_id = ""
        if how == "cancel":
            until(lines, "up")
            listed = dockercise(environment, "runs", "-C", str(folder))
            run_id = next(word for word in listed.split() if word.startswith("20") and word.count("-") == 1)
            assert dockercise(environment, "cancel", run_id) == f"{run_id}: Cancelled\n"
        else:
            until(lines, "up")
            process.send_signal(signal.Signals[how])
        until(lines, "asked")
        status = process.wait(PATIENCE)

    assert status == ExitStatus.INTERRUPTED
    assert (tmp_path / "told").read_text() == "cancelled\n"


def dockercise(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "dockercise_prefect", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=PATIENCE).stdout
