"""Labels for every image of a build: adds an instruction to the Dockerfile below each `FROM`.

An engine also takes labels as an option of the build, but it sets these only on the last image. The images of earlier steps,
of earlier stages of the Dockerfile, and of a build that breaks off would then have no label that shows whose they are. The
added instruction also says how many other instructions follow it. An image with more than that was made by somebody else from
one of our images.
"""

from __future__ import annotations

from collections.abc import Mapping

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.cleanup.labels import STEPS
from dockercise_prefect.runtime.dockerfile.reader import BACKSLASH, escape_character, instructions, lines_of


def labelled(dockerfile: bytes, labels: Mapping[str, str]) -> bytes:
    """The Dockerfile with a `LABEL` below each `FROM`. `STEPS` is added to the labels. Nothing else in the Dockerfile changes.

    Lines are joined as the Dockerfile reference says ("Format", "Parser directives"): the escape character at the end of a
    line continues it, and comments and empty lines in between do not end it.

    Args:
        dockerfile: its text, in UTF-8.
        labels: any texts, each in one line.

    Raises:
        EngineError: a label has several lines, which cannot be written in a Dockerfile.
    """
    lines = lines_of(dockerfile)
    escape = escape_character(lines)
    following: dict[int, int] = {}
    last = None
    for instruction in instructions(lines):
        if instruction.keyword == "FROM":
            following[instruction.last], last = 0, instruction.last
        elif last is not None:
            following[last] += 1
    result = []
    for number, line in enumerate(lines):
        result.append(line)
        if number in following:
            result.append(label_instruction({**labels, STEPS: str(following[number])}, escape))
    return "\n".join(result).encode("utf-8", "surrogateescape")


def base_images(dockerfile: bytes, target: str | None) -> list[str]:
    """The images that a Dockerfile's `FROM`s name, each once.

    Names that contain an argument are left out, since only the engine knows them.

    Args:
        dockerfile: its text, in UTF-8.
        target: the stage at which the build stops, by name or by number; None if all stages are built.
    """
    known = {"scratch"}
    found: list[str] = []
    number = 0
    for instruction in instructions(lines_of(dockerfile)):
        words = [word for word in instruction.words if not word.startswith("--")]
        if instruction.keyword != "FROM" or not words:
            continue
        if words[0].lower() not in known and "$" not in words[0]:
            found.append(words[0])
        name = {word.lower() for word in words[2:3]}  # FROM image AS name
        if target is not None and (target.lower() in name or target == str(number)):
            break
        known |= name
        number += 1
    return list(dict.fromkeys(found))


def label_instruction(labels: Mapping[str, str], escape: str = BACKSLASH) -> str:
    """One `LABEL` instruction, with its values quoted so that the engine reads them unchanged.

    Args:
        escape: the Dockerfile's escape character.

    Raises:
        EngineError: a label has several lines.
    """
    return "LABEL " + " ".join(f"{name}={_quoted(name, value, escape)}" for name, value in labels.items())


def _quoted(name: str, value: str, escape: str) -> str:
    if len(value.splitlines()) > 1:
        raise EngineError(
            f"the label {name} has several lines, which a Dockerfile cannot express: {value!r}",
            "names cannot contain line breaks",
        )
    special = f'"${escape}'
    return '"' + "".join(f"{escape}{character}" if character in special else character for character in value) + '"'
