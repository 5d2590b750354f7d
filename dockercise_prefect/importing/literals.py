"""Texts that look like secrets. They are replaced by the name of a variable, and are never written or shown."""

from __future__ import annotations

import re
from collections.abc import Callable

from dockercise_prefect.compiler.lint.secrets import KNOWN_FORMS, is_like_a_secret

_WHOLE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[\s\S]*?(?:-----END[^-]*-----|\Z)")

HIDDEN = "[secret]"
"""What notes show in place of a secret."""


def without_secrets(text: str) -> str:
    """A text for people, with the keys of well-known services replaced."""
    return KNOWN_FORMS.sub(HIDDEN, _WHOLE_KEY.sub(HIDDEN, text))


def replaced(script: str, name: Callable[[], str]) -> str:
    """A script with each key of a well-known service replaced by a variable.

    Args:
        script: the script.
        name: returns the name of the next variable.
    """

    def variable(_: re.Match[str]) -> str:
        return "${" + name() + "}"

    return KNOWN_FORMS.sub(variable, _WHOLE_KEY.sub(variable, script))


def is_secret(name: str, text: str) -> bool:
    """Whether the value of a variable looks like a secret."""
    return is_like_a_secret(name, text)
