"""Reads fields of untrusted JSON. A field with a wrong type, or with a text that cannot be stored, is named in an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dockercise_prefect.webhook.payload.delivery import MalformedError

Fields = Mapping[str, Any]

_LONGEST = 4096
_LARGEST_NUMBER = 2**63


def text(fields: Fields, name: str, inside: str = "") -> str:
    """A text that is not empty.

    Args:
        fields: the object.
        name: name of the field.
        inside: the object's own name, for the message; empty for the payload itself.

    Raises:
        MalformedError: the field is missing, is not a text, or is a text that cannot be stored.
    """
    value = _present(fields, name, inside)
    if not isinstance(value, str) or not value or len(value) > _LONGEST or not storable(value):
        raise MalformedError(f"`{_where(name, inside)}` in the payload is not a string, or cannot be stored")
    return value


def optional_text(fields: Fields, name: str, inside: str = "") -> str | None:
    """Like `text`, but None if the field is missing, null or empty."""
    value = fields.get(name)
    return None if value is None or value == "" else text(fields, name, inside)


def listed(fields: Fields, name: str, inside: str = "") -> Sequence[Any]:
    """A list.

    Raises:
        MalformedError: the field is missing or is not a list.
    """
    value = _present(fields, name, inside)
    if not isinstance(value, list):
        raise MalformedError(f"`{_where(name, inside)}` in the payload is not a list")
    return value


def optional_fields(fields: Fields, name: str, inside: str = "") -> Fields | None:
    """An object, or None if it is missing or null.

    Raises:
        MalformedError: the field is not an object.
    """
    value = fields.get(name)
    if value is not None and not isinstance(value, dict):
        raise MalformedError(f"`{_where(name, inside)}` in the payload is not an object")
    return value


def needed_fields(fields: Fields, name: str, inside: str = "") -> Fields:
    """An object.

    Raises:
        MalformedError: the field is missing or is not an object.
    """
    _present(fields, name, inside)
    return optional_fields(fields, name, inside) or {}


def number(fields: Fields, name: str, inside: str = "") -> int:
    """A whole number above 0, as hosts count with.

    Raises:
        MalformedError: the field is missing or is no such number.
    """
    value = _present(fields, name, inside)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < _LARGEST_NUMBER:
        raise MalformedError(f"`{_where(name, inside)}` in the payload is not a number above 0")
    return value


def storable(value: str) -> bool:
    """Whether a text can be stored.

    JSON can hold half of a surrogate pair, which no encoding can write, and NUL, at which git and SQLite cut a text.
    """
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def shown(value: str, longest: int = 80) -> str:
    """Untrusted text on one line, without control characters that a terminal would obey."""
    plain = "".join(character if character.isprintable() else "?" for character in value[: longest + 1])
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def _present(fields: Fields, name: str, inside: str) -> Any:
    if fields.get(name) is None:
        raise MalformedError(f"the payload lacks `{_where(name, inside)}`")
    return fields[name]


def _where(name: str, inside: str) -> str:
    return f"{inside}.{name}" if inside else name
