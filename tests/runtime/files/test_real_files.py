"""What scripts find in their containers and what they leave there, which only the real engine can show."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import APIClient

from dockercise_prefect.pipeline import bind, code, engine_volume, host, stage
from dockercise_prefect.runtime.docker.connection import connect
from dockercise_prefect.runtime.docker.engine import DockerEngine
from tests.engines.scripted import BUSYBOX
from tests.runtime.workspaces import run_all, sh, workspace

pytestmark = pytest.mark.docker

AS_USER = "dockercise-test/user:1"
WITHOUT_SHELL = "dockercise-test/no-shell:1"


@pytest.fixture(scope="module")
def client() -> Iterator[APIClient]:
    """The SDK's own client, to check what our code did."""
    found, _ = connect()
    yield found
    found.close()


@pytest.fixture(scope="module")
def as_user(client: APIClient, docker_session: DockerEngine) -> Iterator[str]:
    """An image with `USER node`, which is 1000:1001."""
    source = client.create_container(BUSYBOX, ["x"])["Id"]
    accounts = tar(("etc/passwd", b"root:x:0:0::/:/bin/sh\nnode:x:1000:1001::/:/bin/sh\n"), ("etc/group", b"root:x:0:\n"))
    client.put_archive(source, "/", accounts)
    client.commit(source, AS_USER.partition(":")[0], "1", changes="USER node")
    client.remove_container(source)
    yield AS_USER
    client.remove_image(AS_USER)


@pytest.fixture(scope="module")
def without_shell(client: APIClient, docker_session: DockerEngine) -> Iterator[str]:
    """An image that contains only a busybox called `hello`."""
    source = client.create_container(BUSYBOX, ["x"])["Id"]
    stream, _ = client.get_archive(source, "/bin/busybox")
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        binary = archive.extractfile("busybox")
        assert binary is not None
        packed = tar(("busybox", binary.read()))
    client.remove_container(source)
    name, _, tag = WITHOUT_SHELL.partition(":")
    client.import_image_from_data(packed, repository=name, tag=tag, changes=['CMD ["/busybox", "echo", "own command"]'])
    yield WITHOUT_SHELL
    client.remove_image(WITHOUT_SHELL)


