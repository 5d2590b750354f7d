"""Which contents go when there are too many."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.results.cache.eviction import evicted
from tests.results.cache.test_entries import ENTRY

digests = st.sampled_from([f"sha256:{letter}" for letter in "abcdef"])
entries = st.builds(lambda digest, seconds: replace(ENTRY, output_digest=digest, seconds=seconds), digests, st.floats(0, 1000))


def test_what_is_cheap_to_make_again_goes_first() -> None:
    """Many bytes that were made in a second go before few bytes that took an hour."""
    sizes = {"sha256:big": 1000, "sha256:small": 10, "sha256:slow": 900}
    made = [
        replace(ENTRY, output_digest="sha256:big", seconds=1.0),
        replace(ENTRY, output_digest="sha256:small", seconds=1.0),
        replace(ENTRY, output_digest="sha256:slow", seconds=3600.0),
    ]

    assert list(evicted(sizes, made, 1950)) == []
    assert list(evicted(sizes, made, 1900)) == ["sha256:big"]
    assert list(evicted(sizes, made, 905)) == ["sha256:big", "sha256:small"]


def test_what_nobody_knows_goes_first() -> None:
    """A content of a run that died has no entry. It goes as soon as there is no room."""
    made = [replace(ENTRY, output_digest="sha256:known", seconds=0.001)]

    assert list(evicted({"sha256:known": 5, "sha256:lost": 5}, made, 9)) == ["sha256:lost"]


@given(st.dictionaries(digests, st.integers(0, 100)), st.lists(entries), st.integers(0, 400))
def test_the_rest_fits_and_nothing_goes_without_need(sizes: dict[str, int], made: list[object], limit: int) -> None:
    """Afterwards there are at most as many bytes as allowed, and without the last removal there would have been more."""
    gone = list(evicted(sizes, made, limit))  # type: ignore[arg-type]  # hypothesis does not know what `builds` makes
    left = sum(size for digest, size in sizes.items() if digest not in gone)

    assert left <= limit
    assert not gone or left + sizes[gone[-1]] > limit
