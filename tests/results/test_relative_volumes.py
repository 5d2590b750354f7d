"""Volumes that are stored relative to another: what comes back is what was there."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from tarfile import TarInfo
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zstandard import ZstdCompressor

from dockercise_prefect.errors import EngineError, StorageError
from dockercise_prefect.pipeline import Pipeline, stage, to_json
from dockercise_prefect.results.archive import decompressed
from dockercise_prefect.results.composition import composed
from dockercise_prefect.results.difference import IN_MEMORY, Base, archived
from dockercise_prefect.results.folder import FolderObjects
from dockercise_prefect.results.local_store import LocalStore
from dockercise_prefect.results.objects import NotStoredError
from dockercise_prefect.results.path_map import PathMap
from dockercise_prefect.results.recorded_run import BrokenRecordError, RecordedRun
from dockercise_prefect.results.unpack import unpack
from dockercise_prefect.tarball import Entry, File, Folder, Link, members, packed, tar_stream

Damage = Callable[[Path], object]

build = stage("build", image="bb:1", run="x")
test = stage("test", image="bb:1", run="x", on=build)
pack = stage("pack", image="bb:1", run="x", on=test)
CHAIN = Pipeline("chain", [build, test, pack])


class Inode(NamedTuple):
    """What a file is, under however many names."""

    content: bytes = b""
    mode: int = 0o644
    mtime: float = 1
    owner: int = 0


class Node(NamedTuple):
    """What is under a path: a folder, a link, a pipe, or a file, whose `number` says which inode it is."""

    kind: bytes = tarfile.REGTYPE
    number: int = 0
    mode: int = 0o755
    mtime: float = 1


class Volume(NamedTuple):
    """A tree of files; several paths may be one file."""

    nodes: Mapping[str, Node]
    inodes: tuple[Inode, ...]


names = st.sampled_from(["a", "b", "c", "-", "long" * 30, "\udcff", "new\nline"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
times = st.sampled_from([1, 2, 2.5])
kinds = st.sampled_from([tarfile.REGTYPE] * 4 + [tarfile.DIRTYPE] * 2 + [tarfile.SYMTYPE, tarfile.FIFOTYPE])
contents = st.sampled_from([b"", b"1", b"12", b"21"])
inodes = st.builds(Inode, contents, st.sampled_from([0o644, 0o4755]), times, st.integers(0, 1))
nodes = st.builds(Node, kinds, st.integers(0, 3), st.sampled_from([0o755, 0o1777]), times)
trees = st.dictionaries(paths, nodes, min_size=4, max_size=12)


@st.composite
def histories(draw: st.DrawFn) -> list[Volume]:
    """A volume and two made of it: paths taken away and put there, files changed in place, paths that lead to another file."""
    tree, files = dict(draw(trees)), list(draw(st.tuples(inodes, inodes, inodes, inodes)))
    history = []
    for _ in range(3):
        history.append(Volume(grown(tree), tuple(files)))
        some = st.sets(st.sampled_from(sorted(tree)), max_size=3) if tree else st.just(set[str]())
        for path in draw(some):
            del tree[path]
        if tree:
            path = draw(st.sampled_from(sorted(tree)))
            tree[path] = tree[path]._replace(number=draw(st.integers(0, 3)))
        tree |= draw(st.dictionaries(paths, nodes, max_size=3))
        same_size, any_other = draw(st.integers(0, 3)), draw(st.integers(0, 3))
        files[any_other] = draw(inodes)
        files[same_size] = files[same_size]._replace(content=files[same_size].content[::-1])
    return history


def grown(tree: Mapping[str, Node]) -> dict[str, Node]:
    """A tree whose every path is in a folder: what stands below something else is not there."""
    whole: dict[str, Node] = {}
    for path, node in sorted(tree.items(), key=lambda item: item[0].split("/")):
        above = ["/".join(path.split("/")[:count]) for count in range(1, path.count("/") + 1)]
        if all(whole.get(folder, Node(tarfile.DIRTYPE)).kind == tarfile.DIRTYPE for folder in above):
            whole |= {folder: Node(tarfile.DIRTYPE) for folder in above if folder not in whole} | {path: node}
    return dict(sorted(whole.items(), key=lambda item: item[0].split("/")))


def entries(volume: Volume, name: str) -> Iterator[tuple[TarInfo, list[bytes]]]:
    """The volume as an engine walks it: by name, folders before what is in them, a file's first name before its others."""
    first: dict[int, str] = {}
    root = TarInfo(name)
    root.type, root.mode = tarfile.DIRTYPE, 0o1777
    yield root, []
    for path, node in volume.nodes.items():
        member, inode = TarInfo(f"{name}/{path}"), volume.inodes[node.number]
        member.type, member.mode, member.mtime = node.kind, node.mode, node.mtime
        content = []
        if node.kind == tarfile.SYMTYPE:
            member.linkname = "../" * node.number + "a"
        elif node.kind == tarfile.REGTYPE:
            member.mode, member.mtime, member.uid = inode.mode, inode.mtime, inode.owner
            if node.number in first:
                member.type, member.linkname = tarfile.LNKTYPE, f"{name}/{first[node.number]}"
            else:
                first[node.number], member.size, content = path, len(inode.content), [inode.content]
                member.pax_headers = {"SCHILY.xattr.user.mode": str(inode.mode)}
        yield member, content


