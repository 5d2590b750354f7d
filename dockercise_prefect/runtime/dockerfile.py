"""Labels for every image of a build: the Dockerfile with one instruction more below each `FROM`.

The labels that an engine takes beside a Dockerfile go to its last image alone. What a step before it made, what an earlier
stage of the Dockerfile made, and what is there when a build breaks off would carry nothing that tells whose it is. The
instruction also says how many others follow it: an image with more of them is somebody else's, made from ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.docker_marks import STEPS

_DIRECTIVE = re.compile(r"#\s*(?P<name>[a-z][a-z0-9]*)\s*=\s*(?P<value>.+?)\s*", re.IGNORECASE)

_BACKSLASH = "\\"


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
    lines = dockerfile.decode("utf-8", "surrogateescape").split("\n")
    escape = _escape_character(lines)
    following: dict[int, int] = {}
    last = None
    for words, end in _instructions(lines, escape):
        if words[0].upper() == "FROM":
            following[end], last = 0, end
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
    lines = dockerfile.decode("utf-8", "surrogateescape").split("\n")
    known = {"scratch"}
    found: list[str] = []
    number = 0
    for (keyword, *given), _ in _instructions(lines, _escape_character(lines)):
        words = [word for word in given if not word.startswith("--")]
        if keyword.upper() != "FROM" or not words:
            continue
        if words[0].lower() not in known and "$" not in words[0]:
            found.append(words[0])
        name = {word.lower() for word in words[2:3]}  # FROM image AS name
        if target is not None and (target.lower() in name or target == str(number)):
            break
        known |= name
        number += 1
    return list(dict.fromkeys(found))


def _instructions(lines: Sequence[str], escape: str) -> Iterator[tuple[list[str], int]]:
    """The words of each instruction, and the number of its last line: behind the last one where the file's end cuts it off."""
    continued = re.compile(rf"{re.escape(escape)}[ \t]*$")
    words: list[str] = []
    for number, line in enumerate(lines):
        text = line.rstrip("\r")
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        words += continued.sub("", text).removeprefix("\ufeff").split()
        if not continued.search(text) and words:
            yield words, number
            words = []
    if words:
        yield words, len(lines)


def label_instruction(labels: Mapping[str, str], escape: str = _BACKSLASH) -> str:
    """One `LABEL` instruction whose values come out as they are.

    Args:
        escape: the Dockerfile's escape character.

    Raises:
        EngineError: a label has several lines.
    """
    return "LABEL " + " ".join(f"{name}={_quoted(name, value, escape)}" for name, value in labels.items())


def _quoted(name: str, value: str, escape: str) -> str:
    if len(value.splitlines()) > 1:
        raise EngineError(f"the label {name} has several lines, which no Dockerfile can say: {value!r}", "is that a name?")
    special = f'"${escape}'
    return '"' + "".join(f"{escape}{character}" if character in special else character for character in value) + '"'


def _escape_character(lines: Sequence[str]) -> str:
    """What a directive above everything else says, else a backslash."""
    for number, line in enumerate(lines):
        text = line.removeprefix("\ufeff") if number == 0 else line
        directive = _DIRECTIVE.fullmatch(text.strip())
        if directive is None:
            break
        if directive["name"].lower() == "escape" and directive["value"] in {_BACKSLASH, "`"}:
            return directive["value"]
    return _BACKSLASH
