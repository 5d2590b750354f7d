"""Random volumes, each made from the previous one: if stored relative to another, they come back unchanged."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tarfile import TarInfo
from tempfile import TemporaryDirectory
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.archives.path_map import PathMap
from dockercise_prefect.archives.tarball import members, packed
from dockercise_prefect.results.reading.composition import composed
from dockercise_prefect.results.reading.unpack import unpack
from dockercise_prefect.results.record.difference import Base, archived
from tests.results.chain_of_volumes import Run, on_disk


class Inode(NamedTuple):
    """The content and properties of a file, independent of its names."""

    content: bytes = b""
    mode: int = 0o644
    mtime: float = 1
    owner: int = 0


class Node(NamedTuple):
    """The entry at a path: a folder, a link, a pipe, or a file with the `number` of its inode."""

    kind: bytes = tarfile.REGTYPE
    number: int = 0
    mode: int = 0o755
    mtime: float = 1


class Volume(NamedTuple):
    """A tree of files; several paths may name the same file."""

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
    """A volume and two made from it: paths are removed and added, files change in place, paths get another file."""
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
    """A tree in which every path is in a folder: paths below something else are left out."""
    whole: dict[str, Node] = {}
    for path, node in sorted(tree.items(), key=lambda item: item[0].split("/")):
        above = ["/".join(path.split("/")[:count]) for count in range(1, path.count("/") + 1)]
        if all(whole.get(folder, Node(tarfile.DIRTYPE)).kind == tarfile.DIRTYPE for folder in above):
            whole |= {folder: Node(tarfile.DIRTYPE) for folder in above if folder not in whole} | {path: node}
    return dict(sorted(whole.items(), key=lambda item: item[0].split("/")))


def entries(volume: Volume, name: str) -> Iterator[tuple[TarInfo, list[bytes]]]:
    """The volume in an engine's order: by name, folders before their content, a file's first name before its others."""
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
    """All properties of members, in a fixed order."""
    return sorted(
        (
            member.name,
            member.type,
            (member.mode, member.uid, member.mtime, member.linkname, member.pax_headers.get("SCHILY.xattr.user.mode")),
            b"".join(content),
        )
        for member, content in entries
    )


@given(history=histories())
def test_a_volume_comes_back_whatever_it_was_made_of(history: list[Volume]) -> None:
    """Of three stages, each on the previous one, every volume comes back unchanged, as members and as files with all names."""
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
    """A volume, read from the archives of several stages."""
    return composed(name, lambda each: members([archives[each]]))


def test_xattrs_and_owners_count(run: Run) -> None:
    """A file with another owner or other extended attributes is another file."""
    one, two = Inode(b"x", owner=0), Inode(b"x", owner=1)
    for name, inode in (("build", one), ("test", two), ("pack", two)):
        run.store.keep_volume(name, packed(entries(Volume({"a": Node()}, (inode,)), name)))

    assert run.stored("test") == ["test.base", "test", "test/a", "test.removed"]
    assert run.stored("pack") == ["pack.base", "pack", "pack.removed"]
