"""Which archive is the base of which other one, and which archives wait."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from dockercise_prefect.pipeline import CODE
from dockercise_prefect.results.record.volume_bases import VolumeBases

PATIENCE = 60


class LostError(Exception):
    """An archive that could not be written."""


@contextmanager
def bases(**origins: str | None) -> Iterator[VolumeBases]:
    """The bases of a run whose stages work on the given ones."""
    bases = VolumeBases(origins)
    yield bases
    bases.close()


def kept(bases: VolumeBases, stage: str) -> str | None:
    """Write an archive; returns the stage of its base."""
    with bases.keeping(stage) as (base, _):
        return base.stage if base else None


def lose(bases: VolumeBases, stage: str) -> None:
    """Begin an archive, and fail."""
    with pytest.raises(LostError), bases.keeping(stage):
        raise LostError


def test_a_stage_has_the_one_that_it_works_on_as_its_base() -> None:
    """The base is the stage that it works on, not the first of all; a stage that works on nothing has no base."""
    with bases(a=None, b="a", c="b", d="a", e=None) as run:
        assert [kept(run, name) for name in "abcde"] == [None, "a", "b", "a", None]


@pytest.mark.parametrize("origin", ["hush", CODE])
def test_a_base_that_cannot_be_kept_is_none(origin: str) -> None:
    """A stage on a noLog stage, which is not in the bases, is stored whole; so is the only stage on the code."""
    with bases(a=origin) as run:
        assert kept(run, "a") is None


def test_a_base_that_was_not_kept_is_none() -> None:
    """A stage that failed, or had no files, is not a base."""
    with bases(a=None, b="a", c=None, d="c") as run:
        lose(run, "a")
        run.leave_out("c")

        assert [kept(run, "b"), kept(run, "d")] == [None, None]


def test_nobody_notes_paths_that_nobody_asks_for() -> None:
    """Only an archive that has a base, or may be one, records all its paths."""
    with bases(alone=None, a=None, b="a", c=CODE) as run:
        for name, needs in {"alone": False, "a": True, "b": True, "c": False}.items():
            with run.keeping(name) as (_, manifest):
                assert (manifest is not None) is needs


def test_the_first_on_the_code_is_the_base_of_the_others() -> None:
    """The first archive that begins is the base; if it fails, the next one is."""
    with bases(a=CODE, b=CODE, c=CODE, d=CODE, e="d") as run:
        lose(run, "c")

        assert [kept(run, name) for name in "bade"] == [None, "b", "b", "d"]


def test_an_archive_waits_for_its_base() -> None:
    """It waits until its base is kept or lost; if the first archive on the code is lost, one of those that wait replaces it."""
    with (
        bases(a=None, b="a", c=None, d="c", e=CODE, f=CODE, g=CODE) as run,
        ThreadPoolExecutor() as pool,
        ExitStack() as writing,
    ):
        begun = {name: writing.enter_context(ExitStack()) for name in "ace"}
        for name, stack in begun.items():
            stack.enter_context(run.keeping(name))
        waiting = {name: pool.submit(kept, run, name) for name in "bdfg"}

        begun["a"].close()
        with pytest.raises(LostError), begun["c"]:
            raise LostError
        with pytest.raises(LostError), begun["e"]:
            raise LostError

        found = {name: future.result(PATIENCE) for name, future in waiting.items()}
        assert (found["b"], found["d"]) == ("a", None)
        assert (found["f"], found["g"]) in {(None, "f"), ("g", None)}


def test_as_many_as_there_are_threads_may_wait() -> None:
    """Archives that begin in the order of their stages, a few at a time, all finish."""
    origins = {f"s{n}": f"s{n - 1}" if n % 5 else CODE for n in range(100)}
    with bases(**origins) as run, ThreadPoolExecutor(4) as pool:

        def keep(name: str) -> str | None:
            return kept(run, name)

        found = dict(zip(origins, pool.map(keep, origins, timeout=PATIENCE), strict=True))

    on_code = [name for name, origin in origins.items() if origin == CODE]
    (first,) = (name for name in on_code if found[name] is None)
    assert {found[name] for name in on_code if name != first} == {first}
    assert all(found[name] == origin for name, origin in origins.items() if origin != CODE)
