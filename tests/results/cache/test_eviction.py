"""Which contents go when there are too many."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.results.cache.entry import entries_from_json, entries_to_json
from dockercise_prefect.results.cache.eviction import evicted, seconds_of_objects
from dockercise_prefect.results.cache.paths import content_path, list_path
from tests.results.cache.test_entries import ENTRY

digests = st.sampled_from([f"sha256:{letter}" for letter in "abcdef"])


def test_what_is_cheap_to_make_again_goes_first() -> None:
    """Many bytes that were made in a second go before few bytes that took an hour."""
    sizes = {"sha256:big": 1000, "sha256:small": 10, "sha256:slow": 900}
    seconds = {"sha256:big": 1.0, "sha256:small": 1.0, "sha256:slow": 3600.0}

    assert list(evicted(sizes, seconds, 1950)) == []
    assert list(evicted(sizes, seconds, 1900)) == ["sha256:big"]
    assert list(evicted(sizes, seconds, 905)) == ["sha256:big", "sha256:small"]


def test_a_content_costs_what_the_slowest_stage_took() -> None:
    """If several stages have left the same, also one as its output and another as its volume, the slowest one counts."""
    made = [
        replace(ENTRY, output_digest="sha256:1", volume_digest="sha256:2", seconds=3.0),
        replace(ENTRY, output_digest="sha256:2", volume_digest=None, seconds=5.0),
        replace(ENTRY, output_digest="sha256:1", volume_digest=None, seconds=1.0),
    ]

    assert seconds_of_objects(entries_to_json(made)) == {
        content_path("sha256:1"): 3.0,
        content_path("sha256:2"): 5.0,
    }


def test_entries_of_another_version_count() -> None:
    """An entry that has more than this version knows cannot be reused by it, but its contents are not lost."""
    data = [{**each, "colour": "red"} for each in entries_to_json([ENTRY])]

    with pytest.raises(ValueError, match="colour"):
        entries_from_json(data)
    assert seconds_of_objects(data) == {content_path(ENTRY.output_digest): ENTRY.seconds}


@pytest.mark.parametrize(
    "data", [{}, None, ["text"], [{"seconds": 1}], [{"seconds": "x", "output_digest": 1, "volume_digest": 2}]]
)
def test_what_is_no_entry_is_refused(data: object) -> None:
    """JSON values that no version writes are an error."""
    with pytest.raises(ValueError, match="validation error"):
        seconds_of_objects(data)


def test_lists_of_files_go_before_everything_else() -> None:
    """Lists of the code and of volumes that a stage was made from are worth less than any content, and are not lost."""
    made = replace(ENTRY.ingredients, code={"src": "sha256:c"}, volumes={"build": "sha256:v", "old": "nothing"})
    seconds = seconds_of_objects(entries_to_json([replace(ENTRY, ingredients=made)]))
    code, volume = list_path("sha256:c"), list_path("sha256:v")

    assert {code, volume} <= seconds.keys()
    assert list(evicted({code: 1, content_path("sha256:new"): 5, content_path(ENTRY.output_digest): 5}, seconds, 10)) == [code]


@pytest.mark.parametrize("ingredients", [None, "text", {"code": "text"}, {"code": {"": 1}, "volumes": None}])
def test_ingredients_of_another_version_are_no_error(ingredients: object) -> None:
    """Whatever they look like, the contents of the entry count."""
    data = [{**each, "ingredients": ingredients} for each in entries_to_json([ENTRY])]

    assert seconds_of_objects(data)[content_path(ENTRY.output_digest)] == ENTRY.seconds


def test_what_nobody_knows_goes_first() -> None:
    """An object of which nobody knows what it costs goes before all others."""
    assert list(evicted({"sha256:known": 5, "sha256:lost": 5}, {"sha256:known": 0.001}, 9)) == ["sha256:lost"]


@given(st.dictionaries(digests, st.integers(0, 100)), st.dictionaries(digests, st.floats(0, 1000)), st.integers(0, 400))
def test_the_rest_fits_and_nothing_goes_without_need(sizes: dict[str, int], seconds: dict[str, float], limit: int) -> None:
    """Afterwards there are at most as many bytes as allowed, and without the last removal there would have been more."""
    gone = list(evicted(sizes, seconds, limit))
    left = sum(size for digest, size in sizes.items() if digest not in gone)

    assert left <= limit
    assert not gone or left + sizes[gone[-1]] > limit
