"""Finds which repositories a body claims to be about, without parsing it.

The secret that proves a delivery depends on its repository, and a body is not parsed before it is proven. So the body is
searched for the names of the fields that hold addresses. A text inside of JSON cannot be mistaken for such a field, because its
quotes are escaped. The addresses found here only decide which secrets are tried.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from dockercise_prefect.webhook.payload.address import canonical_all
from dockercise_prefect.webhook.payload.delivery import Delivery
from dockercise_prefect.webhook.payload.repository import address_fields

MOST_FIELDS = 1000
"""The most fields that are looked at, of those whose names end like the names of address fields.

A push has about a hundred, whatever its size.
"""

_ENDING = b"_url"
_STEP = 1024 * 1024
"""Bytes that are searched in one call. Other threads can run between two calls."""

_PARTS = 2
"""The number of slashes in `host/owner/name`. An address with fewer is a person's page; payloads use the same field names."""

_NAME = 32
_VALUE = 4096
"""Bytes before and after the ending that are looked at."""

_ADDRESS = re.compile(rb'\s{0,9}:\s{0,9}("[^"]{1,1000}")')


def claimed_addresses(delivery: Delivery) -> frozenset[str]:
    """Canonical addresses of the repositories that a delivery seems to be about."""
    fields = address_fields(delivery.kind)
    found = canonical_all(value for name, value in _fields(delivery.body, form=delivery.form) if name in fields)
    return frozenset(address for address in found if address.count("/") >= _PARTS)


def _fields(body: bytes, *, form: bool) -> Iterator[tuple[str, str]]:
    """Names and values of fields whose names end like the names of address fields."""
    quote = b"%22" if form else b'"'
    seen = 0
    for place in _places(body, _ENDING + quote):
        seen += 1
        if seen > MOST_FIELDS:
            return
        end = place + len(_ENDING) + len(quote)
        before, after = body[max(0, place - _NAME) : place], body[end : end + _VALUE]
        value = _ADDRESS.match(unquote_to_bytes(after.replace(b"+", b" ")) if form else after)
        if value is None:
            continue
        try:
            yield (before.rpartition(quote)[2] + _ENDING).decode("ascii"), json.loads(value[1])
        except ValueError:
            continue


def _places(body: bytes, text: bytes) -> Iterator[int]:
    for start in range(0, len(body), _STEP):
        end = start + _STEP + len(text) - 1
        place = body.find(text, start, end)
        while place >= 0:
            yield place
            place = body.find(text, place + 1, end)
