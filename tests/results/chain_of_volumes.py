"""A run of three stages, each on the previous one, whose volumes are kept and fetched by tests."""

from __future__ import annotations

from pathlib import Path

from dockercise_prefect.archives.tarball import Entry, File, Folder, members, tar_stream
from dockercise_prefect.pipeline import Pipeline, stage, to_json
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.reading.unpack import unpack
from dockercise_prefect.results.record.local_store import LocalStore

build = stage("build", image="bb:1", run="x")
test = stage("test", image="bb:1", run="x", on=build)
pack = stage("pack", image="bb:1", run="x", on=test)
CHAIN = Pipeline("chain", [build, test, pack])


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


def text(path: str, content: bytes = b"x", mtime: float = 1) -> File:
    """A small file."""
    return File(path=path, size=len(content), content=lambda: [content], mtime=mtime)


def on_disk(folder: Path) -> dict[str, tuple[object, ...]]:
    """All visible properties of the files in a folder; paths of the same file share their first name."""
    first: dict[int, str] = {}
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        status, name = path.lstat(), str(path.relative_to(folder))
        content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        same = name if path.is_dir() else first.setdefault(status.st_ino, name)
        found[name] = (status.st_mode, status.st_uid, status.st_mtime_ns, content, same)
    return found
