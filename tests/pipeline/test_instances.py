"""The names of instances."""

from __future__ import annotations

import pytest

from dockercise_prefect.pipeline.instances import MAX_KEY_BYTES, Instance, instance_key


@pytest.mark.parametrize(
    ("values", "key"),
    [
        (["3.12", "pg"], "3.12,pg"),
        (["linux/arm64", "a b:c\\d\te"], "linux_arm64,a_b_c_d_e"),
        (["", "x"], "_,x"),
        ([".."], "__"),
        (["."], "_"),
        (["e\u0301"], "\u00e9"),
        (["\ud800"], "?"),
    ],
    ids=["plain", "odd-characters", "empty", "parent-folder", "own-folder", "accent", "half-a-pair"],
)
def test_key(values: list[str], key: str) -> None:
    """A key joins the values with commas, and has only characters that a stage's name can have."""
    assert instance_key(values) == key


def test_long_key() -> None:
    """Keys that are too long are cut, and still differ if their values differ."""
    one, other = instance_key(["é" * 200]), instance_key(["é" * 201])

    assert one != other
    assert max(len(one.encode()), len(other.encode())) <= MAX_KEY_BYTES


def test_name() -> None:
    """An instance has the name of its stage, with its key in brackets."""
    assert Instance("test", "3.12,pg", {"PYTHON": "3.12", "DB": "pg"}).name == "test(3.12,pg)"
