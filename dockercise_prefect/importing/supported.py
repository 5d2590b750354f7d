"""Which keys the language has. A key that is not there yet becomes a comment."""

from __future__ import annotations

from dockercise_prefect.compiler.keys import META, STAGE


def has_key(key: str) -> bool:
    """Whether a stage can have the key."""
    return key in STAGE


def has_setting(key: str) -> bool:
    """Whether `meta` can have the key."""
    return key in META