def tar(*files: tuple[str, bytes]) -> bytes:
    """A tar with these files, all executable."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.usefixtures("attempts")
def test_files_go_from_stage_to_stage_under_any_name(docker_engine: DockerEngine, run_id: str) -> None:
    """Volumes, copies and `/out` work for stage names with ☃, dots and quotes; a sealed volume stays as it was left."""
    maker = "it's.☃"
    make = f"""
        [ "$OUT" = "/{maker}" ] && [ "$(ls -A $OUT)" = "" ] && [ "$(pwd)" = / ] && [ "$DOCKERCISE_STAGE" = "{maker}" ]
        cd $OUT; mkdir -m 0700 d; echo one >d/f; chmod 0751 d/f; chown 12:34 d/f; ln -s d/f link; ln d/f hard
        printf 'raw\\377\\000\\n\\n'"""
    first = sh(maker, make)
    read = f"""
        [ "$(stat -c '%a %u %g' "/{maker}/d/f")" = "751 12 34" ] && [ "$(readlink "/{maker}/link")" = d/f ]
        [ "$(stat -c %h "/{maker}/hard")" = 2 ]
        ! echo x 2>/dev/null >"/{maker}/new" && ! mount -o remount,rw "/{maker}" 2>/dev/null
        ! echo x 2>/dev/null >/out/new
        ls -a /out | wc -l; echo /out/*; od -An -tx1 "/out/{maker}" """
    reader = sh("reader", read, volumes=[first.volume])
    changer = sh('ch"anger', '[ "$(pwd)" = "/ch\\"anger" ]; cat hard; echo two >hard; rm link; cat d/f', on=first)
    after = sh(
        "after",
        "cat '/it'\\''s.☃/d/f' /elsewhere/d/f; echo /out/*",
        after=[reader],
        volumes=[first.volume, first.volume.at("/elsewhere")],
    )
    later = sh("later", "cat /changed/d/f", volumes=[changer.volume.at("/changed")])

    ran = run_all(docker_engine, first, reader, changer, after, later, run_id=run_id)

    assert [result.message for result in ran.results.values()] == [None] * 5
    assert ran.value("reader").decode().split() == ["3", f"/out/{maker}", "72", "61", "77", "ff", "00", "0a", "0a"]
    assert len(ran.printed(maker)) == 7
    assert ran.value('ch"anger') == b"one\ntwo"
    assert ran.value("after").decode().split() == ["one", "one", f"/out/{maker}", "/out/reader"]
    assert ran.value("later") == b"two"


@pytest.mark.usefixtures("attempts")
def test_any_user_can_write_to_its_own_volume(docker_engine: DockerEngine, run_id: str, as_user: str, tmp_path: Path) -> None:
    """`user: 1000` and an image with USER can write to `$OUT`, to a copy of another stage's volume and to one of the code."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d/f").write_text("code")
    stages = [
        sh("number", "id -u; echo x >$OUT/f; stat -c '%u %g' $OUT/f", user="1000"),
        stage("named", image=as_user, run="id -u; echo x >$OUT/f; stat -c '%u %g' $OUT/f"),
    ]
    copy = stage("copy", image=as_user, run="echo y >new; rm f; cat /out/number; stat -c %a .", on=stages[0])
    on_code = stage("on-code", image=as_user, run="echo changed >d/f; mv d e; cat e/f; stat -c '%u %g' e/f", on=code)

    ran = run_all(docker_engine, *stages, copy, on_code, root=tmp_path, run_id=run_id)

    assert [result.message for result in ran.results.values()] == [None] * 4
    assert ran.value("number").split() == [b"1000", b"1000", b"0"]
    assert ran.value("named").split() == [b"1000", b"1000", b"1001"]
    assert ran.value("copy").split() == [b"1000", b"1000", b"0", b"1777"]
    assert ran.value("on-code").split() == [b"changed", b"1000", b"1001"]
    assert (tmp_path / "d/f").read_text() == "code"


def test_the_code_is_read_only_and_exact(docker_engine: DockerEngine, run_id: str, tmp_path: Path) -> None:
    """Modes, links and odd names are those of the root for every user, and nobody can write to the code."""
    (tmp_path / "run.sh").write_text("#!/bin/sh\necho ran")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "☃ it's").symlink_to("run.sh")
    script = "/code/run.sh; readlink \"/code/☃ it's\"; stat -c '%a %u %g' /code/run.sh; ! echo x 2>/dev/null >/code/new"

    ran = run_all(docker_engine, sh("a", script, volumes=[code], user="1000"), root=tmp_path, run_id=run_id)

    assert ran.results["a"].message is None
    assert ran.value("a").decode().splitlines() == ["ran", "run.sh", "755 0 0"]


def test_external_binds_and_volumes(docker_engine: DockerEngine, run_id: str, tmp_path: Path, client: APIClient) -> None:
    """A stage can write to a folder below the root, and the engine's own volume still exists after the run."""
    (tmp_path / "shared").mkdir()
    name = f"dockercise-test-{run_id}"
    writer = sh(
        "a", "echo 1 >/shared/f; echo 2 >/cache/f", volumes=[bind("./shared", "/shared"), engine_volume(name, "/cache")]
    )
    try:
        run_all(docker_engine, writer, root=tmp_path, run_id=run_id)
        reader = sh("b", "cat /cache/f; ! echo x 2>/dev/null >/cache/f", volumes=[engine_volume(name, "/cache", "ro")])

        ran = run_all(docker_engine, reader, run_id=run_id)
    finally:
        client.remove_volume(name)

    assert (tmp_path / "shared/f").read_text() == "1\n"
    assert ran.value("b") == b"2"


def test_fifty_megabytes_of_output_arrive(docker_engine: DockerEngine, run_id: str) -> None:
    """A long stdout is complete, in the result and in `/out`."""
    a = sh("a", "head -c 50000000 /dev/zero | tr '\\0' x")
    b = sh("b", "wc -c </out/a; tr -d x </out/a | wc -c", after=[a])

    with workspace(docker_engine, a, b, run_id=run_id) as ran:
        stdout = ran.run(a, sink=lambda *_: None).stdout
        ran.run(b)

        assert stdout is not None
        assert stdout.size == 50_000_000
        assert ran.value("b").split() == [b"50000000", b"0"]


def test_a_script_too_long_for_an_argument_runs(docker_engine: DockerEngine, run_id: str) -> None:
    """A script of 200 KB runs like a short one, with its variables and under `set -e`, for every user."""
    script = "#" * 200_000 + '\necho "$V"\nfalse\necho unreached'

    ran = run_all(docker_engine, sh("a", script, env={"V": host("V")}, user="1000"), outside={"V": "here"}, run_id=run_id)

    assert (ran.results["a"].exit_code, ran.value("a")) == (1, b"here")


def test_an_image_without_a_shell(docker_engine: DockerEngine, run_id: str, without_shell: str) -> None:
    """The image's own command runs; a script ends with 127 and a hint; a script with a missing command gets no such hint."""
    own = stage("own", image=without_shell)
    script = stage("script", image=without_shell, run="echo hi")
    other = sh("other", "no-such-command")

    ran = run_all(docker_engine, own, script, other, run_id=run_id)

    assert ran.value("own") == b"own command"
    assert (ran.results["script"].status.value, ran.results["script"].exit_code) == ("failed", 127)
    assert "has no /bin/sh" in str(ran.results["script"].message).splitlines()[0]
    assert "has no /bin/sh" not in str(ran.results["other"].message)


def test_out_of_memory(docker_engine: DockerEngine, run_id: str) -> None:
    """A stage that takes more than its memory fails, with or without `neverFail`, and the message gives the reason.

    The kernel now and then does not tell the engine the reason (about one time in a hundred), so five stages try it.
    """
    greedy = [sh(f"a{number}", "tail /dev/zero", memory=16_000_000, never_fail=True) for number in range(5)]

    ran = run_all(docker_engine, *greedy, run_id=run_id)

    ends = [(end.status.value, end.exit_code, str(end.message).split(" (")[0]) for end in ran.results.values()]
    assert {code for _, code, _ in ends} == {137}
    assert ("failed", 137, "out of memory") in ends
    assert {status for status, _, message in ends if message == "out of memory"} == {"failed"}


def test_nothing_secret_is_in_the_engines_records(docker_engine: DockerEngine, run_id: str, client: APIClient) -> None:
    """While a stage runs with a value and an outside variable, `docker inspect` shows neither."""
    a = sh("a", "echo v4lue")
    b = sh("b", 'echo "$A $TOKEN"; echo up', env={"A": a.value, "TOKEN": host("TOKEN")})
    seen: list[str] = []

    def look(_channel: str, _chunk: bytes) -> None:
        ours = client.containers(all=True, filters={"label": f"dockercise.run={run_id}"})
        seen.extend(repr(client.inspect_container(each["Id"])) for each in ours)

    with workspace(docker_engine, a, b, run_id=run_id) as ran:
        ran.run(a)
        ran.run(b, {"TOKEN": "outs1de"}, sink=look)

        assert ran.value("b") == b"v4lue outs1de\nup"
    assert seen
    assert not [text for text in seen if "v4lue" in text or "outs1de" in text]


def test_the_aws_folder_is_for_every_user(
    docker_engine: DockerEngine, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `--aws`, a user that is not root reads the credentials through the variables; root also finds them at home."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text("[default]")
    (tmp_path / ".aws/credentials").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    user = sh("user", 'cat "$AWS_SHARED_CREDENTIALS_FILE"; ! echo x 2>/dev/null >"$AWS_CONFIG_FILE"', user="1000")
    root = sh("root", "cat /root/.aws/credentials; ! echo x 2>/dev/null >/root/.aws/config")

    with workspace(docker_engine, user, root, aws=True, run_id=run_id) as ran:
        messages = [ran.run(user).message, ran.run(root).message]

        assert messages == [None, None]
        assert ran.value("user") == ran.value("root") == b"[default]"
