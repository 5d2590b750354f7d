"""Secret files: variables from outside that are files in the container of a stage, in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from docker import APIClient

from dockercise_prefect.pipeline import Pipeline, host, stage
from dockercise_prefect.pipeline.sensitivity import sensitive_stages
from dockercise_prefect.runtime.docker.connection import connect
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.engine import NoSuchPathError
from dockercise_prefect.runtime.stage.environment import OutsideSource, resolve_outside
from dockercise_prefect.status import StageStatus
from tests.engines.scripted import ScriptedEngine
from tests.runtime.workspaces import run_all, sh, workspace

KEY = "-----BEGIN KEY-----\nit's $HOME `x`\n-----END KEY-----\n"


@pytest.fixture
def client() -> Iterator[APIClient]:
    """The SDK's own client, to look at what everybody can see."""
    found, _ = connect()
    yield found
    found.close()


def test_the_path_is_a_link_into_memory(scripted: ScriptedEngine) -> None:
    """The engine gets a link and a folder in memory. The content goes through the standard input only."""
    run_all(scripted, sh("a", "x", env={"/root/.ssh/key": host("KEY")}), outside={"/root/.ssh/key": KEY})

    spec = scripted.specs[-1]
    assert spec.in_memory == ("/run/dockercise-secrets",)
    assert spec.stdin
    assert "BEGIN" not in repr(spec)
    assert "/root/.ssh/key" not in spec.env


def test_a_stage_without_its_optional_file(scripted: ScriptedEngine) -> None:
    """If nothing sets the variable, there is neither a file nor a folder in memory."""
    run_all(scripted, sh("a", "x", env={"/key": host("KEY", optional=True)}))

    assert scripted.specs[-1].in_memory == ()


def test_a_secret_file_is_secret_whatever_its_source() -> None:
    """Its text is masked, and the output of its stage is sensitive, without `meta.secrets`."""
    pipeline = Pipeline("p", [sh("a", "x", env={"/key": host("KEY")})])

    found = resolve_outside(pipeline, [OutsideSource("--env", {"KEY": "t" * 200_000}.get, explicit=True)])

    assert found.secret == {"a": ["/key"]}
    assert len(found.variables["a"]["/key"]) == 200_000
    assert sensitive_stages(pipeline) == {"a": "its secret file /key is secret"}


@pytest.mark.docker
@pytest.mark.parametrize("user", ["1000:1000", "0"])
def test_a_secret_file_on_a_real_engine(docker_engine: DockerEngine, run_id: str, user: str) -> None:
    """The user of the stage, and nobody else, reads exactly the text, also a long one, and in a new folder."""
    script = "cat /new/folder/key; wc -c </run/big; stat -L -c '%a %u' /new/folder/key; env; df /new/folder/key | grep -c tmpfs"
    env = {"/new/folder/key": host("KEY"), "/run/big": host("BIG"), "SHOWN": host("SHOWN")}
    outside = {"/new/folder/key": KEY, "/run/big": "b" * 300_000, "SHOWN": "yes"}

    ran = run_all(docker_engine, sh("a", script, env=env, user=user), outside=outside, run_id=run_id)

    assert ran.results["a"].status is StageStatus.PASSED, ran.output
    printed = ran.printed("a").decode()
    assert printed.startswith(f"{KEY}300000\n600 {user.partition(':')[0]}\n")
    assert "SHOWN=yes\n" in printed
    assert "KEY=" not in printed


@pytest.mark.docker
def test_what_everybody_can_see_has_no_secret_file(docker_engine: DockerEngine, run_id: str, client: APIClient) -> None:
    """Neither the container's configuration, nor its files on the disk, nor an image that is made from it, have the content."""
    first = sh("first", "cat /key >/dev/null", env={"/key": host("KEY")})
    second = sh("second", "! cat /key", image=first)

    with workspace(docker_engine, first, second, run_id=run_id) as ran:
        ran.run(first, {"/key": KEY})
        container = str(ran.results["first"].container)
        seen = json.dumps(client.inspect_container(container))
        with pytest.raises(NoSuchPathError):  # the link leads to a folder that is gone
            docker_engine.get(container, "/key")
        after = ran.run(second)

    assert "BEGIN" not in seen
    assert after.status is StageStatus.PASSED, ran.output


@pytest.mark.docker
def test_a_program_gets_a_secret_file(docker_engine: DockerEngine, run_id: str) -> None:
    """A stage with an entrypoint gets its files too."""
    one = stage("a", image="busybox", run="/key", entrypoint=["cat"], env={"/key": host("KEY")})

    ran = run_all(docker_engine, one, outside={"/key": KEY}, run_id=run_id)

    assert ran.printed("a").decode() == KEY
