"""What every engine promises (`runtime.engine.Engine`), tested on the scripted engine and on Docker so that neither drifts."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import PullPolicy
from dockercise_prefect.runtime.engine import ContainerMount, ContainerVanishedError, Engine, ExitState, Leftover, ResolvedImage
from tests.engines.driving import (
    PATIENCE,
    Output,
    container,
    member,
    members_of,
    rehearse,
    run,
    running,
    spec_of,
    tar_of,
)
from tests.engines.scripted import BUSYBOX, Behaviour

Labels = Mapping[str, str]


@pytest.fixture
def volume(engine: Engine, labels: Labels) -> Iterator[str]:
    """An empty volume."""
    name = f"dockercise-{labels['dockercise.run']}"
    engine.create_volume(name, labels)
    yield name
    engine.remove_volume(name)


def test_it_says_who_it_is(engine: Engine) -> None:
    """An engine reports its version and its address."""
    info = engine.info()

    assert info.version
    assert "://" in info.url


def test_an_image_is_pinned(engine: Engine) -> None:
    """A resolved image is known by its id, even if its name means another image later."""
    image = engine.resolve_image(BUSYBOX, pull=PullPolicy.MISSING, platform=None, progress=lambda _: None)

    assert image.ref == BUSYBOX
    assert image.id.startswith("sha256:")
    assert image.digest


def test_an_absent_image_is_named(engine: Engine) -> None:
    """An image that is missing and must not be pulled is an error that names it."""
    with pytest.raises(EngineError, match="dockercise-test/absent:1"):
        engine.resolve_image("dockercise-test/absent:1", pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)


def test_output_arrives_split_and_exact(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """The two channels arrive separately, byte for byte, and no newline is added."""
    rehearse(engine, "printf", Behaviour(stdout=b"a\xff\0b", stderr=b"noise\n"))

    state, output = run(engine, spec_of(image, labels, r"printf 'a\377\000b'; echo noise >&2"))

    assert state == ExitState(0)
    assert (output.stdout, output.stderr) == (b"a\xff\0b", b"noise\n")


@pytest.mark.parametrize("code", [1, 2, 126, 127, 137, 255])
def test_the_exit_code_is_the_scripts(engine: Engine, image: ResolvedImage, labels: Labels, code: int) -> None:
    """An exit code arrives unchanged; a script's own 126 and 127 do not count as a failure to start."""
    rehearse(engine, f"exit {code}", Behaviour(exit_code=code))

    state, _ = run(engine, spec_of(image, labels, f"exit {code}"))

    assert state == ExitState(code)


