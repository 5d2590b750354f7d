"""The mark of a folder, by which an engine says whether anything was written into it."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping

import pytest

from dockercise_prefect.runtime.engine import ContainerMount, Engine, ResolvedImage
from tests.engines.driving import Output, container, member, rehearse, spec_of, tar_of
from tests.engines.scripted import Behaviour

Labels = Mapping[str, str]


@pytest.fixture
def volume(engine: Engine, labels: Labels) -> Iterator[str]:
    """An empty volume."""
    name = f"dockercise-{labels['dockercise.run']}"
    engine.create_volume(name, labels)
    yield name
    engine.remove_volume(name)


@pytest.mark.parametrize(
    ("script", "writes", "same"),
    [
        ("ls /v/folder", {}, True),
        ("echo > /v/folder/deep", {"/v/folder/deep": b"\n"}, None),
        ("echo > /v/file", {"/v/file": b"\n"}, False),
        ("mkdir /v/another", {"/v/another/f": b""}, False),
    ],
)
def test_a_folder_that_was_written_to(  # noqa: PLR0917  what is written, and where
    engine: Engine, image: ResolvedImage, labels: Labels, volume: str, script: str, writes: dict[str, bytes], same: bool | None
) -> None:
    """The mark of a folder changes if something directly in it is made, and stays if nothing in it is."""
    rehearse(engine, script, Behaviour(writes=writes))
    mounts = (ContainerMount("volume", volume, "/v", read_only=False),)
    with container(engine, spec_of(image, labels, script, mounts=mounts)) as id_:
        engine.put(id_, "/v", [tar_of((member("folder", tarfile.DIRTYPE, mode=0o777), b""))])

        before = engine.folder_mark(id_, "/v")
        engine.run(id_, b"", Output())
        after = engine.folder_mark(id_, "/v")

    assert before is not None
    assert same is None or (before == after) is same
