"""What every engine promises about builds and images made of containers, on the scripted engine and on Docker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import PullPolicy
from dockercise_prefect.runtime.cleanup.removal import remove_all
from dockercise_prefect.runtime.engine import ContainerMount, Engine, Leftover, NoSuchPathError, ResolvedImage
from dockercise_prefect.runtime.image_build import BuildEnd, BuildSpec
from tests.engines.driving import PATIENCE, Output, container, member, members_of, rehearse, run, spec_of, tar_of
from tests.engines.scripted import BUSYBOX, Behaviour

Labels = Mapping[str, str]

FILE = tar_of((member("f"), b"hello\n"))


def left(engine: Engine, labels: Labels, kind: str = "image") -> list[Leftover]:
    """Everything that carries the test's label."""
    run_id = labels["dockercise.run"]
    return [each for each in engine.leftovers() if each.labels["dockercise.run"] == run_id and each.kind == kind]


def forget(engine: Engine, labels: Labels) -> None:
    """Remove the test's images."""
    assert remove_all(engine, left(engine, labels)) == []


def dockerfile(*lines: str) -> bytes:
    """A Dockerfile on the tests' image."""
    return "\n".join((f"FROM {BUSYBOX}", *lines)).encode()


def test_a_build_makes_an_image_that_runs(engine: Engine, labels: Labels) -> None:
    """The image contains the context's files and has the labels, and the log arrives on stderr."""
    text = dockerfile("COPY f /f", "RUN echo built here")
    rehearse(engine, "COPY f /f", Behaviour(stderr=b"built here\n"))
    rehearse(engine, "cat /f", Behaviour(stdout=b"hello\n"))
    output = Output()

    end = engine.build(BuildSpec(what="a", dockerfile=text, labels=labels), [FILE]).run(output)
    assert end.image is not None
    image = engine.resolve_image(end.image, pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)
    _, said = run(engine, spec_of(image, labels, "cat /f"))
    made = left(engine, labels)
    forget(engine, labels)

    assert (end.exit_code, said.stdout) == (0, b"hello\n")
    assert b"built here\n" in output.stderr
    assert output.stdout == b""
    assert (image.id, image.digest) == (end.image, end.image)
    assert end.image in {leftover.id for leftover in made}
    assert left(engine, labels) == []


def test_a_step_that_fails(engine: Engine, labels: Labels) -> None:
    """The exit code of the step is known, there is no image, and the results of earlier steps are found by their labels."""
    rehearse(engine, "exit 3", Behaviour(stderr=b"why\n", exit_code=3))
    output = Output()

    end = engine.build(BuildSpec(what="a", dockerfile=dockerfile("RUN echo why; exit 3"), labels=labels), [FILE]).run(output)
    forget(engine, labels)

    assert end == BuildEnd(None, 3)
    assert b"why\n" in output.stderr
    assert left(engine, labels, "container") == []


def test_a_build_that_cannot_be(engine: Engine, labels: Labels) -> None:
    """A failure without a step's exit code is an error of the engine that names the image's stage."""
    rehearse(engine, "COPY none", Behaviour(start_error="COPY failed: none: no such file"))
    build = engine.build(BuildSpec(what="the stage", dockerfile=dockerfile("COPY none /"), labels=labels), [FILE])

    with pytest.raises(EngineError, match=r"image of the stage: .*none"):
        build.run(Output())

    forget(engine, labels)


def test_a_build_that_is_stopped(engine: Engine, labels: Labels) -> None:
    """The build ends with an error and no part of it keeps running; a second stop does no harm."""
    text = dockerfile("RUN echo up; sleep 1000")
    rehearse(engine, "sleep 1000", Behaviour(stderr=b"up\n", blocks=True))
    up = Output()
    build = engine.build(BuildSpec(what="a", dockerfile=text, labels=labels), [FILE])
    with ThreadPoolExecutor() as pool:
        future = pool.submit(build.run, up)
        assert up.said(b"up\n")

        build.stop()
        build.stop()
        with pytest.raises(EngineError):
            future.result(PATIENCE)

    build.stop()
    assert left(engine, labels, "container") == []
    forget(engine, labels)


def test_a_build_that_is_stopped_before_it_begins(engine: Engine, labels: Labels) -> None:
    """A build that is stopped before it begins does not begin."""
    build = engine.build(BuildSpec(what="a", dockerfile=dockerfile("RUN true"), labels=labels), [FILE])

    build.stop()
    with pytest.raises(EngineError):
        build.run(Output())

    assert left(engine, labels) == []


def test_a_context_that_fails(engine: Engine, labels: Labels) -> None:
    """A failure of the code that makes the stream is raised unchanged."""

    def chunks() -> Iterator[bytes]:
        yield FILE[:512]
        raise PermissionError(13, "no", "/secret/file")

    build = engine.build(BuildSpec(what="a", dockerfile=dockerfile(), labels=labels), chunks())

    with pytest.raises(PermissionError, match="/secret/file"):
        build.run(Output())


def test_an_image_of_what_a_container_left(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """The image has the container's own files but not those of volumes, and the configuration of its image with the user."""
    rehearse(engine, "> /left", Behaviour(writes={"/left": b"here\n", "/v/f": b"not here\n"}))
    volume = f"dockercise-{labels['dockercise.run']}-volume"
    engine.create_volume(volume, labels)
    mounts = (ContainerMount("volume", volume, "/v", read_only=False),)
    spec = spec_of(image, labels, "echo here > /left; echo not here > /v/f", mounts=mounts, env={"A": "1"}, user="0:0")
    with container(engine, spec) as id_:
        engine.run(id_, b"", Output())
        made = engine.commit(id_, image.id, labels)
    engine.remove_volume(volume)

    resolved = engine.resolve_image(made, pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)
    with container(engine, spec_of(resolved, labels, "true")) as id_:
        found = members_of(engine.get(id_, "/left"))
        with pytest.raises(NoSuchPathError):
            engine.get(id_, "/v/f")
    labelled = left(engine, labels)
    forget(engine, labels)

    assert found["left"][1] == b"here\n"
    assert resolved.command == image.command
    assert labelled == [Leftover("image", made, labels)]


def test_an_image_of_a_container_that_is_not_there(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """No image can be made of a missing container."""
    with pytest.raises(EngineError):
        engine.commit("0" * 64, image.id, labels)


def test_an_image_that_another_was_made_from(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """The engine may first remove such an image or refuse; the other image stays complete, and at the end both are gone."""
    with container(engine, spec_of(image, labels, "true")) as id_:
        engine.run(id_, b"", Output())
        parent = engine.commit(id_, image.id, labels)
    with container(engine, replace(spec_of(image, labels, "true"), image=parent)) as id_:
        engine.run(id_, b"", Output())
        child = engine.commit(id_, parent, labels)

    with suppress(EngineError):
        engine.discard(Leftover("image", parent, labels))
    state, _ = run(engine, replace(spec_of(image, labels, "true"), image=child))
    forget(engine, labels)

    assert state.exit_code == 0
    assert left(engine, labels) == []


def test_a_path_that_is_not_there(engine: Engine, image: ResolvedImage, labels: Labels) -> None:
    """A missing path is distinguished from an engine that fails."""
    with container(engine, spec_of(image, labels, "true")) as id_:
        engine.put(id_, "/tmp", [FILE])
        for path in ("/no/such", "/tmp/none"):
            with pytest.raises(NoSuchPathError):
                engine.get(id_, path)
