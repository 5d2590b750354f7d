"""What was read once, and is remembered."""

from __future__ import annotations

from dockercise_prefect.results.serving.memory import Memory


def test_what_nobody_asks_for_goes_first() -> None:
    """If there is too much, the value goes that was not asked for longest."""
    memory = Memory[str](6, len)
    for key in ("aa", "bb", "cc"):
        memory.keep(key, key)
    memory.find("aa")

    memory.keep("dd", "dd")

    assert [memory.find(key) for key in ("aa", "bb", "cc", "dd")] == ["aa", None, "cc", "dd"]


def test_a_value_that_is_too_large_is_not_kept() -> None:
    """A value that alone is too much is returned, and leaves room for others."""
    memory = Memory[str](3, len)

    assert memory.keep("large", "xxxx") == "xxxx"
    memory.keep("small", "xx")

    assert (memory.find("large"), memory.find("small")) == (None, "xx")


def test_a_value_that_is_kept_twice_counts_once() -> None:
    """Two threads may keep the same value."""
    memory = Memory[str](4, len)
    for key in ("a", "a", "b"):
        memory.keep(key, "xx")

    assert (memory.find("a"), memory.find("b")) == ("xx", "xx")
