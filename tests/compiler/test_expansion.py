"""Variables in texts that are not scripts."""

from __future__ import annotations

import pytest

from dockercise_prefect.compiler.expansion import expanded, expanded_node
from dockercise_prefect.frontend.nodes import Mapping, Position, Scalar, Sequence

VALUES = {"PYTHON": "3.12", "DB": "$PYTHON"}
START = Position(0, 0)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("python:$PYTHON-slim", "python:3.12-slim"),
        ("${PYTHON}${PYTHON}", "3.123.12"),
        ("$PYTHONS ${PYTHON:-3} $python", "$PYTHONS ${PYTHON:-3} $python"),
        ("$DB", "$PYTHON"),
        ("$ and ${ and $1", "$ and ${ and $1"),
    ],
    ids=["plain", "braces", "other-names", "only-once", "no-names"],
)
def test_text(text: str, result: str) -> None:
    """`$NAME` and `${NAME}` become the value of a known variable, once; everything else stays as written."""
    assert expanded(text, VALUES) == result


def test_node() -> None:
    """In a node, texts are expanded and keys are not."""
    key = Scalar("a.yaml", START, "$PYTHON")
    node = Mapping("a.yaml", START, {"$PYTHON": (key, Sequence("a.yaml", START, (Scalar("a.yaml", START, "v$PYTHON"),)))})

    result = expanded_node(node, VALUES)

    assert result == Mapping(
        "a.yaml", START, {"$PYTHON": (key, Sequence("a.yaml", START, (Scalar("a.yaml", START, "v3.12"),)))}
    )
