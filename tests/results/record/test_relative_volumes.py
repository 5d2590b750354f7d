"""Volumes that are stored relative to another one come back unchanged."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from tarfile import TarInfo

import pytest

from dockercise_prefect.archives.tarball import Entry, Folder, Link, members, tar_stream
from dockercise_prefect.errors import EngineError, StorageError
from dockercise_prefect.results.places.objects import NotStoredError
from dockercise_prefect.results.reading.unpack import unpack
from dockercise_prefect.results.record.difference import IN_MEMORY
from tests.results.chain_of_volumes import Run, on_disk, text


def test_what_nobody_changed_is_not_stored_again(run: Run, tmp_path: Path) -> None:
    """The archive of a stage on another one has folders, new or changed files, and the names of removed ones."""
    files: list[Entry] = [
        Folder(path="build/d"),
        text("build/d/same"),
        text("build/d/gone"),
        text("build/other"),
        Link(path="build/l", target="d"),
    ]
    assert run.keep("build", *files) is None

    base = run.keep("test", Folder(path="test/d"), text("test/d/same"), text("test/d/new"), text("test/other", b"y"))

    assert base == "build"
    assert run.stored("test") == ["test.base", "test", "test/d", "test/d/new", "test/other", "test.removed"]
    assert on_disk(run.fetch("test", tmp_path / "out")).keys() == {"d", "d/same", "d/new", "other"}
    archive = {member.name: b"".join(content) for member, content in members(run.recorded.archive("test"))}
    assert (archive["test.base"], archive["test.removed"]) == (b"build", b"d/gone\0l\0")
    assert (run.recorded.volume_base("test"), run.recorded.volume_base("build")) == ("build", None)


@pytest.mark.parametrize("content", [b"y" * 5, b"y" * 3_000_000])
@pytest.mark.parametrize("at", [0, 2, 4])
def test_content_counts_where_nothing_else_differs(run: Run, tmp_path: Path, content: bytes, at: int) -> None:
    """A file whose content changed but not its size and time is stored, whether it is large or small."""
    changed = content[:at] + b"n" + content[at + 1 :]
    run.keep("build", text("build/a", content), text("build/b", content))

    run.keep("test", text("test/a", changed), text("test/b", content))

    assert run.stored("test") == ["test.base", "test", "test/a", "test.removed"]
    out = run.fetch("test", tmp_path / "out")
    assert ((out / "a").read_bytes(), (out / "b").read_bytes()) == (changed, content)


def test_a_large_file_waits_in_the_record_and_leaves_nothing_there(run: Run) -> None:
    """A large file that is held until it has been compared leaves nothing in the folder of the record."""
    content = b"y" * (2 * IN_MEMORY)
    run.keep("build", text("build/a", content))

    run.keep("test", text("test/a", content))

    assert {path.name for path in run.store.folder.iterdir()} == {"index.json", "build.tar.zst", "test.tar.zst"}
    assert (run.store.folder / "test.tar.zst").stat().st_size < 1000


def test_a_stage_on_one_that_keeps_nothing_keeps_all(run: Run) -> None:
    """A stage without files, or with files that could not be read, is not the base of another stage."""

    def broken() -> Iterator[bytes]:
        yield next(tar_stream([Folder(path="test"), text("test/a")]))
        raise EngineError("the engine is gone")

    run.store.leave_volume_out("build")
    with pytest.raises(EngineError):
        run.store.keep_volume("test", broken())

    assert run.keep("pack", text("pack/a")) is None
    assert run.stored("pack") == ["pack", "pack/a"]
    with pytest.raises(NotStoredError):
        list(run.recorded.volume("test"))


def test_an_archive_stays_if_its_stage_breaks_afterwards(run: Run) -> None:
    """If a stage breaks after its archive was stored, the archive stays, and is the base of others."""
    run.keep("build", text("build/a"))

    run.store.leave_volume_out("build")

    assert run.keep("test", text("test/a")) == "build"


def test_no_name_of_a_file_can_clash(run: Run, tmp_path: Path) -> None:
    """Files with the same names as entries about the archive itself are stored as files."""
    mine: list[Entry] = [
        Folder(path="build/test"),
        text("build/test.base", b"pack"),
        text("build/test.removed", b"a\0"),
        text("build/a"),
    ]
    run.keep("build", *mine)

    run.keep("test", text("test/test.base", b"pack"), text("test/test.removed", b"b\0"), text("test/a"))

    out = run.fetch("test", tmp_path / "out")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {"test.base": b"pack", "test.removed": b"b\0", "a": b"x"}


def test_what_is_no_archive_is_an_error_where_others_build_on_it(run: Run) -> None:
    """A stream that cannot be read is not kept, and the error reports it."""
    for stream in (b"no archive" * 100, b"".join(tar_stream([Folder(path="test"), text("test/a")]))):
        with pytest.raises(StorageError, match="the engine sent a broken archive"):
            Run(run.store.folder / str(len(stream))).store.keep_volume("build", [stream])


def test_many_paths_that_are_gone_are_told_in_pages(run: Run, tmp_path: Path) -> None:
    """Thousands of removed files and thousands of kept files can be recorded."""
    run.keep("build", *(text(f"build/{number:05}") for number in range(3000)))

    run.keep("test", *(text(f"test/{number:05}") for number in range(0, 3000, 2)))

    assert len(run.stored("test")) == 3
    assert sorted(on_disk(run.fetch("test", tmp_path / "out"))) == [f"{number:05}" for number in range(0, 3000, 2)]


def test_older_readers_refuse_what_is_not_whole(run: Run, tmp_path: Path) -> None:
    """A reader that takes a relative archive for a volume first finds a path outside the stage's folder."""
    run.keep("build", text("build/a"))
    run.keep("test", text("test/a"))

    with pytest.raises(ValueError, match=r"'test.base' is outside the folder"):
        unpack(members(run.recorded.archive("test")), "test", tmp_path / "out")


def test_a_stream_of_another_program_is_read(run: Run) -> None:
    """GNU's format, with old forms of long names, is compared as well."""
    for name in ("build", "test"):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for path in (name, f"{name}/{'n' * 200}"):
                member = TarInfo(path)
                member.type = tarfile.DIRTYPE if path == name else tarfile.REGTYPE
                archive.addfile(member)
        run.store.keep_volume(name, [buffer.getvalue()])

    assert run.stored("test") == ["test.base", "test", "test.removed"]
