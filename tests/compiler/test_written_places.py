"""Where that is written which makes a difference."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.compiler.compile import compile_with_origin
from dockercise_prefect.compiler.written_places import WrittenPlaces
from dockercise_prefect.reuse.difference import Difference, DifferenceKind

TEXT = """\
meta:
  network: none
  env: [EVERYWHERE]
  defaults:
    img: busybox
    user: nobody
build: {run: x}
make-it: {run: x}
test:
  env:
    - REGION
    - TOKEN?
    - PASSWORD=correct horse
    - build
  vol: [code/src:/src, code, build]
  cache: {salt: a}
  after: make-it
  run: |
    echo $MAKE_IT
other:
  env: {A: text, B: {stage: build}}
  img: alpine
  on: build
"""


@pytest.mark.parametrize(
    ("stage", "kind", "name", "line"),
    [
        ("test", DifferenceKind.KEY, "run", 18),
        ("test", DifferenceKind.KEY, "vol", 15),
        ("test", DifferenceKind.KEY, "user", 6),
        ("test", DifferenceKind.KEY, "network", 2),
        ("test", DifferenceKind.KEY, "memory", None),
        ("test", DifferenceKind.KEY, "name", 9),
        ("test", DifferenceKind.SALT, "salt", 16),
        ("test", DifferenceKind.ALSO, "also", 16),
        ("test", DifferenceKind.IMAGE, "busybox", 5),
        ("other", DifferenceKind.IMAGE, "alpine", 22),
        ("test", DifferenceKind.VARIABLE, "REGION", 11),
        ("test", DifferenceKind.VARIABLE, "TOKEN", 12),
        ("test", DifferenceKind.VARIABLE, "PASSWORD", 13),
        ("test", DifferenceKind.VARIABLE, "BUILD", 14),
        ("test", DifferenceKind.VARIABLE, "MAKE_IT", 19),
        ("test", DifferenceKind.VARIABLE, "EVERYWHERE", 3),
        ("test", DifferenceKind.VARIABLE, "GONE", None),
        ("other", DifferenceKind.VARIABLE, "B", 21),
        ("test", DifferenceKind.CODE, "src", 15),
        ("test", DifferenceKind.CODE, "", 15),
        ("test", DifferenceKind.OUTPUT, "make-it", 17),
        ("test", DifferenceKind.OUTPUT, "gone", None),
        ("test", DifferenceKind.VOLUME, "build", 15),
        ("other", DifferenceKind.VOLUME, "build", 23),
    ],
)
def test_the_line_is_that_of_what_differs(
    tmp_path: Path, stage: str, kind: DifferenceKind, name: str, line: int | None
) -> None:
    """The stage's own line comes before that of `meta`; what is not written, or not any more, has none."""
    (tmp_path / "a.dockercise.yaml").write_text(TEXT)
    compiled, origin = compile_with_origin(tmp_path)

    place = WrittenPlaces(origin.document, compiled.pipeline.by_name[stage]).of(Difference(kind, name, "it differs"))

    assert (None if place is None else place.line) == line


def test_two_mounts_on_one_line_have_their_columns(tmp_path: Path) -> None:
    """The entry of the folder is found, not only the key."""
    (tmp_path / "a.dockercise.yaml").write_text(TEXT)
    compiled, origin = compile_with_origin(tmp_path)
    places = WrittenPlaces(origin.document, compiled.pipeline.by_name["test"])

    columns = [places.of(Difference(DifferenceKind.CODE, folder, "it differs")) for folder in ("src", "")]

    assert [place and place.column for place in columns] == [9, 24]
