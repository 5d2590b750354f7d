"""Entries of stages that passed, in a place that several runs use."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from zstandard import ZstdCompressor

from dockercise_prefect.results.cache.entries import Entries
from dockercise_prefect.results.cache.entry import Entry, newest_by_key
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.reuse.ingredients import Ingredients, UsedImage

ENTRY = Entry(
    stage="build",
    ingredients=Ingredients(definition={"run": "sha256:1"}, image=UsedImage("busybox", "sha256:2")),
    run_id="20261130T060000Z-aaaa",
    finished="2026-11-30T06:00:01+00:00",
    seconds=2.5,
    output_digest="sha256:3",
    output_size=3,
    volume_digest=None,
)


def test_they_come_back(tmp_path: Path) -> None:
    """What runs have stored is read back, whatever machine asks."""
    other = replace(ENTRY, stage="test \udcff", volume_digest="sha256:4")
    Entries(FolderObjects(tmp_path), "shop").add("1", [ENTRY])
    Entries(FolderObjects(tmp_path), "shop").add("2", [other])
    Entries(FolderObjects(tmp_path), "another").add("3", [replace(ENTRY, run_id="3")])

    found = Entries(FolderObjects(tmp_path), "shop").newest(10)

    assert found == [ENTRY, other]


def test_only_those_of_the_newest_runs_are_read(tmp_path: Path) -> None:
    """A pipeline with thousands of runs costs no more than one with a few."""
    entries = Entries(FolderObjects(tmp_path), "shop")
    for number in range(5):
        entries.add(f"run-{number}", [replace(ENTRY, run_id=f"run-{number}")])

    assert [entry.run_id for entry in entries.newest(2)] == ["run-3", "run-4"]


def test_what_several_runs_have_stored_comes_once(tmp_path: Path) -> None:
    """A run stores what it has reused too. If a copy is damaged, the one of the newest run counts."""
    entries, test = Entries(FolderObjects(tmp_path), "shop"), replace(ENTRY, stage="test")
    entries.add("1", [ENTRY, replace(test, seconds=0.0)])
    entries.add("2", [ENTRY, test])
    entries.add("3", [ENTRY, replace(ENTRY, run_id="3")])

    assert entries.newest(10) == [test, ENTRY, replace(ENTRY, run_id="3")]


def test_a_place_without_any_has_none(tmp_path: Path) -> None:
    """The first run finds nothing, and that is no error."""
    assert Entries(FolderObjects(tmp_path / "nothing"), "shop").newest(10) == []


def test_many_runs_store_at_once(tmp_path: Path) -> None:
    """Runs that end at the same time lose nothing."""
    with ThreadPoolExecutor(8) as machines:
        for number in range(32):
            machines.submit(Entries(FolderObjects(tmp_path), "shop").add, f"{number:02}", [replace(ENTRY, run_id=str(number))])

    found = Entries(FolderObjects(tmp_path), "shop").newest(100)

    assert [entry.run_id for entry in found] == [str(number) for number in range(32)]


def test_what_cannot_be_understood_is_left_out(tmp_path: Path) -> None:
    """Damaged entries, and those of another version, are as if they were not there."""
    entries = Entries(FolderObjects(tmp_path), "shop")
    for name in ("1", "2", "3", "4", "5"):
        entries.add(name, [ENTRY])
    first, second, _, *others = sorted((tmp_path / ".cache/shop").iterdir())
    for other, text in zip(others, (b"{}", b'[1, {"stage": "build"}]'), strict=True):
        other.write_bytes(ZstdCompressor().compress(text))
    first.write_bytes(b"no archive")
    second.write_bytes(second.read_bytes()[:-5])

    assert entries.newest(10) == [ENTRY]


def test_the_newest_of_a_key_counts() -> None:
    """If two runs made the same, the one that ended later is taken."""
    later = replace(ENTRY, run_id="2", finished="2026-11-30T07:00:00+00:00")

    assert newest_by_key([later, ENTRY]) == {ENTRY.ingredients.key: later}


def test_what_is_withdrawn_is_no_entry(tmp_path: Path) -> None:
    """Withdrawn keys come back with the run that has withdrawn them, and the entries are read as before."""
    entries, key = Entries(FolderObjects(tmp_path), "shop"), ENTRY.ingredients.key
    entries.add("1", [ENTRY])
    entries.withdraw(key, "20261130T060000Z-aaaa")

    assert entries.newest(10) == [ENTRY]
    assert entries.withdrawn() == {key: "20261130T060000Z-aaaa"}
    assert Entries(FolderObjects(tmp_path), "another").withdrawn() == {}
