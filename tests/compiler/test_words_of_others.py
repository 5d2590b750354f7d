"""The hints for words of other tools. The golden cases `words-of-others` and `words-of-conditions` show them."""

from __future__ import annotations

import re

import pytest

from dockercise_prefect.compiler.keys import LATER_IN_STAGES, META, STAGE
from dockercise_prefect.compiler.reading.lifecycle import when
from dockercise_prefect.compiler.spelling import keys_of_other_tools, words_of_conditions
from dockercise_prefect.pipeline import RunEvent, RunsOn

_CONDITIONS = when.schema["anyOf"][1]["properties"]


@pytest.mark.parametrize(
    ("hints", "known"),
    [
        (keys_of_other_tools._HINTS, {*STAGE, *LATER_IN_STAGES}),
        (words_of_conditions._KEYS, set(_CONDITIONS)),
        (words_of_conditions._STATUSES, set(RunsOn)),
        (words_of_conditions._EVENTS, set(RunEvent)),
    ],
)
def test_no_hint_is_for_a_word_that_exists(hints: dict[str, str], known: set[str]) -> None:
    """A word that the language has gets no hint to write something else."""
    assert hints.keys() & known == set()


def test_hints_name_keys_that_exist() -> None:
    """What a hint calls a key, as in ``here it is called `retries` ``, is a key."""
    named = {
        name
        for hints in (keys_of_other_tools._HINTS, words_of_conditions._KEYS)
        for hint in hints.values()
        for name in re.findall(r"here it is called `(\w+)`|`(\w+): ", hint)
        for name in name
        if name
    }

    assert named - {*STAGE, *META, *_CONDITIONS, "meta"} == set()
