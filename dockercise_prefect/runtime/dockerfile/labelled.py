"""Labels for every image of a build: the Dockerfile with one instruction more below each `FROM`.

The labels that an engine takes beside a Dockerfile go to its last image alone. What a step before it made, what an earlier
stage of the Dockerfile made, and what is there when a build breaks off would carry nothing that tells whose it is. The
instruction also says how many others follow it: an image with more of them is somebody else's, made from ours.
"""

from __future__ import annotations

from collections.abc import Mapping

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.cleanup.labels import STEPS
from dockercise_prefect.runtime.dockerfile.reader import BACKSLASH, escape_character, instructions, lines_of


def labelled(dockerfile: bytes, labels: Mapping[str, str]) -> bytes:
    """The Dockerfile with a `LABEL` below each `FROM`, `STEPS` added to the labels; nothing else in it is changed.

    Lines go together as the Dockerfile reference says ("Format", "Parser directives"): the escape character at the end of a
    line continues it, comments and empty lines between do not end it.

    Args:
        dockerfile: its text, in UTF-8.
        labels: any texts in one line each.

    Raises:
        EngineError: a label has several lines, which no Dockerfile can say.
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
    """The images that its `FROM`s name, each once; without those that hang on an argument, which only the engine knows.

    Args:
        dockerfile: its text, in UTF-8.
        target: the stage at which the build stops, by name or by number; None builds them all.
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
    """One `LABEL` instruction whose values come out as they are.

    Args:
        escape: the Dockerfile's escape character.

    Raises:
        EngineError: a label has several lines.
    """
    return "LABEL " + " ".join(f"{name}={_quoted(name, value, escape)}" for name, value in labels.items())


def _quoted(name: str, value: str, escape: str) -> str:
    if len(value.splitlines()) > 1:
        raise EngineError(
            f"the label {name} has several lines, which a Dockerfile cannot express: {value!r}", "is that a name?"
        )
    special = f'"${escape}'
    return '"' + "".join(f"{escape}{character}" if character in special else character for character in value) + '"'
