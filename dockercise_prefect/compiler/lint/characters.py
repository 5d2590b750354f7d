"""The rule about characters in names that are invisible or look like others."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from dockercise_prefect.compiler.lint.subject import Subject, scalars
from dockercise_prefect.errors import Diagnostic, Place
from dockercise_prefect.frontend.findings import warning
from dockercise_prefect.frontend.nodes import Mapping, Node
from dockercise_prefect.pipeline import Code

_MISLEADING = re.compile(
    "[\xab\xad\xbb\u061c\u180e\u200b-\u200f\u2010-\u2015\u2018-\u201f\u2039\u203a\u2212"
    "\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)
"""Characters without width, characters that set the direction of writing, and typographic quotes, hyphens and dashes."""


def misleading_name(subject: Subject) -> Iterator[Diagnostic]:
    """DK115: the name of a stage or of a variable has a character that is invisible or looks like another."""
    for stage in subject.pipeline:
        found = _MISLEADING.search(stage.name)
        if found is not None:
            yield warning(
                Code.MISLEADING_NAME, _told(f"the name of the stage `{stage.name}`", found[0]), stage.place, hint=_HINT
            )
    for written in subject.environments():
        for name, place in _names(written.node):
            found = _MISLEADING.search(name)
            if found is not None:
                message = _told(f"{written.owner}: the name of the variable `{name}`", found[0])
                yield warning(Code.MISLEADING_NAME, message, place, hint=_HINT)


def _names(env: Node) -> Iterator[tuple[str, Place]]:
    if isinstance(env, Mapping):
        yield from ((key.text, key.place) for key, _ in env)
    else:
        yield from ((item.text.partition("=")[0], item.place) for item in scalars(env))


_HINT = "type it again: a text editor or a web page inserted it"


def _told(whose: str, character: str) -> str:
    name = unicodedata.name(character, "a control character").lower()
    return f"{whose} has the character U+{ord(character):04X}, {name}"