def test_a_command_that_is_not_there(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """A command that cannot be started has exit code 127 and a message."""
    rehearse(engine, "/no/such", Behaviour(exit_code=127, start_error="/no/such: no such file"))

    state, _ = run(engine, spec_of(image, labels, "/no/such", "argument"))

    assert state.exit_code == 127
    assert state.start_error is not None
    assert "/no/such" in state.start_error


def test_it_says_which_containers_run(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """A running container has a name for its start; before, afterwards, and if it does not exist, there is no name."""
    rehearse(engine, "sleep", Behaviour(stdout=b"x", blocks=True))
    with container(engine, spec_of(image, labels, "echo x; exec sleep 600")) as id_:
        before = engine.running(id_)
        with running(engine, id_):
            first, second = engine.running(id_), engine.running(id_)
        after = engine.running(id_)

    assert first == second
    assert first is not None
    assert (first.hostname, bool(first.since)) == (id_[:12], True)
    assert (before, after, engine.running(id_)) == (None, None, None)


def test_input_arrives_and_ends(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """A container reads its input to the end, even if it is larger than a pipe."""
    block = b"0123456789abcde\n" * 20_000
    rehearse(engine, "wc -c", Behaviour(stdout=b"320000\n"))

    state, output = run(engine, spec_of(image, labels, "wc -c"), block)

    assert (state.exit_code, output.stdout) == (0, b"320000\n")


def test_input_that_nobody_reads(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """A container may end without reading its input."""
    rehearse(engine, "exit 4", Behaviour(exit_code=4))

    state, _ = run(engine, spec_of(image, labels, "exit 4"), b"x" * 2_000_000)

    assert state == ExitState(4)


def test_stop_ends_with_sigterm(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """A container that handles SIGTERM ends by it."""
    rehearse(engine, "sleep 1000", Behaviour(stdout=b"ready\n", blocks=True))

    with container(engine, spec_of(image, labels, "echo ready; sleep 1000")) as id_, running(engine, id_) as future:
        engine.stop(id_, PATIENCE)
        state = future.result(PATIENCE)

    assert state == ExitState(143)


def test_stop_kills_after_the_grace(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """A container that ignores SIGTERM is killed when its grace is over."""
    rehearse(engine, "trap", Behaviour(stdout=b"ready\n", blocks=True, ignores_sigterm=True))

    with (
        container(engine, spec_of(image, labels, "trap '' TERM; echo ready; sleep 1000")) as id_,
        running(engine, id_) as future,
    ):
        engine.stop(id_, 1)
        state = future.result(PATIENCE)

    assert state == ExitState(137)


def test_stop_without_grace_kills(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """Without a grace, a container is killed immediately."""
    rehearse(engine, "sleep 1000", Behaviour(stdout=b"ready\n", blocks=True))

    with container(engine, spec_of(image, labels, "echo ready; sleep 1000")) as id_, running(engine, id_) as future:
        engine.stop(id_, 0)
        state = future.result(PATIENCE)

    assert state == ExitState(137)


def test_stopping_and_removing_are_always_safe(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """Containers that never started, have ended or are gone can be stopped and removed any number of times."""
    never_started = engine.create(spec_of(image, labels, "true"))
    ended = engine.create(spec_of(image, labels, "true"))
    engine.run(ended, b"", Output())

    for id_ in (never_started, ended):
        engine.stop(id_, 1)
        engine.stop(id_, 0)
        engine.remove(id_)
        engine.remove(id_)
        engine.stop(id_, 1)
        engine.stop(id_, 0)

    assert not [left for left in engine.leftovers() if left.id in {never_started, ended}]


def test_a_container_that_others_remove_too_is_gone(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """If several callers remove a container together, each call returns only when the container is gone."""
    rehearse(engine, "sleep 1000", Behaviour(stdout=b"up\n", blocks=True))
    id_ = engine.create(spec_of(image, labels, "echo up; sleep 1000"))

    def remove(_: int) -> list[str]:
        engine.remove(id_)
        return [leftover.id for leftover in engine.leftovers()]

    with suppress(ContainerVanishedError), running(engine, id_), ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(remove, range(4)))

    assert not any(id_ in each for each in seen)


def test_a_container_that_vanishes(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """A container that is removed while it runs has vanished, and its exit code is not guessed."""
    rehearse(engine, "sleep 1000", Behaviour(stdout=b"ready\n", blocks=True))
    id_ = engine.create(spec_of(image, labels, "echo ready; sleep 1000"))

    with running(engine, id_) as future:
        engine.remove(id_)

        with pytest.raises(ContainerVanishedError):
            future.result(PATIENCE)


def test_environment_folder_and_user(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """A container runs in its folder, as its user and with its variables."""
    rehearse(engine, "pwd", Behaviour(stdout=b"/some/where\n1000\nv a'lue\n"))
    spec = spec_of(image, labels, 'pwd; id -u; echo "$K"', env={"K": "v a'lue"}, working_dir="/some/where", user="1000")

    _, output = run(engine, spec)

    assert output.stdout == b"/some/where\n1000\nv a'lue\n"


def test_files_go_in_and_come_out(engine: Engine, image: ResolvedImage, labels: Labels, volume: str) -> None:
    """Modes, owners, times, contents, symbolic and hard links stay the same on the way into a volume and out again."""
    stream = tar_of(
        (member("data", tarfile.DIRTYPE, mode=0o1777), b""),
        (member("data/deep", tarfile.DIRTYPE, mode=0o750, owner=1000), b""),
        (member("data/deep/file ☃", mode=0o4755, owner=1000), b"content\0\xff"),
        (member("data/hard", tarfile.LNKTYPE, mode=0o4755, owner=1000, link="data/deep/file ☃"), b""),
        (member("data/soft", tarfile.SYMTYPE, mode=0o777, link="deep/file ☃"), b""),
    )
    mounts = (ContainerMount("volume", volume, "/data", read_only=False),)

    with container(engine, spec_of(image, labels, "true", mounts=mounts)) as loader:
        engine.put(loader, "/", (stream[start : start + 100] for start in range(0, len(stream), 100)))
    mounts = (ContainerMount("volume", volume, "/data", read_only=True),)
    with container(engine, spec_of(image, labels, "true", mounts=mounts)) as reader:
        got = members_of(engine.get(reader, "/data"))

    assert sorted(got) == ["data", "data/deep", "data/deep/file ☃", "data/hard", "data/soft"]
    assert (got["data"][0].mode & 0o7777, got["data"][0].uid) == (0o1777, 0)
    assert (got["data/deep"][0].mode & 0o7777, got["data/deep"][0].uid, got["data/deep"][0].gid) == (0o750, 1000, 1000)
    file, content = got["data/deep/file ☃"]
    assert (file.mode & 0o7777, file.uid, file.mtime, content) == (0o4755, 1000, 1_000_000_000, b"content\0\xff")
    assert (got["data/hard"][0].type, got["data/hard"][0].linkname) == (tarfile.LNKTYPE, "data/deep/file ☃")
    assert (got["data/soft"][0].type, got["data/soft"][0].linkname) == (tarfile.SYMTYPE, "deep/file ☃")


def test_one_volume_in_two_containers(engine: Engine, image: ResolvedImage, labels: Labels, volume: str) -> None:
    """A container finds the files that another one wrote into a volume."""
    rehearse(engine, "> /v/f", Behaviour(writes={"/v/f": b"left\n"}))
    mounts = (ContainerMount("volume", volume, "/v", read_only=False),)

    run(engine, spec_of(image, labels, "echo left > /v/f", mounts=mounts))
    with container(engine, spec_of(image, labels, "true", mounts=mounts)) as second:
        got = members_of(engine.get(second, "/v/f"))

    assert got["f"][1] == b"left\n"


def test_nothing_of_the_image_is_in_a_volume(engine: Engine, image: ResolvedImage, labels: Labels, volume: str) -> None:
    """A volume over a folder of the image is empty."""
    mounts = (ContainerMount("volume", volume, "/etc", read_only=False),)

    with container(engine, spec_of(image, labels, "true", mounts=mounts)) as id_:
        got = members_of(engine.get(id_, "/etc"))

    assert list(got) == ["etc"]


def test_a_read_only_mount_takes_no_files(engine: Engine, image: ResolvedImage, labels: Labels, volume: str) -> None:
    """Files cannot be put where a volume is mounted read-only."""
    mounts = (ContainerMount("volume", volume, "/v", read_only=True),)

    with container(engine, spec_of(image, labels, "true", mounts=mounts)) as id_, pytest.raises(EngineError):
        engine.put(id_, "/v", [tar_of((member("f"), b"x"))])


def test_files_where_there_is_nothing(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """If a path does not exist, putting files there and getting files from there are errors that name it."""
    with container(engine, spec_of(image, labels, "true")) as id_:
        with pytest.raises(EngineError, match="/no/such"):
            engine.put(id_, "/no/such", [tar_of((member("f"), b"x"))])
        with pytest.raises(EngineError, match="/no/such"):
            list(engine.get(id_, "/no/such"))


def test_a_source_that_fails(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """A failure of the code that makes the stream is raised unchanged, and is not taken for one of the engine."""

    def chunks() -> Iterator[bytes]:
        yield tar_of((member("f"), b"x"))[:512]
        raise PermissionError(13, "no", "/secret/file")

    with container(engine, spec_of(image, labels, "true")) as id_, pytest.raises(PermissionError, match="/secret/file"):
        engine.put(id_, "/tmp", chunks())


def test_volumes_come_and_go(engine: Engine, labels: Labels) -> None:
    """A volume exists until it is removed; removing a missing volume does nothing."""
    name = f"dockercise-{labels['dockercise.run']}-other"

    before = engine.volume_exists(name)
    engine.create_volume(name, labels)
    between = engine.volume_exists(name)
    engine.remove_volume(name)
    engine.remove_volume(name)

    assert (before, between, engine.volume_exists(name)) == (False, True, False)


def test_volumes_of_runs_are_told_apart(engine: Engine, labels: Labels, volume: str) -> None:
    """A volume with the labels of a run is known as a run's; one without them and one that does not exist are not."""
    other = f"{volume}-other"
    engine.create_volume(other, {})
    try:
        assert [engine.is_of_a_run(name) for name in (volume, other, f"{volume}-missing")] == [True, False, False]
    finally:
        engine.remove_volume(other)


def test_a_volume_in_use_stays(engine: Engine, image: ResolvedImage, labels: Labels, volume: str) -> None:
    """A volume that a container mounts cannot be removed."""
    mounts = (ContainerMount("volume", volume, "/v", read_only=False),)

    with container(engine, spec_of(image, labels, "true", mounts=mounts)), pytest.raises(EngineError, match=volume):
        engine.remove_volume(volume)


def test_what_is_left_is_found_and_discarded(engine: Engine, image: ResolvedImage, labels: Labels, volume: str) -> None:
    """Everything with our labels is listed, containers first, and can be discarded, running or not."""
    rehearse(engine, "sleep 1000", Behaviour(stdout=b"ready\n", blocks=True))
    mounts = (ContainerMount("volume", volume, "/v", read_only=False),)
    id_ = engine.create(spec_of(image, labels, "echo ready; sleep 1000", mounts=mounts))

    with running(engine, id_):
        found = [left for left in engine.leftovers() if left.labels["dockercise.run"] == labels["dockercise.run"]]
        for left in found:
            engine.discard(left)
            engine.discard(left)

    assert found == [Leftover("container", id_, labels), Leftover("volume", volume, labels)]
    assert not [left for left in engine.leftovers() if left.labels["dockercise.run"] == labels["dockercise.run"]]


def test_a_container_without_a_standard_input(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """If a container has no standard input, its processes find it empty."""
    rehearse(engine, "cat", Behaviour(stdout=b"end\n"))

    output = Output()
    with container(engine, spec_of(image, labels, "cat; echo end", stdin=False)) as id_:
        state = engine.run(id_, None, output)

    assert (state.exit_code, output.stdout) == (0, b"end\n")


@pytest.mark.parametrize("method", ["run", "converse", "put", "get", "folder_mark"])
def test_a_container_that_is_not_there(engine: Engine, method: str) -> None:
    """Every method that needs a container reports an error if it does not exist."""
    absent = "0" * 64
    calls: dict[str, Callable[[], object]] = {
        "run": lambda: engine.run(absent, b"", Output()),
        "converse": lambda: engine.converse(absent),
        "put": lambda: engine.put(absent, "/", [tar_of((member("f"), b""))]),
        "get": lambda: list(engine.get(absent, "/")),
        "folder_mark": lambda: engine.folder_mark(absent, "/"),
    }

    with pytest.raises(EngineError, match=absent[:12]):
        calls[method]()


def test_a_name_that_is_taken(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """Two containers cannot have the same name, and the error names it."""
    spec = spec_of(image, labels, "true")

    with container(engine, spec), pytest.raises(EngineError, match=spec.name):
        engine.create(spec)
