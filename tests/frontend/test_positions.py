"""Places of words inside scalars."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.errors import Place
from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.frontend.document import read_document
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Scalar
from dockercise_prefect.frontend.positions import Positions, occurrences

PIECE = "$A"


def _read(text: str) -> tuple[Scalar, Positions]:
    document = read_document(Source("f", text.encode()), Findings())
    assert document is not None
    assert document.body is not None
    scalar = document.body.by_key["run"]
    assert isinstance(scalar, Scalar)
    return scalar, Positions({"f": document.text})


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("run: echo $A\n", 1, 11),
        ("run:\n  echo\n  $A\n", 3, 3),
        ("run: |\n  echo\n    $A\n", 3, 5),
        ("run: |2-  # $A\n    echo $A\n", 2, 10),
        ("run: >\n  echo\n  x $A\n", 3, 5),
        ("run: 'it''s $A'\n", 1, 13),
        ('run: "x\\n $A"\n', 1, 11),
        ('run: "x\n  $A"\n', 2, 3),
        ("run: &anchor $A\n", 1, 14),
        ("run: &anchor |\n  $A\n", 2, 3),
        ("run: !!str $A\n", 1, 12),
        ("\ufeff# é\r\nrun: é $A\r\n", 2, 8),
        ("a: $A\nrun: ☃ $A\nb: $A\n", 2, 8),
        ("{a: 1, run: $A, b: $A}\n", 1, 13),
        ("x-a: &s\n  echo $A\nrun: *s\n", 2, 8),
    ],
)
def test_a_word_has_its_place(text: str, line: int, column: int) -> None:
    """A word in a scalar of any style has its place in the file."""
    scalar, positions = _read(text)

    assert positions.of(PIECE, 0, scalar.place) == Place("f", line, column)


def test_the_second_one_is_the_second_one() -> None:
    """The n-th occurrence in the value is the n-th in the file, including overlapping ones."""
    scalar, positions = _read("run: |\n  $AB $A\n  $A\n")
    starts = list(occurrences(PIECE, scalar.text))

    places = [positions.of(PIECE, number, scalar.place) for number in range(len(starts))]

    assert [(place.line, place.column) for place in places] == [(2, 3), (2, 7), (3, 3)]


@pytest.mark.parametrize("text", ['run: "\\x24A"\nb: $A\n', 'run: "\\u0024A"\n'])
def test_what_is_written_otherwise_has_the_place_of_its_scalar(text: str) -> None:
    """A word hidden by escapes has the place where its scalar begins, never that of another scalar's word."""
    scalar, positions = _read(text)

    assert scalar.text == PIECE
    assert positions.of(PIECE, 0, scalar.place) == scalar.place


def test_an_unknown_file_gives_the_place_back() -> None:
    """If the text of a file is not available, the scalar's place is used."""
    place = Place("other", 1, 1)

    assert Positions({}).of(PIECE, 0, place) == place


@given(
    st.lists(st.sampled_from(["echo", "$A", "x", "é", "☃", "it's", "#", '"', "\\", "a:b", "$AB"]), min_size=1, max_size=12),
    st.sampled_from(["|", ">", "'", '"', ""]),
    st.booleans(),
)
def test_every_occurrence_is_found(words: list[str], style: str, wrapped: bool) -> None:
    """For any script in any style, each place leads to a text in the file that begins with the word."""
    script = "\n".join(words) if wrapped else " ".join(words)
    text = "run: " + yaml.dump(script, default_style=style or None, allow_unicode=True, width=20 if wrapped else 1000)
    scalar, positions = _read(text.removesuffix("...\n"))
    lines = positions._texts["f"].split("\n")

    places = [positions.of(PIECE, number, scalar.place) for number, _ in enumerate(occurrences(PIECE, scalar.text))]

    assert len(set(places)) == len(places)
    assert all(lines[place.line - 1][place.column - 1 :].startswith(PIECE) for place in places)
