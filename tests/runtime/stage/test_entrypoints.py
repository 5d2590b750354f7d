"""A program that gets the words of `run` as its arguments, in place of a shell that runs a script."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.pipeline import built_from, code, host, stage
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.status import StageStatus
from tests.engines.scripted import BUSYBOX, ScriptedEngine
from tests.runtime.workspaces import run_all, sh


def test_the_words_of_run_are_the_arguments(scripted: ScriptedEngine) -> None:
    """Words are split and unquoted as by a shell, and nothing else happens to them."""
    run_all(scripted, sh("a", "--all 'two words' $HOME *\n\"it's\" # no comment", entrypoint=["tool", "-v"]))

    assert scripted.specs[-1].command == (
        *("tool", "-v", "--all", "two words", "$HOME", "*"),
        *("it's", "#", "no", "comment"),
    )


def test_a_program_without_words(scripted: ScriptedEngine) -> None:
    """Without `run`, the entrypoint is the whole command; the image's own command is not used."""
    run_all(scripted, stage("a", image=BUSYBOX, entrypoint=["tool", "-v"]))

    assert scripted.specs[-1].command == ("tool", "-v")


@pytest.mark.docker
def test_an_entrypoint_on_a_real_engine(docker_engine: DockerEngine, tmp_path: Path, run_id: str) -> None:
    """The image's own entrypoint and another one get exactly these arguments, also together with variables from outside."""
    (tmp_path / "Dockerfile").write_text(f'FROM {BUSYBOX}\nENTRYPOINT ["printf", "own %s.\\\\n"]\nCMD ["dropped"]\n')
    own = stage("own", build=built_from(code), run="'a  b' $HOME", entrypoint=[])
    named = sh("named", "env", entrypoint=["env", "-u", "HOME"], env={"TOKEN": host("TOKEN")})

    ran = run_all(docker_engine, own, named, root=tmp_path, outside={"TOKEN": "it's\nhere"}, run_id=run_id)

    assert [result.status for result in ran.results.values()] == [StageStatus.PASSED] * 2, ran.results
    assert ran.printed("own") == b"own a  b.\nown $HOME.\n"
    assert b"\nTOKEN=it's\nhere\n" in b"\n" + ran.printed("named")
    assert b"HOME=" not in ran.printed("named")


@pytest.mark.docker
def test_a_program_that_is_not_in_the_image(docker_engine: DockerEngine, run_id: str) -> None:
    """The stage fails with the exit code of a command that does not exist, and the engine's reason."""
    ran = run_all(docker_engine, sh("a", "x", entrypoint=["no-such-program"]), run_id=run_id)

    assert ran.results["a"].status is StageStatus.FAILED
    assert ran.results["a"].exit_code == 127
    assert "no-such-program" in str(ran.results["a"].message)
