"""Archives whose base is missing, damaged or hostile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from zstandard import ZstdCompressor

from dockercise_prefect.archives.tarball import File, Folder, tar_stream
from dockercise_prefect.pipeline import Pipeline
from dockercise_prefect.results.reading.recorded_run import BrokenRecordError
from dockercise_prefect.results.record.compression import decompressed
from tests.results.chain_of_volumes import Run, text


def cut(path: Path, size: int) -> None:
    """Remove so many bytes from the end of an archive; its compression stays valid."""
    content = b"".join(decompressed([path.read_bytes()]))
    path.write_bytes(ZstdCompressor().compress(content[:-size]))


def with_base(base: bytes, *files: File, name: str = "test") -> Iterator[bytes]:
    """An archive as a store writes it, with any text as the name of its base."""
    return tar_stream([text(f"{name}.base", base), Folder(path=name), *files, text(f"{name}.removed", b"")])


def replace(run: Run, name: str, stream: Iterable[bytes]) -> None:
    """Replace an archive."""
    other = Run(run.store.folder / "other" / name, Pipeline("other", []))
    other.store.keep_volume(name, stream)
    (other.store.folder / f"{name}.tar.zst").replace(run.store.folder / f"{name}.tar.zst")


@pytest.mark.parametrize(
    ("base", "broken", "why"),
    [
        (b"test", "test", "its base 'test' depends on it"),
        (b"pack", "pack", "its base 'test' depends on it"),
        (b"nobody", "nobody", "it is missing, and the volume of test is stored relative to it"),
        (b"../../other/run-1/build", "test", "its base '../../other/run-1/build' is not a stage"),
        (b"a\0b", "test", r"its base 'a\\x00b' is not a stage"),
        (b"", "test", "the name of its base is empty or too long"),
        (b"b" * 1000, "test", "the name of its base is empty or too long"),
    ],
)
def test_a_base_that_is_none_is_refused(run: Run, tmp_path: Path, base: bytes, broken: str, why: str) -> None:
    """A base in a cycle, without an archive, or outside the record is an error that names the archive; nothing is left."""
    run.keep("build", text("build/a"))
    run.keep("test", text("test/a"))
    run.keep("pack", text("pack/a"))

    replace(run, "test", with_base(base))

    with pytest.raises(BrokenRecordError) as raised:
        run.fetch("test", tmp_path / "out")
    assert raised.value.message == f"{run.store.folder}/{broken}.tar.zst is broken: " + why.replace("\\\\", "\\")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: path.unlink(), "it is missing, and the volume of pack is stored relative to it"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "truncated"),
        (lambda path: path.write_bytes(b"x" * 99), "damaged"),
        (lambda path: cut(path, 1024), "the archive is truncated or damaged"),
        (lambda path: cut(path, 1024 + 512), "unexpected end of data"),
    ],
)
@pytest.mark.parametrize("broken", ["build", "test"])
def test_a_base_that_is_damaged_is_named(
    run: Run, tmp_path: Path, damage: Callable[[Path], object], why: str, broken: str
) -> None:
    """A missing or damaged base, of the stage or of its base, is reported, and nothing is left."""
    for name in ("build", "test", "pack"):
        run.keep(name, text(f"{name}/a"), text(f"{name}/{name}"))

    damage(run.store.folder / f"{broken}.tar.zst")

    with pytest.raises(BrokenRecordError, match=f"/{broken}.tar.zst is broken: {why}"):
        run.fetch("pack", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_base_leads_out_of_no_folder(run: Run, tmp_path: Path) -> None:
    """A path in a base that is not below the folder of its stage is refused, as in the archive itself."""
    for name, path in (("test", "elsewhere/a"), ("test", "test/../../a"), ("build", "elsewhere/a"), ("build", "build/../../a")):
        inner = Run(tmp_path / path.replace("/", "-") / name)
        inner.keep("build", text("build/a"))
        inner.keep("test", text("test/a"))
        stream = with_base(b"build", text(path)) if name == "test" else tar_stream([Folder(path="build"), text(path)])
        replace(inner, name, stream)

        with pytest.raises((BrokenRecordError, ValueError), match="is outside the folder"):
            inner.fetch("test", tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_a_removed_path_without_an_end(run: Run, tmp_path: Path) -> None:
    """If the list of removed paths has one path of several megabytes, it is refused."""
    run.keep("build", text("build/a"))
    run.keep("test", text("test/a"))
    endless = File(path="test.removed", size=3 << 20, content=lambda: [b"a" * (1 << 20)] * 3)

    replace(run, "test", tar_stream([text("test.base", b"build"), Folder(path="test"), endless]))

    with pytest.raises(BrokenRecordError, match="is longer than 1,048,576 bytes"):
        run.fetch("test", tmp_path / "out")
    assert not (tmp_path / "out").exists()
