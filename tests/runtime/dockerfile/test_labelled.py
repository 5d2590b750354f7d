"""Labels below every FROM of a Dockerfile."""

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.dockerfile.labelled import base_images, label_instruction, labelled

LABEL = 'LABEL a="1" dockercise.steps='
"""The part before the number."""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("FROM x\nRUN y\n", f'FROM x\n{LABEL}"1"\nRUN y\n'),
        ("FROM x", f'FROM x\n{LABEL}"0"'),
        (
            "ARG V\nFROM x:$V AS one\nRUN y\nfrom one\n",
            f'ARG V\nFROM x:$V AS one\n{LABEL}"1"\nRUN y\nfrom one\n{LABEL}"0"\n',
        ),
        ("FROM x \\\n  # why\n\n  AS one\nRUN y", f'FROM x \\\n  # why\n\n  AS one\n{LABEL}"1"\nRUN y'),
        ("FROM x \\ \r\n AS one\r\nRUN y\r\n", f'FROM x \\ \r\n AS one\r\n{LABEL}"1"\nRUN y\r\n'),
        (
            "# escape=`\nFROM x `\n AS one\nRUN a\\\nRUN b\n\n# c\nENV d \\\n e=f",
            f'# escape=`\nFROM x `\n AS one\n{LABEL}"4"\nRUN a\\\nRUN b\n\n# c\nENV d \\\n e=f',
        ),
        ("# syntax=x\n# Escape = `\nFROM x `\nAS b", f'# syntax=x\n# Escape = `\nFROM x `\nAS b\n{LABEL}"0"'),
        ("\n# escape=`\nFROM x \\\n AS one\n", f'\n# escape=`\nFROM x \\\n AS one\n{LABEL}"0"\n'),
        ("# FROM x\nRUN echo \\\n  FROM y\n", "# FROM x\nRUN echo \\\n  FROM y\n"),
        ("FROM x\nRUN a \\\n  b\nRUN c \\\n", f'FROM x\n{LABEL}"2"\nRUN a \\\n  b\nRUN c \\\n'),
        ("FROM x \\\n", "FROM x \\\n"),
        ("\ufeffFROM x\n", f'\ufeffFROM x\n{LABEL}"0"\n'),
    ],
)
def test_every_from_gets_the_labels(before: str, after: str) -> None:
    """Every FROM, in any spelling, is followed by the labels and the count of instructions after it; the rest is unchanged."""
    assert labelled(before.encode(), {"a": "1"}).decode() == after


def test_bytes_that_are_no_text_are_kept() -> None:
    """Bytes that are not UTF-8 are kept unchanged."""
    assert labelled(b"FROM x\nRUN \xff\n", {"a": "1"}) == f'FROM x\n{LABEL}"1"\nRUN '.encode() + b"\xff\n"


@pytest.mark.parametrize(
    ("value", "escape", "written"),
    [
        ("it's $A", "\\", '"it\'s \\$A"'),
        ('a"b\\c', "\\", '"a\\"b\\\\c"'),
        ("a`b\\c$", "`", '"a``b\\c`$"'),
        ("☃ two", "\\", '"☃ two"'),
    ],
)
def test_values_come_out_as_they_are(value: str, escape: str, written: str) -> None:
    """Quotes, variables and the escape character are escaped."""
    assert label_instruction({"a": value}, escape) == f"LABEL a={written}"


def test_a_label_of_several_lines_is_refused() -> None:
    """A line break would begin another instruction."""
    with pytest.raises(EngineError, match="several lines"):
        label_instruction({"a": "x\nRUN y"})


def test_the_images_that_a_dockerfile_names() -> None:
    """A Dockerfile's own stages, names with an argument, and the empty image are left out; each image is named once."""
    text = b"""FROM --platform=linux/amd64 x:1 AS One
FROM one
FROM \\
  y@sha256:1
FROM scratch
FROM x:$V
from x:1
COPY --from=z /a /a
"""

    assert base_images(text, None) == ["x:1", "y@sha256:1"]


@pytest.mark.parametrize(
    ("target", "images"), [("one", ["a"]), ("TWO", ["a", "b"]), ("1", ["a", "b"]), ("0", ["a"]), ("other", ["a", "b", "c"])]
)
def test_a_target_ends_what_is_needed(target: str, images: list[str]) -> None:
    """Everything after the stage at which the build stops, given by name or number, is not needed."""
    assert base_images(b"FROM a AS one\nFROM b AS Two\nFROM c\n", target) == images
