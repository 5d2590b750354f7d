"""The reason why a stage runs names the file that changed. The engine is scripted."""

from __future__ import annotations

import pytest

from tests.engines.scripted import Behaviour
from tests.orchestration.reuse.reuse_world import ReuseWorld, whys

pytestmark = pytest.mark.docker  # for the Prefect server: the engine is scripted


def test_the_file_that_changed_is_named(world: ReuseWorld) -> None:
    """The reason names the first file of the code or of a volume that is not the same, and counts the others."""
    text = "build: {run: build, vol: 'code/src:/src', cache: true}\nuse: {run: x, vol: build, cache: true}\n"
    left = {"/build/file": b"1"}
    world.engine.script("build", Behaviour(writes=left))
    world.write(src__b="1", src__sub__c="1")
    world.run(text)
    kept = sorted(world.lists())

    left |= {"/build/file": b"2", "/build/more": b""}
    world.write(src__a="1", src__sub__c="2")
    ran = world.run(text)

    assert len(kept) == 2
    assert len(list(world.lists())) == 4
    assert whys(ran) == [
        "build is not reused: file src/a of the code is new, and 1 more",
        "use is not reused: file file of the volume of build changed, and 1 more",
    ]


def test_without_the_lists_the_folder_is_named(world: ReuseWorld) -> None:
    """If `gc` has removed the lists of files, or one is damaged, the reason names the folder and the volume."""
    text = "build: {run: build, vol: 'code/src:/src', cache: true}\nuse: {run: x, vol: build, cache: true}\n"
    left = {"/build/file": b"1"}
    world.engine.script("build", Behaviour(writes=left))
    world.write(src__a="1")
    world.run(text)
    one, other = sorted(world.lists())
    one.unlink()
    other.write_bytes(b"damaged")

    left["/build/file"] = b"2"
    world.write(src__a="2")
    ran = world.run(text)

    assert whys(ran) == [
        "build is not reused: the folder src of the code changed",
        "use is not reused: the volume of build changed",
    ]


def test_lists_are_kept_only_for_stages_with_cache(world: ReuseWorld) -> None:
    """A stage that is never reused leaves no list, and the same list is stored once."""
    world.write(src__a="1")
    stages = "a: {run: x, vol: 'code/src:/src', cache: true}\nb: {run: y, vol: 'code/src:/src', cache: true}\n"

    world.run("make: {run: make, vol: code}\nuse: {run: x, vol: make}\n")
    without = list(world.lists())
    world.run(stages)

    assert without == []
    assert len(list(world.lists())) == 1
