"""Parses the content of a body.

A body is parsed only after its signature was checked, and within limits, because parsing costs time and memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

from dockercise_prefect.webhook.payload.delivery import MalformedError

_FIELD = b"payload="
_MOST_FIELDS = 8
_STEP = 64 * 1024


def read_payload(body: bytes, *, form: bool) -> Mapping[str, Any]:
    """The JSON object in a body.

    The parser limits the nesting (`RecursionError` after some hundred levels), and Python limits the length of numbers.

    Args:
        body: the body as received.
        form: whether the object is the field `payload` of a form.

    Raises:
        MalformedError: the body holds no JSON object.
    """
    given = _field_of_form(body) if form else body
    try:
        payload = json.loads(given.decode("utf-8"), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise MalformedError(f"the payload is not UTF-8 (byte {error.start})") from error
    except (ValueError, RecursionError) as error:
        # The message of a JSON error says what was expected and where. It holds nothing of the text.
        what = error.args[0] if isinstance(error, json.JSONDecodeError) else "nested too deeply, or a number too long"
        raise MalformedError(f"the payload is not valid JSON: {what}") from error
    if not isinstance(payload, dict):
        raise MalformedError("the payload is not a JSON object")
    return payload


def _field_of_form(body: bytes) -> bytes:
    fields = body.split(b"&", _MOST_FIELDS)
    if len(fields) > _MOST_FIELDS:
        raise MalformedError("the body is not a form with a field `payload`: it has too many fields")
    found = [field.removeprefix(_FIELD) for field in fields if field.startswith(_FIELD)]
    if len(found) != 1:
        raise MalformedError("the form has no field `payload`, or several")
    return b"".join(_unquoted(found[0]))


def _unquoted(text: bytes) -> Iterator[bytes]:
    """Unquotes the text in pieces, because the library makes a list of everything between the escapes."""
    start = 0
    while start < len(text):
        end = start + _STEP
        while text[end - 2 : end].rfind(b"%") >= 0:  # do not cut an escape
            end -= 1
        yield unquote_to_bytes(text[start:end].replace(b"+", b" "))
        start = end


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)
