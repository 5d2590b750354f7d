"""The `cache` of a stage: whether, and how long, it is spared while nothing that it is made from has changed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """A stage may be reused.

    Attributes:
        max_age: seconds since it passed, at most; None for any age.
        salt: any text. Another one begins anew.
        also: globs of further files of the code that it depends on, as in `triggers`.
    """

    max_age: float | None = None
    salt: str = ""
    also: tuple[str, ...] = ()
