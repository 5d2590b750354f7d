"""Digests of texts and outputs that are ingredients: plain ones, and keyed ones for what is sensitive."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from hashlib import sha256

KEY_BYTES = 32
"""The length of a key."""

KEYED = "hmac-sha256:"
"""What a keyed digest begins with, so that it is never taken for a plain one."""


class KeyedDigest:
    """Digests of sensitive bytes. Without the key, nobody can find a short secret by trying.

    Args:
        key: `KEY_BYTES` random bytes, the same for all who share results.
    """

    def __init__(self, key: bytes) -> None:
        self._hash = hmac.new(key, digestmod=sha256)

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._hash.update(chunk)

    def digest(self) -> str:
        """The digest of all bytes so far, `hmac-sha256:…`."""
        return f"{KEYED}{self._hash.hexdigest()}"


def variable_digests(texts: Mapping[str, str], sensitive: Collection[str], key: bytes | None) -> dict[str, str] | None:
    """The digest of each variable of a stage.

    Args:
        texts: the texts, by the names of the variables.
        sensitive: the names of those that are sensitive.
        key: for the sensitive ones; None if Prefect does not store one.

    Returns:
        The digests; None if a sensitive variable needs a key that is missing.
    """
    found: dict[str, str] = {}
    for name, text in texts.items():
        content = text.encode("utf-8", "surrogateescape")
        if name not in sensitive:
            found[name] = f"sha256:{sha256(content).hexdigest()}"
        elif key is None:
            return None
        else:
            keyed = KeyedDigest(key)
            keyed.update(content)
            found[name] = keyed.digest()
    return found