def seen(entries: Iterable[tuple[TarInfo, Iterable[bytes]]]) -> list[tuple[object, ...]]:
    """All that members say, in an order of their own."""
    return sorted(
        (
            member.name,
            member.type,
            (member.mode, member.uid, member.mtime, member.linkname, member.pax_headers.get("SCHILY.xattr.user.mode")),
            b"".join(content),
        )
        for member, content in entries
    )


def on_disk(folder: Path) -> dict[str, tuple[object, ...]]:
    """All that can be seen of the files in a folder; those that are one file share their first name."""
    first: dict[int, str] = {}
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        status, name = path.lstat(), str(path.relative_to(folder))
        content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        same = name if path.is_dir() else first.setdefault(status.st_ino, name)
        found[name] = (status.st_mode, status.st_uid, status.st_mtime_ns, content, same)
    return found


class Run:
    """A run that keeps volumes, and its record."""

    def __init__(self, results: Path, pipeline: Pipeline = CHAIN) -> None:
        self.store = LocalStore(results, pipeline.name, "run-1")
        self.store.start(to_json(pipeline))
        self.recorded = RecordedRun(FolderObjects(results), pipeline.name, "run-1")

    def keep(self, name: str, *entries: Entry) -> str | None:
        """Keep a volume."""
        return self.store.keep_volume(name, tar_stream([Folder(path=name, mode=0o1777), *entries]))

    def fetch(self, name: str, folder: Path) -> Path:
        """Unpack a volume."""
        unpack(self.recorded.volume(name), name, folder)
        return folder

    def stored(self, name: str) -> list[str]:
        """The names in an archive."""
        return [member.name for member, _ in members(self.recorded.archive(name))]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A run of three stages, each on the one before."""
    run = Run(tmp_path / "results")
    yield run
    run.store._bases.close()


def text(path: str, content: bytes = b"x", mtime: float = 1) -> File:
    """A small file."""
    return File(path=path, size=len(content), content=lambda: [content], mtime=mtime)


@settings(deadline=None)
@given(history=histories())
def test_a_volume_comes_back_whatever_it_was_made_of(history: list[Volume]) -> None:
    """Of three stages, each on the one before, every volume is what it was, as members and as files under all their names."""
    archives: dict[str, bytes] = {}
    base: Base | None = None
    for name, volume in zip(("build", "test", "pack"), history, strict=True):
        manifest = PathMap()
        archives[name] = b"".join(archived(packed(entries(volume, name)), name, base, manifest, Path()))
        base = Base(name, manifest)

        assert seen(read(name, archives)) == seen(members(packed(entries(volume, name))))
        with TemporaryDirectory() as folder:
            out, direct = Path(folder, "out"), Path(folder, "direct")
            unpack(read(name, archives), name, out)
            unpack(members(packed(entries(volume, name))), name, direct)
            assert on_disk(out) == on_disk(direct)


def read(name: str, archives: Mapping[str, bytes]) -> Iterator[tuple[TarInfo, Iterable[bytes]]]:
    """A volume out of the archives of several."""
    return composed(name, lambda each: members([archives[each]]))


def test_what_nobody_changed_is_not_stored_again(run: Run, tmp_path: Path) -> None:
    """The archive of a stage on another holds folders, what is new or changed, and the names of what is gone."""
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
    """A file that was changed in place and has the size and the time of before is stored, a large one like a small one."""
    changed = content[:at] + b"n" + content[at + 1 :]
    run.keep("build", text("build/a", content), text("build/b", content))

    run.keep("test", text("test/a", changed), text("test/b", content))

    assert run.stored("test") == ["test.base", "test", "test/a", "test.removed"]
    out = run.fetch("test", tmp_path / "out")
    assert ((out / "a").read_bytes(), (out / "b").read_bytes()) == (changed, content)


def test_a_large_file_waits_in_the_record_and_leaves_nothing_there(run: Run) -> None:
    """What is held until it is known whether it is stored is in no folder afterwards."""
    content = b"y" * (2 * IN_MEMORY)
    run.keep("build", text("build/a", content))

    run.keep("test", text("test/a", content))

    assert {path.name for path in run.store.folder.iterdir()} == {"index.json", "build.tar.zst", "test.tar.zst"}
    assert (run.store.folder / "test.tar.zst").stat().st_size < 1000


def test_a_stage_on_one_that_keeps_nothing_keeps_all(run: Run) -> None:
    """Without files, or with files that could not be read, a stage is nobody's base."""

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


