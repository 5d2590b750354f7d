"""The ways in which programs write a text: in addresses, in JSON, in HTML, for a shell, as Python shows it.

All of them work character by character. So a form of a piece of a text is a piece of a form of the whole text.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

_PLAIN = re.compile(rb"[A-Za-z0-9_.-]*")
"""Texts that all programs write as they are."""

_UNRESERVED = {"RFC 3986": "", "a path": "/", "JavaScript": "!'()*"}
"""Characters that the usual functions do not change in an address, besides letters, digits and `-._~`."""

_SHELL_SPECIAL = re.compile(rb"[ !\"$&'()*,;<>?\[\\\]^`{|}]|(?<=[=:])~")
_SHELL_SPECIAL_AT_FIRST = re.compile(rb"\A[#~]")
"""Characters that get a backslash from bash's `printf %q`, in a text without control characters."""

_ANSI_C = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 27: "\\E", 39: "\\'", 92: "\\\\"}
"""How bash writes bytes between `$'` and `'`. It writes other control characters as three octal digits."""

_ANSI_C_SPECIAL = re.compile(rb"[\x00-\x1f\x7f'\\]")
_ANSI_C_SPECIAL_IN_ASCII = re.compile(rb"[\x00-\x1f\x7f-\xff'\\]")


def escaped(text: bytes) -> set[bytes]:
    """All forms of the text, including the text itself."""
    if _PLAIN.fullmatch(text):
        return {text}
    return {text, *_with_carriage_returns(text), *_in_addresses(text), *_in_shells(text), *_as_characters(text)}


def _with_carriage_returns(text: bytes) -> Iterator[bytes]:
    if b"\n" in text:
        yield re.sub(rb"\r?\n", b"\r\n", text)


def _in_addresses(text: bytes) -> Iterator[bytes]:
    """Escaped once and twice, with hexadecimal digits in upper case and in lower case."""
    for kept in _UNRESERVED.values():
        for once in _both_cases(quote(text, safe=kept)):
            yield once
            yield from _both_cases(quote(once, safe=kept))
    for once in _both_cases(quote_plus(text)):
        yield once
        yield from _both_cases(quote_plus(once))


def _both_cases(quoted: str) -> Iterator[bytes]:
    yield quoted.encode()
    yield re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), quoted).encode()


def _in_shells(text: bytes) -> Iterator[bytes]:
    if b"'" in text:
        yield text.replace(b"'", b"'\\''")  # between single quotes
        yield text.replace(b"'", b"'\"'\"'")
        yield text.replace(b"'", b"''")  # in YAML and SQL
    inside = _SHELL_SPECIAL.sub(rb"\\\g<0>", text)
    yield inside
    yield _SHELL_SPECIAL_AT_FIRST.sub(rb"\\\g<0>", inside)
    for special in (_ANSI_C_SPECIAL, _ANSI_C_SPECIAL_IN_ASCII):
        yield special.sub(lambda match: _ANSI_C.get(match[0][0], f"\\{match[0][0]:03o}").encode(), text)


def _as_characters(text: bytes) -> Iterator[bytes]:
    yield from _as_python_shows(repr(b'"' + text)[3:-1])
    try:
        characters = text.decode()
    except UnicodeDecodeError:
        return
    yield from _as_python_shows(repr('"' + characters)[2:-1])
    yield from _as_python_shows(ascii('"' + characters)[2:-1])
    yield from _in_json(characters)
    yield from _in_html(characters)


def _as_python_shows(shown: str) -> Iterator[bytes]:
    """`shown` was between single quotes. Python uses double quotes if a text has single quotes but no double quotes."""
    yield shown.encode()
    yield shown.replace("\\'", "'").encode()


def _in_json(characters: str) -> Iterator[bytes]:
    """Escaped once, and as JSON in JSON."""
    for ascii_only in (True, False):
        usual = json.dumps(characters, ensure_ascii=ascii_only)[1:-1]
        of_go = re.sub("[&<>]", lambda match: f"\\u{ord(match[0]):04x}", usual)
        for once in (usual, usual.replace("/", "\\/"), of_go):
            yield once.encode()
            twice = json.dumps(once, ensure_ascii=ascii_only)[1:-1]
            yield twice.encode()
            yield twice.replace("/", "\\/").encode()


def _in_html(characters: str) -> Iterator[bytes]:
    quoted = html.escape(characters)
    yield quoted.encode()
    yield quoted.replace("&quot;", "&#34;").replace("&#x27;", "&#39;").encode()
    yield html.escape(characters, quote=False).encode()
