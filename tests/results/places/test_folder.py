"""A folder of records, and the parts of a record other than its JSON and logs."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from zstandard import ZstdDecompressor

from dockercise_prefect.archives.tarball import File, Folder, tar_stream
from dockercise_prefect.errors import EngineError, StorageError
from dockercise_prefect.pipeline import to_json
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.places.objects import NotStoredError, Stored, read
from dockercise_prefect.results.record.local_store import LocalStore
from tests.support.recorded_runs import SHOP


def test_what_is_stored_comes_back_and_nobody_else_reads_it(tmp_path: Path) -> None:
    """Paths with any names keep any bytes, and are read from any offset; only the user can read folders and files."""
    objects = FolderObjects(tmp_path / "results")

    objects.put("☃ hello/run-1/a.log", io.BytesIO(b"old"))
    objects.put("☃ hello/run-1/a.log", io.BytesIO(b"0123\xff"))

    assert read(objects, "☃ hello/run-1/a.log") == b"0123\xff"
    assert b"".join(objects.chunks("☃ hello/run-1/a.log", 3)) == b"3\xff"
    assert b"".join(objects.chunks("☃ hello/run-1/a.log", 9)) == b""
    assert stat.S_IMODE((tmp_path / "results/☃ hello").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "results/☃ hello/run-1/a.log").stat().st_mode) == 0o600
    assert objects.link("☃ hello/run-1/a.log") == (tmp_path / "results/☃ hello/run-1/a.log").as_uri()


def test_folders_are_listed_and_nothing_else(tmp_path: Path) -> None:
    """Only folders directly below a path are listed, sorted; without folders, the list is empty."""
    objects = FolderObjects(tmp_path)
    for path in ("p/run-2/x", "p/run-1/x", "p/index.html", "q/run-3/x"):
        objects.put(path, io.BytesIO(b""))

    assert objects.folders("") == ["p", "q"]
    assert objects.folders("p") == ["run-1", "run-2"]
    assert objects.folders("nothing") == []
    assert objects.folders("p/index.html") == []


@pytest.mark.parametrize("path", ["nothing", "p/index.html/x", "p"])
def test_what_is_not_there_is_said(tmp_path: Path, path: str) -> None:
    """A path without anything, a path below a file, and a folder are not objects."""
    objects = FolderObjects(tmp_path)
    objects.put("p/index.html", io.BytesIO(b""))

    with pytest.raises(NotStoredError, match=f"there is no {tmp_path}/{path}"):
        read(objects, path)


def test_half_an_object_is_never_seen(tmp_path: Path) -> None:
    """If the content ends with an error, the older object stays, and nothing else is left."""
    objects = FolderObjects(tmp_path)
    objects.put("p/x", io.BytesIO(b"old"))

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise OSError(5, "Input/output error")
            return super().read(size)

    with pytest.raises(StorageError, match="Input/output error"):
        objects.put("p/x", Broken(b"new" * 100_000))

    assert read(objects, "p/x") == b"old"
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["x"]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A started record."""
    store = LocalStore(tmp_path, "shop", "run-1")
    store.start(to_json(SHOP))
    return store


def test_a_volume_is_a_compressed_archive(store: LocalStore) -> None:
    """`tar --zstd` can read the archive: the entries begin with the stage's name."""
    note = File(path="greet/note", size=5, content=lambda: [b"hello"], mode=0o640)

    store.keep_volume("greet", tar_stream([Folder(path="greet"), note]))

    with (store.folder / "greet.tar.zst").open("rb") as file, ZstdDecompressor().stream_reader(file) as plain:
        content = plain.read()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames() == ["greet", "greet/note"]
        assert archive.getmember("greet/note").mode == 0o640


def test_a_volume_that_breaks_off_leaves_nothing(store: LocalStore) -> None:
    """The error is raised unchanged, and no partial archive is left."""

    def broken() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise EngineError("the engine is gone")

    with pytest.raises(EngineError, match="the engine is gone"):
        store.keep_volume("greet", broken())

    assert [path.name for path in store.folder.iterdir()] == ["index.json"]


def test_outputs_are_one_bundle_in_order(store: LocalStore) -> None:
    """`out.zip` has an exact entry for each stage; unpacked files can be read only by the user."""
    for name, chunks in (("greet", [b"hello", b"\xff\n"]), ("☃", []), ("check", [b"x" * 300_000]), ("other", [b"no"])):
        output = store.output(name)
        for chunk in chunks:
            output.write(chunk)
        output.close()
    store.bundle_outputs(["greet", "☃", "check"])

    with zipfile.ZipFile(store.folder / "out.zip") as bundle:
        assert bundle.testzip() is None
        assert bundle.namelist() == ["greet", "☃", "check"]
        assert bundle.read("greet") == b"hello\xff\n"
        assert bundle.read("☃") == b""
        assert {entry.external_attr >> 16 for entry in bundle.infolist()} == {stat.S_IFREG | 0o600}


def test_an_object_is_removed(tmp_path: Path) -> None:
    """A removed object does not exist any more, and a second removal does no harm."""
    objects = FolderObjects(tmp_path)
    objects.put("hello/run-1/a.log", io.BytesIO(b"old"))

    objects.remove("hello/run-1/a.log")
    objects.remove("hello/run-1/a.log")

    with pytest.raises(NotStoredError):
        read(objects, "hello/run-1/a.log")


def test_a_folder_is_removed_with_all_that_is_in_it(tmp_path: Path) -> None:
    """The sizes of all objects are known, at any depth; a removed folder is gone with them, its neighbours stay."""
    objects = FolderObjects(tmp_path)
    for path, content in (("hello/one/a.log", b"12"), ("hello/one/deep/b.log", b"345"), ("hello/other/a.log", b"6")):
        objects.put(path, io.BytesIO(content))

    sizes = objects.sizes("hello/one")
    objects.remove_folder("hello/one", "a.log")
    objects.remove_folder("hello/one", "a.log")

    assert sizes == {"a.log": 2, "deep/b.log": 3}
    assert objects.sizes("hello") == {"other/a.log": 1}
    assert [path.name for path in (tmp_path / "hello").iterdir()] == ["other"]


def test_it_is_known_when_an_object_was_written(tmp_path: Path) -> None:
    """A listing has the time of each object, which is anew when the object is replaced."""
    objects = FolderObjects(tmp_path)
    for path in ("hello/one/a.log", "hello/one/deep/b.log"):
        objects.put(path, io.BytesIO(b"12"))
        os.utime(tmp_path / path, (0, 0))
    before = datetime.now(UTC) - timedelta(seconds=1)  # the clock of a file system is coarse
    objects.put("hello/one/a.log", io.BytesIO(b"345"))

    found = objects.stored("hello/one")

    assert found["deep/b.log"] == Stored(2, datetime.fromtimestamp(0, UTC))
    assert found["a.log"].size == 3
    assert before <= found["a.log"].written <= datetime.now(UTC)
    assert objects.stored("nothing") == {}


def test_what_a_killed_process_did_not_remove_is_removed_next_time(tmp_path: Path) -> None:
    """A folder that was being removed is no record any more, and goes with the next one that is removed."""
    objects = FolderObjects(tmp_path)
    objects.put("hello/.removed-1/a.log", io.BytesIO(b"1"))
    objects.put("hello/one/a.log", io.BytesIO(b"1"))

    objects.remove_folder("hello/one", "a.log")

    assert list((tmp_path / "hello").iterdir()) == []