def test_no_name_of_a_file_can_clash(run: Run, tmp_path: Path) -> None:
    """Files that are called as what an archive says of itself are files."""
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
    """A stream that cannot be read is not kept, and says so."""
    for stream in (b"no archive" * 100, b"".join(tar_stream([Folder(path="test"), text("test/a")]))):
        with pytest.raises(StorageError, match="it came as no archive"):
            Run(run.store.folder / str(len(stream))).store.keep_volume("build", [stream])


def test_many_paths_that_are_gone_are_told_in_pages(run: Run, tmp_path: Path) -> None:
    """Thousands of files that were removed, and thousands that stayed, are none too many."""
    run.keep("build", *(text(f"build/{number:05}") for number in range(3000)))

    run.keep("test", *(text(f"test/{number:05}") for number in range(0, 3000, 2)))

    assert len(run.stored("test")) == 3
    assert sorted(on_disk(run.fetch("test", tmp_path / "out"))) == [f"{number:05}" for number in range(0, 3000, 2)]


def cut(path: Path, size: int) -> None:
    """Take so many bytes from the end of an archive, which is whole as far as its compression knows."""
    content = b"".join(decompressed([path.read_bytes()]))
    path.write_bytes(ZstdCompressor().compress(content[:-size]))


def with_base(base: bytes, *files: File, name: str = "test") -> Iterator[bytes]:
    """An archive as a store writes it, with any text as the name of its base."""
    return tar_stream([text(f"{name}.base", base), Folder(path=name), *files, text(f"{name}.removed", b"")])


def replace(run: Run, name: str, stream: Iterable[bytes]) -> None:
    """Put something else in the place of an archive."""
    other = Run(run.store.folder / "other" / name, Pipeline("other", []))
    other.store.keep_volume(name, stream)
    (other.store.folder / f"{name}.tar.zst").replace(run.store.folder / f"{name}.tar.zst")


