"""`run --untrusted`: what is refused before anything is started."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockercise_prefect.errors import ExitStatus
from tests.support.command import Command, Outcome

NO_ENGINE = "unix:///nowhere/docker.sock"


class Stranger:
    """A stranger's repository, and a run of it from elsewhere."""

    def __init__(self, root: Path, command: Command) -> None:
        self.root = root
        self._command = command

    def says(self, text: str) -> None:
        """Write its only file."""
        (self.root / "p.dockercise.yaml").write_text(text)

    def run(self, *arguments: str) -> Outcome:
        """Run the command without an engine. It must fail before it needs one."""
        return self._command("run", "-C", str(self.root), *arguments)


@pytest.fixture
def stranger(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stranger]:
    """A repository with one harmless stage."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    monkeypatch.setenv("DOCKERCISE_DATA", str(tmp_path / "data"))
    stranger = Stranger(tmp_path / "theirs", command)
    stranger.says("a: {img: x, run: 'true'}\n")
    yield stranger
    assert not (tmp_path / "data").exists()


def test_a_refusal_is_wrong_input_with_places(stranger: Stranger) -> None:
    """Every refusal is shown with its place and hint; the summary records that nothing was started."""
    stranger.says("a: {img: x, run: 'true', vol: '/:/host'}\nb: {img: x, after: a, network: host}\n")

    outcome = stranger.run("--untrusted", "--json")

    summary = json.loads(outcome.out)
    assert outcome.status == ExitStatus.WRONG_INPUT
    assert outcome.err == (
        "p.dockercise.yaml:1:1: DK070 not trusted: a mounts `/` from the engine's machine\n"
        "  hint: mount the code (`vol: code`) or volumes of stages\n"
        "p.dockercise.yaml:2:1: DK072 not trusted: b uses the network of the engine's machine\n"
        "  hint: remove `network: host`: a stage reaches the internet through its own network\n"
    )
    assert summary["status"] == "error"
    assert {stage["status"] for stage in summary["stages"].values()} == {"not_started"}


def test_clean_up_stages_of_targets_are_judged_too(stranger: Stranger) -> None:
    """A clean-up stage would run with the target, so what it requests is refused; other stages would not run."""
    stranger.says(
        "a: {img: x, run: 'true'}\nb: {img: x, network: host}\nc: {img: x, after: [a, b], when: always, network: host}\n"
    )

    outcome = stranger.run("--untrusted", "a")

    assert outcome.status == ExitStatus.WRONG_INPUT
    assert outcome.err.startswith("p.dockercise.yaml:3:1: DK072 not trusted: c uses the network of the engine's machine\n")
    assert "b uses" not in outcome.err


@pytest.mark.parametrize(
    ("variables", "arguments"),
    [
        ({}, ["--untrusted"]),
        ({"DOCKERCISE_UNTRUSTED": "true"}, []),
        ({"DOCKERCISE_UNTRUSTED": "false"}, ["--untrusted"]),
    ],
)
def test_flag_and_setting_say_the_same(
    stranger: Stranger, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], arguments: list[str]
) -> None:
    """The flag or the setting decides what is not trusted; the flag wins."""
    stranger.says("a: {img: x, user: root}\n")
    for name, text in variables.items():
        monkeypatch.setenv(name, text)

    outcome = stranger.run(*arguments)

    assert outcome.status == ExitStatus.WRONG_INPUT
    assert "DK073 not trusted: a runs as root (`user: root`)" in outcome.err


def test_limits_come_from_the_settings(stranger: Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each limit is a setting, and the hint names it."""
    stranger.says("a: {img: x, cpus: 2, memory: 1g, timeout: 10m}\nb: {img: x}\n")
    for name, text in {"STAGES": "1", "CPUS": "1.5", "MEMORY": "512m", "TIMEOUT": "5m"}.items():
        monkeypatch.setenv(f"DOCKERCISE_UNTRUSTED_{name}", text)

    outcome = stranger.run("--untrusted")

    assert outcome.status == ExitStatus.WRONG_INPUT
    for said in (
        "a sets `cpus: 2`, but the limit is 1.5",
        "a sets `memory: 1g`, but the limit is 512m",
        "a sets `timeout: 10m`, but the limit is 5m",
        "2 stages would run, but the limit is 1: b is one too many",
        *(f"raise DOCKERCISE_UNTRUSTED_{name}" for name in ("STAGES", "CPUS", "MEMORY", "TIMEOUT")),
    ):
        assert said in outcome.err


def test_no_credentials_for_strangers(stranger: Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--aws` and a pipeline that is not trusted exclude each other, and the hint shows where the pipeline was marked so."""
    monkeypatch.setenv("DOCKERCISE_UNTRUSTED", "true")

    outcome = stranger.run("--aws")

    assert outcome.status == ExitStatus.WRONG_INPUT
    assert outcome.err == (
        "--aws would give your AWS folder to an untrusted pipeline\n"
        "  hint: remove --aws; the pipeline is not trusted because of DOCKERCISE_UNTRUSTED\n"
    )


@pytest.mark.parametrize("below", [".", "deep"])
def test_nobody_stands_in_what_is_not_trusted(stranger: Stranger, monkeypatch: pytest.MonkeyPatch, below: str) -> None:
    """Prefect reads settings in the working folder, so a stranger's folder could decide where the user's key is sent."""
    (stranger.root / "deep").mkdir()
    (stranger.root / "prefect.toml").write_text('[api]\nurl = "http://127.0.0.1:9/api"\n')
    monkeypatch.chdir(stranger.root / below)

    outcome = stranger.run("--untrusted")

    assert outcome.status == ExitStatus.WRONG_INPUT
    assert outcome.err.startswith("the current folder belongs to the untrusted pipeline")
    assert f"-C {stranger.root}" in outcome.err


@pytest.mark.parametrize("way", ["theirs/variables", "link/variables", "theirs/out/variables", "theirs/link", "link/link"])
def test_no_variables_from_what_is_not_trusted(stranger: Stranger, tmp_path: Path, way: str) -> None:
    """A file in the repository, or behind a link in it, could name variables of the process and files of the user."""
    mine = tmp_path / "mine"
    (mine / "variables").write_text("A=1\n")
    (stranger.root / "variables").write_text("AWS_SECRET_ACCESS_KEY\n")
    (stranger.root / "link").symlink_to(mine / "variables")
    (stranger.root / "out").symlink_to(mine)
    (tmp_path / "link").symlink_to(stranger.root)

    outcome = stranger.run("--untrusted", "--env-file", str(tmp_path / way))

    assert outcome.status == ExitStatus.WRONG_INPUT
    assert outcome.err.startswith(f"--env-file: {tmp_path / way} belongs to the untrusted pipeline")


def test_what_is_harmless_gets_as_far_as_the_engine(stranger: Stranger, tmp_path: Path) -> None:
    """A pipeline that needs nothing special is run, with a file of variables from outside."""
    (tmp_path / "mine" / "variables").write_text("A=1\n")

    outcome = stranger.run("--untrusted", "--env-file", "variables")

    assert outcome.status == ExitStatus.ENGINE_FAILED
    assert NO_ENGINE in outcome.err
