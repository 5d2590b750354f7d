"""Git's patterns, for whatever files are called, and whoever wrote them."""

from __future__ import annotations

import pytest

from dockercise_prefect.globs import Globs


def test_names_that_are_no_text_are_matched() -> None:
    """A byte that is no UTF-8 is a character like others, in a name and in a pattern."""
    assert Globs(["src/*"]).takes("src/\udcff\n")
    assert Globs(["src/\udcff*"]).takes("src/\udcffx")
    assert not Globs(["src/\udcff*"]).takes("src/\udcfex")


def test_a_pattern_that_tries_every_way_comes_to_an_end() -> None:
    """What a stranger writes is matched in a time that grows with its length, not with the ways to match it."""
    assert not Globs(["*a" * 40 + "b"]).takes("a" * 400)


def test_what_git_does_not_understand_is_an_error() -> None:
    """Nobody guesses what was meant."""
    with pytest.raises(ValueError, match="!"):
        Globs(["!"])