@pytest.mark.parametrize(
    ("base", "broken", "why"),
    [
        (b"test", "test", "its base 'test' is made of it"),
        (b"pack", "pack", "its base 'test' is made of it"),
        (b"nobody", "nobody", "there is none, and the volume of test is stored relative to it"),
        (b"../../other/run-1/build", "test", "its base '../../other/run-1/build' is no stage"),
        (b"a\0b", "test", r"its base 'a\\x00b' is no stage"),
        (b"", "test", "the name of its base is none"),
        (b"b" * 1000, "test", "the name of its base is none"),
    ],
)
def test_a_base_that_is_none_is_refused(run: Run, tmp_path: Path, base: bytes, broken: str, why: str) -> None:
    """What leads in a circle, to no archive or out of the record is an error that names the archive; nothing is left."""
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
        (lambda path: path.unlink(), "there is none, and the volume of pack is stored relative to it"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "cut off"),
        (lambda path: path.write_bytes(b"x" * 99), "damaged"),
        (lambda path: cut(path, 1024), "the archive is cut off, or damaged"),
        (lambda path: cut(path, 1024 + 512), "unexpected end of data"),
    ],
)
@pytest.mark.parametrize("broken", ["build", "test"])
def test_a_base_that_is_damaged_is_named(
    run: Run, tmp_path: Path, damage: Callable[[Path], object], why: str, broken: str
) -> None:
    """A base that is lost or damaged, of the stage or of its base, is said, and nothing is left."""
    for name in ("build", "test", "pack"):
        run.keep(name, text(f"{name}/a"), text(f"{name}/{name}"))

    damage(run.store.folder / f"{broken}.tar.zst")

    with pytest.raises(BrokenRecordError, match=f"/{broken}.tar.zst is broken: {why}"):
        run.fetch("pack", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_base_leads_out_of_no_folder(run: Run, tmp_path: Path) -> None:
    """What is not below its own stage's folder in a base is refused, as in the archive itself."""
    for name, path in (("test", "elsewhere/a"), ("test", "test/../../a"), ("build", "elsewhere/a"), ("build", "build/../../a")):
        inner = Run(tmp_path / path.replace("/", "-") / name)
        inner.keep("build", text("build/a"))
        inner.keep("test", text("test/a"))
        stream = with_base(b"build", text(path)) if name == "test" else tar_stream([Folder(path="build"), text(path)])
        replace(inner, name, stream)

        with pytest.raises((BrokenRecordError, ValueError), match="would lead out of the folder"):
            inner.fetch("test", tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_older_readers_refuse_what_is_not_whole(run: Run, tmp_path: Path) -> None:
    """Whoever takes a relative archive for a volume meets a path outside of the stage's folder first."""
    run.keep("build", text("build/a"))
    run.keep("test", text("test/a"))

    with pytest.raises(ValueError, match=r"'test.base' would lead out of the folder"):
        unpack(members(run.recorded.archive("test")), "test", tmp_path / "out")


def test_xattrs_and_owners_count(run: Run) -> None:
    """A file whose owner or extended attributes are others is another file."""
    one, two = Inode(b"x", owner=0), Inode(b"x", owner=1)
    for name, inode in (("build", one), ("test", two), ("pack", two)):
        run.store.keep_volume(name, packed(entries(Volume({"a": Node()}, (inode,)), name)))

    assert run.stored("test") == ["test.base", "test", "test/a", "test.removed"]
    assert run.stored("pack") == ["pack.base", "pack", "pack.removed"]


def test_a_stream_of_another_program_is_read(run: Run) -> None:
    """GNU's format, with old ways to write long names, is compared as well."""
    for name in ("build", "test"):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for path in (name, f"{name}/{'n' * 200}"):
                member = TarInfo(path)
                member.type = tarfile.DIRTYPE if path == name else tarfile.REGTYPE
                archive.addfile(member)
        run.store.keep_volume(name, [buffer.getvalue()])

    assert run.stored("test") == ["test.base", "test", "test.removed"]
