"""Running a package: its output, and every way in which it can fail."""

from __future__ import annotations

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.cleanup.labels import OWNER, RUN
from dockercise_prefect.runtime.cleanup.ownership import Owner
from dockercise_prefect.runtime.engine import Engine, ResolvedImage
from dockercise_prefect.runtime.packages.run import PackageFailedError, PackageLimits, run_package
from tests.engines.driving import rehearse
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine

LIMITS = PackageLimits(output=1000)


def _image(image: ResolvedImage, *command: str) -> ResolvedImage:
    """The image of the tests, as if this were its command."""
    return ResolvedImage(image.ref, image.id, image.digest, image.user, command)


def _run(engine: Engine, image: ResolvedImage, limits: PackageLimits = LIMITS) -> bytes:
    return run_package(engine, image, limits, lambda _: None)


def _failure(engine: Engine, image: ResolvedImage, limits: PackageLimits = LIMITS) -> str:
    with pytest.raises(PackageFailedError) as caught:
        _run(engine, image, limits)
    return caught.value.message


def _containers(engine: Engine) -> int:
    """Count the containers of packages that belong to this process."""
    return sum(each.labels[RUN].startswith("package-") and _is_ours(each.labels[OWNER], engine) for each in engine.leftovers())


def _is_ours(owner: str, engine: Engine) -> bool:
    from dockercise_prefect.runtime.cleanup.ownership import this_process

    return Owner.parse(owner) == this_process(engine)


def test_its_output_is_returned(engine: Engine, image: ResolvedImage) -> None:
    """The stdout of a package is returned byte for byte and its stderr is not, and no container is left."""
    rehearse(engine, "printf", Behaviour(stdout=b"a: {img: x}\n", stderr=b"warning\n"))

    printed = _run(engine, _image(image, "/bin/sh", "-c", "echo warning >&2; printf 'a: {img: x}\\n'"))

    assert printed == b"a: {img: x}\n"
    assert _containers(engine) == 0


def test_its_exit_code_and_words_are_told(engine: Engine, image: ResolvedImage) -> None:
    """The error names the package's exit code and the first lines of its stderr; its stdout does not count."""
    rehearse(engine, "exit 3", Behaviour(stdout=b"a:\n", stderr=b"no\n\nsuch\nfile\nat all\n", exit_code=3))

    message = _failure(engine, _image(image, "/bin/sh", "-c", "echo a:; printf 'no\\n\\nsuch\\nfile\\nat all\\n' >&2; exit 3"))

    assert message == "failed: exit code 3, and said: no / such / file"
    assert _containers(engine) == 0


def test_a_command_that_is_not_there(engine: Engine, image: ResolvedImage) -> None:
    """A missing command is a failure of the package, not of the engine."""
    rehearse(engine, "/nowhere", Behaviour(exit_code=127, start_error="/nowhere: no such file in the image"))

    message = _failure(engine, _image(image, "/nowhere"))

    assert message.startswith("failed: exit code 127: ")
    assert _containers(engine) == 0


def test_an_image_without_a_command(engine: Engine, image: ResolvedImage) -> None:
    """An image without a command is not a package, and no container is made."""
    assert _failure(engine, _image(image)) == "has no command that could print a document"


def test_its_time_is_bounded(engine: Engine, image: ResolvedImage) -> None:
    """A package that does not end is stopped."""
    rehearse(engine, "sleep", Behaviour(blocks=True))

    message = _failure(engine, _image(image, "sleep", "1000"), PackageLimits(output=1000, seconds=0.1))

    assert message == "failed: timed out after 0.1s"
    assert _containers(engine) == 0


def test_its_output_is_bounded_and_never_cut(engine: Engine, image: ResolvedImage) -> None:
    """A package that prints without end is stopped, and its output is not used as its document."""
    rehearse(engine, "yes", Behaviour(stdout=b"y\n" * 501, blocks=True))

    message = _failure(engine, _image(image, "yes"))

    assert message == "failed: it printed more than the 1,000 bytes that are read"
    assert _containers(engine) == 0


def test_too_much_is_too_much_also_when_it_ends(engine: Engine, image: ResolvedImage) -> None:
    """A package that prints one byte too many fails even if it ends with success."""
    rehearse(engine, "head", Behaviour(stdout=b"y" * 1001))

    message = _failure(engine, _image(image, "head", "-c", "1001", "/dev/zero"))

    assert message == "failed: it printed more than the 1,000 bytes that are read"


def test_it_sees_nothing(engine: Engine, image: ResolvedImage) -> None:
    """A package has no network but its own loopback, and its standard input is empty."""
    rehearse(engine, "ls", Behaviour(stdout=b"lo\n"))

    printed = _run(engine, _image(image, "/bin/sh", "-c", "cat; ls /sys/class/net"))

    assert printed == b"lo\n"


def test_its_container_is_bounded_and_labelled(scripted: ScriptedEngine) -> None:
    """The container has no mounts, no network, bounded memory, and the labels by which a dead owner's containers are swept."""
    image = ResolvedImage(BUSYBOX, scripted.add_image(BUSYBOX), "", "", ("cat",))

    _run(scripted, image)

    (spec,) = scripted.specs
    assert (spec.mounts, spec.network, spec.env, spec.memory) == ((), "none", {}, LIMITS.memory)
    assert spec.labels[RUN].startswith("package-")
    assert _is_ours(spec.labels[OWNER], scripted)


def test_an_engine_that_dies_is_the_engines_fault(scripted: ScriptedEngine) -> None:
    """If the engine goes away, the error blames the engine and not the package."""
    scripted.script("cat", Behaviour(stdout=b"a:\n", engine_dies=True))

    with pytest.raises(EngineError):
        _run(scripted, ResolvedImage(BUSYBOX, scripted.add_image(BUSYBOX), "", "", ("cat",)))


def test_a_container_that_vanishes(scripted: ScriptedEngine) -> None:
    """If somebody removes the container, the package fails."""
    scripted.script("cat", Behaviour(stdout=b"a:\n", vanishes=True))

    message = _failure(scripted, ResolvedImage(BUSYBOX, scripted.add_image(BUSYBOX), "", "", ("cat",)))

    assert message == "failed: it was removed while it was running"
