"""Git's patterns, for any file names and from any author."""

from __future__ import annotations

import warnings

import pytest

from dockercise_prefect.globs import MAX_LENGTH, Globs


def test_names_that_are_no_text_are_matched() -> None:
    """A byte that is not UTF-8 counts as a character, in a name and in a pattern."""
    assert Globs(["src/*"]).takes("src/\udcff\n")
    assert Globs(["src/\udcff*"]).takes("src/\udcffx")
    assert not Globs(["src/\udcff*"]).takes("src/\udcfex")


def test_a_pattern_that_tries_every_way_comes_to_an_end() -> None:
    """For any pattern, the time of matching grows with its length, not with the number of ways to match it."""
    assert not Globs(["*a" * 40 + "b"]).takes("a" * 400)


def test_what_git_does_not_understand_is_an_error() -> None:
    """A pattern that git does not understand is an error, and its meaning is not guessed."""
    with pytest.raises(ValueError, match="!"):
        Globs(["!"])


@pytest.mark.parametrize("pattern", ["[z-a]", "[[:foo:]]", "[[:alpha:]]", "a" * 1_001])
def test_what_cannot_be_matched_is_an_error(pattern: str) -> None:
    """A pattern that the matcher does not accept is refused like one that git does not understand."""
    with pytest.raises(ValueError, match=" "):
        Globs(["*.md", pattern])


@pytest.mark.parametrize("piece", ["?", "a*", "[!b]", "**/a/"])
def test_patterns_within_the_bounds_are_matched(piece: str) -> None:
    """Every pattern of the maximum length is accepted, and matching it ends."""
    pattern = piece * (MAX_LENGTH // len(piece))

    assert not Globs([pattern]).takes("b/" * 200)


@pytest.mark.parametrize("pattern", ["[[a]", "[a&&b]", "[a||b]", "[a~~b]"])
def test_no_warning_of_a_library_reaches_the_user(pattern: str) -> None:
    """Brackets that cause a warning in Python are matched without one."""
    with warnings.catch_warnings(record=True) as caught:
        Globs([pattern])

    assert caught == []
