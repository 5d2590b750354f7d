"""The command as a whole: its list of commands, its exit statuses and how it ends."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dockercise_prefect.archives.tarball import Folder
from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.status import StageStatus
from tests.support.command import Command
from tests.support.hosts.git_repository import make_repository
from tests.support.recorded_runs import failed_run, ran


def _python(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("arguments", [["--help"], ["compile", "--help"], ["lint", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """Help and version need neither Prefect nor Docker nor AWS."""
    program = "import sys; from dockercise_prefect.cli import main\ntry: main()\nexcept SystemExit as end: print(end.code)\n"
    program += "print([name for name in ('prefect', 'docker', 'boto3', 'rich') if name in sys.modules])"

    result = _python("-c", program, *arguments)

    assert result.stdout.splitlines()[-2:] == ["0", "[]"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["compile", "--format", "json"],
        ["compile", "--offline"],
        ["lint"],
        ["lint", "--packages"],
        ["graph", "-o", "FOLDER/g.svg", "--layout", "own"],
        ["explain", "a"],
        ["plan", "--since", "HEAD"],
    ],
    ids=" ".join,
)
def test_looking_imports_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    """Commands that only read a pipeline without packages import neither Prefect nor Docker nor AWS."""
    make_repository(tmp_path, {"a.dockercise.yaml": "a: {img: x}\n"})
    given = [argument.replace("FOLDER", str(tmp_path)) for argument in arguments]

    result = _python("-X", "importtime", "-m", "dockercise_prefect", *given, "-C", str(tmp_path))

    imported = {line.split("|")[-1].strip().split(".")[0] for line in result.stderr.splitlines()}
    assert result.returncode == 0
    assert "dockercise_prefect" in imported
    assert not imported & {"prefect", "docker", "boto3", "rich"}


@pytest.mark.parametrize(
    "arguments", [["runs"], ["show", "last"], ["tests"], ["logs", "last", "-f"], ["fetch", "last", "greet", "FOLDER"]]
)
def test_reading_records_needs_no_engine_and_no_server(tmp_path: Path, arguments: list[str]) -> None:
    """Commands that read records in a folder import neither Prefect nor Docker nor AWS."""
    run = failed_run(tmp_path / "results")
    run.stage("greet", ran(StageStatus.PASSED, 0, 1), b"hello\n", volume=[Folder(path="greet")])
    given = [argument.replace("FOLDER", str(tmp_path / "new")) for argument in arguments]

    result = _python("-X", "importtime", "-m", "dockercise_prefect", *given, "--results", str(tmp_path / "results"))

    imported = {line.split("|")[-1].strip().split(".")[0] for line in result.stderr.splitlines()}
    assert result.returncode == 0
    assert not imported & {"prefect", "docker", "boto3"}


def test_every_command_is_listed(command: Command) -> None:
    """The list of commands shows each command on its own line, and exits with status 0."""
    outcome = command("--help")

    listed = [line.split()[0] for line in outcome.out.partition("Commands:\n")[2].splitlines()]
    assert listed == [
        *("compile", "lint", "graph", "explain", "plan", "run", "watch", "cancel", "approve", "register"),
        *("login", "logout", "connect", "disconnect", "aws"),
        *(
            "runs",
            "show",
            "tests",
            "logs",
            "shell",
            "fetch",
            "package",
            "results",
            "gc",
            "webhook",
            "host",
            "doctor",
            "import",
            "init",
            "schema",
            "completion",
            "up",
            "down",
            "status",
        ),
    ]
    assert outcome.status == 0


def test_unknown_command_is_a_usage_error(command: Command) -> None:
    """A command that does not exist is status 2, and the message suggests the command that was probably meant."""
    outcome = command("compiel")

    assert outcome.status == 2
    assert "there is no command `compiel`; did you mean `compile`?" in outcome.err


def test_unknown_option_is_a_usage_error(command: Command) -> None:
    """An option that does not exist is status 2."""
    outcome = command("lint", "--loud")

    assert outcome.status == 2
    assert "--loud" in outcome.err


def test_two_roots_are_a_usage_error(command: Command) -> None:
    """Two different roots in one call are status 2."""
    outcome = command("lint", "a", "--root", "b")

    assert outcome.status == 2
    assert outcome.err == "two roots are given: a and --root b\n  hint: name one of them\n"


@pytest.mark.parametrize("folder", ["/somewhere/else", "flows/hello", ".", ".."])
def test_a_folder_in_place_of_a_stage_is_a_usage_error(command: Command, folder: str) -> None:
    """`run` reports that it takes stages, and which option names the folder, before it reads anything."""
    outcome = command("run", folder)

    assert outcome.status == 2
    assert outcome.err == (
        f"`{folder}` is not a stage: `run` expects the names of stages\n"
        f"  hint: to run the pipeline of a folder: `dockercise run -C {folder}`\n"
    )


def test_options_about_the_cache_that_exclude_each_other_are_a_usage_error(command: Command) -> None:
    """Without the cache, every stage would be a miss."""
    outcome = command("run", "--no-cache", "--fail-on-miss")

    assert outcome.status == 2
    assert outcome.err == (
        "--no-cache and --fail-on-miss exclude each other: without the cache, no stage is reused\n  hint: use one of them\n"
    )


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    """If the reader of the output closes it early, the command ends quietly."""
    (tmp_path / "a.dockercise.yaml").write_text("".join(f"s{index}: {{img: x}}\n" for index in range(2000)))
    reading, writing = os.pipe()
    os.close(reading)

    result = subprocess.run(
        [sys.executable, "-m", "dockercise_prefect", "compile", str(tmp_path)],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)

    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "closed"),
    [
        (["run", "--json"], "stdout"),
        (["run"], "stderr"),
        (["run", "--json", "nobody"], "stdout"),
        (["lint", "--no-such"], "stdout"),
        (["lint", "--no-such"], "stderr"),
    ],
)
def test_a_failure_that_nobody_hears_is_one(tmp_path: Path, arguments: list[str], closed: str) -> None:
    """If the reader has closed the pipe, the exit status still shows that the command failed."""
    (tmp_path / "a.dockercise.yaml").write_text("a: {img: x, run: 'true'}\n")
    reading, writing = os.pipe()
    os.close(reading)
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, closed: writing}

    result = subprocess.run(
        [sys.executable, "-m", "dockercise_prefect", *arguments, "-C", str(tmp_path)],
        check=False,
        env=os.environ | {"DOCKER_HOST": "unix:///nowhere/docker.sock", "DOCKERCISE_DATA": str(tmp_path / "data")},
        **pipes,  # type: ignore[call-overload]  # one stream or the other
    )
    os.close(writing)

    wrong_input = "nobody" in arguments or "lint" in arguments
    assert result.returncode == (ExitStatus.WRONG_INPUT if wrong_input else ExitStatus.ENGINE_FAILED)


def test_ctrl_c_before_the_run_begins_is_told(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Once the pipeline is compiled, a summary is written, no matter when Ctrl-C comes."""
    (tmp_path / "a.dockercise.yaml").write_text("a: {img: x, run: 'true'}\n")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dockercise_prefect.cli.run.given_variables", interrupted)

    outcome = command("run", "--json", "--env", "A=1")

    summary = json.loads(outcome.out)
    assert outcome.status == ExitStatus.INTERRUPTED
    assert (summary["status"], summary["stages"]["a"]["status"]) == ("cancelled", "not_started")


def test_an_interruption_has_its_status(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C gives status 130 and shows no traceback."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dockercise_prefect.cli.compile.compile_folder", interrupted)

    outcome = command("compile")

    assert outcome.status == 130
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_closed_stream_is_no_error(closed: str, tmp_path: Path) -> None:
    """A command that is started with `>&-` or `2>&-` does its work, and no traceback is printed."""
    (tmp_path / "a.dockercise.yaml").write_text("a: {img: busybox, run: 'true'}\n")
    command = f"exec {shlex.quote(sys.executable)} -m dockercise_prefect graph {closed}>&-"

    ended = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)

    assert (ended.returncode, "Traceback" in ended.stderr) == (ExitStatus.DONE, False), ended.stderr
