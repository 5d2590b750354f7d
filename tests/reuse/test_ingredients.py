"""The ingredients of an attempt, their key, and how differences are said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.reuse.difference import differences
from dockercise_prefect.reuse.ingredients import Ingredients, UsedImage

names = st.text(max_size=3)
digests = st.sampled_from(["", "a", "b", "sha256:a"])
mappings = st.dictionaries(names, digests, max_size=2)
images = st.none() | st.builds(UsedImage, ref=names, digest=digests, platform=names)
ingredients = st.builds(
    Ingredients,
    definition=mappings,
    image=images,
    variables=mappings,
    outputs=mappings,
    volumes=mappings,
    code=mappings,
    also=mappings,
    salt=names,
)


def content(one: Ingredients) -> Ingredients:
    """The ingredients without the name of the image, which does not count."""
    return replace(one, image=one.image and replace(one.image, ref=""))


@given(ingredients, ingredients)
def test_keys_are_the_same_only_if_everything_is(one: Ingredients, other: Ingredients) -> None:
    """Two attempts have the same key if, and only if, they are made from the same."""
    assert (one.key == other.key) == (content(one) == content(other))


@given(ingredients, ingredients)
def test_a_difference_is_said_only_if_there_is_one(one: Ingredients, other: Ingredients) -> None:
    """There are words for every difference, and none without a difference."""
    assert bool(list(differences(one, other))) == (one.key != other.key)


@given(ingredients)
def test_they_come_back_from_json(one: Ingredients) -> None:
    """What was written as JSON can be read back."""
    assert Ingredients.from_json(one.to_json()) == one


def test_those_of_another_version_are_refused() -> None:
    """A field that this version does not know could make a difference."""
    with pytest.raises(ValueError, match="more"):
        Ingredients.from_json({"definition": {}, "more": {}})


THEN = Ingredients(
    definition={"run": "1", "user": "1"},
    image=UsedImage("python:3.12", "1", "linux/amd64"),
    variables={"REGION": "1"},
    outputs={"lint": "1"},
    volumes={"build": "1"},
    code={"": "1", "app": "1"},
    also={"go.mod": "1"},
)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (replace(THEN, definition={"run": "2", "user": "1"}), "its `run` changed"),
        (replace(THEN, definition={"run": "1"}), "it does not set `user` now"),
        (replace(THEN, definition={**THEN.definition, "shell": "1"}), "it sets `shell` now"),
        (replace(THEN, image=UsedImage("python:3.12", "2", "linux/amd64")), "image python:3.12 moved"),
        (replace(THEN, image=UsedImage("python:3.13", "2", "linux/amd64")), "image python:3.13 instead of python:3.12"),
        (
            replace(THEN, image=UsedImage("python:3.12", "1", "linux/arm64")),
            "image python:3.12 is for linux/arm64 instead of linux/amd64",
        ),
        (replace(THEN, variables={"REGION": "2"}), "$REGION differs"),
        (replace(THEN, variables={}), "$REGION is not set now"),
        (replace(THEN, outputs={"lint": "2"}), "lint printed something else"),
        (replace(THEN, volumes={"build": "2"}), "the volume of build changed"),
        (replace(THEN, code={"": "2", "app": "1"}), "the code changed"),
        (replace(THEN, code={"": "1", "app": "2"}), "the folder app of the code changed"),
        (replace(THEN, also={"go.mod": "2"}), "file go.mod of the code changed"),
        (replace(THEN, salt="2"), "the `salt` of its `cache` changed"),
    ],
)
def test_each_difference_has_its_words(now: Ingredients, said: str) -> None:
    """The one difference is said as a user would say it."""
    assert [difference.text for difference in differences(now, THEN)] == [said]


def test_changes_here_are_said_before_their_consequences() -> None:
    """If a script changed and a value that it uses differs, the script is said first."""
    now = replace(THEN, outputs={"lint": "2"}, definition={"run": "2", "user": "1"})
    assert next(differences(now, THEN)).text == "its `run` changed"
