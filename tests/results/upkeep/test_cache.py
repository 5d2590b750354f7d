"""What stages with `cache` have left is bounded, in a folder and in a bucket, and nothing else is touched."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from dockercise_prefect.archives.content_digest import digest_text
from dockercise_prefect.compiler.reading.names import pipeline_name_from, pipeline_name_problem
from dockercise_prefect.errors import StorageError, UsageError
from dockercise_prefect.results.cache.contents import Contents
from dockercise_prefect.results.cache.entries import Entries
from dockercise_prefect.results.cache.paths import CACHE, content_path, entries_path, withdrawal_path
from dockercise_prefect.results.places.bucket import Bucket
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.places.objects import Objects
from dockercise_prefect.results.places.s3 import S3Objects
from dockercise_prefect.results.reading.records import Records, pipelines_in
from dockercise_prefect.results.upkeep.cache import CacheLimits, unwanted_in_cache
from dockercise_prefect.results.upkeep.never_begun import never_begun
from dockercise_prefect.results.upkeep.retention import Limits
from dockercise_prefect.results.upkeep.stored_runs import unwanted
from dockercise_prefect.settings import read_settings
from tests.results.cache.test_entries import ENTRY
from tests.support.aws.moto import Aws, running_aws

BUCKET = "results-of-mine"
NOW = datetime.now(UTC)
ROOMY = CacheLimits(days=30, runs=32, size=1 << 30)


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    """An AWS on loopback with one bucket."""
    with running_aws() as aws:
        aws.bucket(BUCKET)
        yield aws


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.docker)])
def objects(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Objects:
    """An empty place of results."""
    if request.param == "folder":
        return FolderObjects(tmp_path)
    request.getfixturevalue("aws").write_folder(tmp_path / ".aws")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / ".aws/config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / ".aws/credentials"))
    return S3Objects(Bucket(BUCKET, request.node.name.partition("[")[0]), read_settings())


def run_id(days: float) -> str:
    """The id of a run that began so many days ago."""
    return f"{NOW - timedelta(days=days):%Y%m%dT%H%M%SZ}-aaaa"


def kept(objects: Objects, text: str, size: int = 100) -> str:
    """Store a content of about this size, which compression makes no smaller, and return its digest."""
    content = b"".join(sha256(f"{text} {number}".encode()).digest() for number in range(size // 32))
    digest = digest_text(sha256(content).digest())
    Contents(objects).keep_output(digest, [content])
    return digest


def ended(objects: Objects, days: float, left: Mapping[str, float], pipeline: str = "shop") -> str:
    """Store the entries of a run that began so many days ago, and whose stages left these contents in these seconds."""
    made = [
        replace(ENTRY, stage=f"s{number}", run_id=run_id(days), output_digest=digest, seconds=seconds)
        for number, (digest, seconds) in enumerate(left.items())
    ]
    Entries(objects, pipeline).add(run_id(days), made)
    return entries_path(pipeline, run_id(days))


def found(objects: Objects, limits: CacheLimits = ROOMY, later: float = 0) -> list[tuple[list[str], str]]:
    """The paths of what is not wanted any more so many days later, each with the reason."""
    return [(sorted(each.paths), each.why) for each in unwanted_in_cache(objects, limits, NOW + timedelta(days=later))]


def clean(objects: Objects, limits: CacheLimits = ROOMY, later: float = 0) -> None:
    """Remove what is not wanted any more so many days later."""
    for each in unwanted_in_cache(objects, limits, NOW + timedelta(days=later)):
        each.remove()


def test_what_old_runs_have_left_goes(objects: Objects) -> None:
    """Entries of old runs go, with the contents that only they name. What a newer run names too stays."""
    shared, old, new = (kept(objects, text) for text in ("shared", "old", "new"))
    entries = ended(objects, 31, {shared: 1, old: 1})
    ended(objects, 29, {shared: 1, new: 1})
    other = ended(objects, 40, {old: 1}, "another")
    limits = CacheLimits(days=32, runs=32, size=1 << 30)

    before = found(objects, limits)
    later = found(objects, limits, 2)
    clean(objects, limits, 2)

    assert [paths for paths, _ in before] == [[other]]
    assert later == [
        (sorted([entries, other]), "older than 32 days (cache_days)"),
        ([content_path(old)], "no run in the cache refers to it any more"),
    ]
    assert Contents(objects).sizes().keys() == {shared, new}
    assert [entry.output_digest for entry in Entries(objects, "shop").newest(10)] == [shared, new]


def test_what_was_withdrawn_is_known_as_long_as_it_could_be_reused(objects: Objects) -> None:
    """A withdrawal goes when the entries are gone that it is about, whatever else there is."""
    key = ENTRY.ingredients.key
    Entries(objects, "shop").withdraw(key, run_id(0))
    ended(objects, 1, {})

    assert found(objects, CacheLimits(days=30, runs=1, size=1), later=28) == []
    assert found(objects, later=31)[-1] == ([withdrawal_path("shop", key, run_id(0))], "older than 30 days (cache_days)")
    assert Entries(objects, "shop").withdrawn() == {key: run_id(0)}


def test_what_nobody_reads_goes(objects: Objects) -> None:
    """Of each pipeline, entries of the newest runs are read. Those of other runs go, with what only they name."""
    contents = [kept(objects, f"{number}") for number in range(4)]
    paths = [ended(objects, 4 - number, {digest: 1}) for number, digest in enumerate(contents)]
    ended(objects, 10, {contents[1]: 1}, "another")
    limits = CacheLimits(days=30, runs=2, size=1 << 30)

    assert found(objects, limits, 2) == [
        (paths[:2], "no run reads it: there are 2 newer ones"),
        ([content_path(contents[0])], "no run in the cache refers to it any more"),
    ]
    assert found(objects, CacheLimits(days=30, runs=4, size=1 << 30), 2) == []


def test_what_a_run_has_left_stays_until_it_ends(objects: Objects) -> None:
    """A content without an entry may be of a run that is going on. After a day it is of a run that died."""
    digest = kept(objects, "left by a run without entries")

    assert found(objects, later=0.9) == []
    assert found(objects, later=1.1) == [([content_path(digest)], "no run in the cache refers to it any more")]


def test_runs_at_once_do_not_remove_what_the_others_leave(objects: Objects) -> None:
    """In a place that is full, what a run has stored stays until its entries are there, and what is worth less goes instead."""
    old = kept(objects, "old", 5000)
    ended(objects, 3, {old: 1})
    limits = CacheLimits(days=30, runs=32, size=Contents(objects).sizes()[old])
    fresh = [kept(objects, "of one run", 4000), kept(objects, "of another run", 4000)]

    clean(objects, limits)
    during = Contents(objects).sizes().keys()
    ended(objects, 0, {fresh[0]: 1})
    ended(objects, 0.1, {fresh[1]: 100})
    clean(objects, limits)

    assert during == set(fresh)
    assert Contents(objects).sizes().keys() == {fresh[1]}


def test_what_is_too_much_goes_by_what_it_costs(objects: Objects) -> None:
    """Above the size, what is cheapest to make again goes first. Entries stay, and what is left is not too much."""
    big, small, slow = kept(objects, "big", 9000), kept(objects, "small"), kept(objects, "slow", 9000)
    ended(objects, 2, {big: 1, small: 1, slow: 9})
    ended(objects, 1, {slow: 3600})
    sizes = Contents(objects).sizes()
    whole = sum(sizes.values())

    enough = found(objects, CacheLimits(30, 32, whole))
    little = found(objects, CacheLimits(30, 32, whole - 1))
    clean(objects, CacheLimits(30, 32, sizes[slow] + 1))

    why = f"cheapest to make again, and the cache is larger than {whole - 1} (cache_size)"
    assert enough == []
    assert little == [([content_path(big)], why)]
    assert Contents(objects).sizes() == {slow: sizes[slow]}
    assert len(Entries(objects, "shop").newest(10)) == 4


def test_the_words_and_the_bytes(objects: Objects) -> None:
    """Each reason has one line for people, however many objects there are, and the bytes that are set free."""
    lost = [kept(objects, text) for text in ("a", "b")]
    paths = [ended(objects, days, {}) for days in (40, 50)]
    sizes = Contents(objects).sizes()

    entries, contents = unwanted_in_cache(objects, ROOMY, NOW + timedelta(days=2))

    assert (entries.name, contents.name) == ("what the cache knows of 2 runs", "2 contents of the cache")
    assert entries.size == sum(objects.sizes(".cache/shop").values())
    assert contents.size == sum(sizes[digest] for digest in lost)
    assert sorted(entries.paths) == sorted(paths)


def test_removing_twice_does_no_harm(objects: Objects) -> None:
    """If another machine has removed it in the meantime, there is nothing to do."""
    kept(objects, "lost")
    ended(objects, 40, {})
    everything = list(unwanted_in_cache(objects, ROOMY, NOW + timedelta(days=2)))

    for each in [*everything, *everything]:
        each.remove()

    assert len(everything) == 2
    assert objects.sizes(".cache") == {}
    assert found(objects) == []


def test_a_pipeline_may_have_any_name(objects: Objects) -> None:
    """The entries of pipelines whose names look like something else count as those of any other."""
    contents = [kept(objects, name) for name in ("content", run_id(90), ".hidden")]
    for name, digest in zip(("content", run_id(90), ".hidden"), contents, strict=True):
        ended(objects, 1, {digest: 1}, name)

    assert found(objects, later=2) == []
    assert [reason for _, reason in found(objects, later=40)] == [
        "older than 30 days (cache_days)",
        "no run in the cache refers to it any more",
    ]


def test_what_is_no_part_of_the_cache_is_left_alone(objects: Objects) -> None:
    """Files of others in the folder, and records of runs, are never found."""
    for path in (
        ".cache/notes.txt",
        ".cache/shop/index.html",
        ".cache/content/ab/mine.zst",
        f".cache/shop/{run_id(90)}/summary.json",
        f"shop/{run_id(90)}/summary.json",
        ".cache/shop/99999999T999999Z-aaaa.json.zst",
    ):
        objects.put(path, io.BytesIO(b"mine"))

    assert found(objects, CacheLimits(1, 1, 1), later=40) == []


def test_damaged_entries_name_nothing(objects: Objects) -> None:
    """Entries that cannot be understood keep nothing, and do not prevent that the rest is bounded."""
    digest = kept(objects, "damaged")
    objects.put(ended(objects, 1, {digest: 1}), io.BytesIO(b"no archive"))

    assert [paths for paths, _ in found(objects, later=2)] == [[content_path(digest)]]


def test_if_entries_cannot_be_read_nothing_is_found(tmp_path: Path) -> None:
    """A place that does not let us read its entries is no place without entries: its contents stay."""
    objects = FolderObjects(tmp_path)
    digest = kept(objects, "in use")
    path = tmp_path / ended(objects, 1, {digest: 1})
    path.unlink()
    path.symlink_to(path)  # a link to itself cannot be opened, not even by root

    with pytest.raises(StorageError, match="cannot read"):
        found(objects, later=2)

    assert Contents(objects).sizes().keys() == {digest}


def test_what_a_killed_process_was_writing_goes(tmp_path: Path) -> None:
    """A file that was not finished a day ago never will be. One that is being written stays."""
    objects = FolderObjects(tmp_path)
    old, new = (tmp_path / f".cache/content/ab/.{name}.tmp" for name in ("old", "new"))
    for file in (old, new):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half")
    os.utime(old, (0, 0))

    clean(objects)

    assert list(old.parent.iterdir()) == [new]


def test_other_readers_do_not_take_it_for_a_pipeline(objects: Objects) -> None:
    """Even if the names in it look like runs, nothing of it is listed, found, or removed as a record."""
    for days in (50, 60):
        objects.put(f"shop/{run_id(days)}/summary.json", io.BytesIO(b"{}"))
        ended(objects, days, {kept(objects, "left"): 1}, pipeline=run_id(70))
        objects.put(f".cache/{run_id(70)}/summary.json", io.BytesIO(b"{}"))

    assert pipelines_in(objects) == ["shop"]
    assert [run.path for run in Records(objects).runs()] == [f"shop/{run_id(50)}", f"shop/{run_id(60)}"]
    assert [each.run.path for each in unwanted(objects, Limits(days=1), NOW)] == [f"shop/{run_id(60)}"]
    with pytest.raises(UsageError, match=r"there is no run of a pipeline `\.cache`"):
        Records(objects, ".cache").runs()


def test_an_empty_folder_in_it_is_no_record_that_never_began(tmp_path: Path) -> None:
    """When all entries of a pipeline are gone, its folder stays, whatever its name looks like."""
    (tmp_path / ".cache" / run_id(70)).mkdir(parents=True)

    assert list(never_begun(tmp_path, tmp_path / "data", NOW + timedelta(days=1))) == []


@pytest.mark.parametrize("name", [CACHE, CACHE.upper()])
def test_a_pipeline_cannot_have_its_name(name: str) -> None:
    """Its records would be in the folder of the cache, also on a disk that does not distinguish small and capital letters."""
    assert pipeline_name_problem(name) == (f"`{name}` cannot be the name of a pipeline", "choose another name")
    assert pipeline_name_from(name) == "pipeline"
