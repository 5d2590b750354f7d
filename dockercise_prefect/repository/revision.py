"""Names of commits: branches, tags and ids."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dockercise_prefect.errors import UsageError

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

_NO_NAME = re.compile(
    r"""
    ^[-/.]            # an option, or no name at all
    | [/.]$ | \.lock$
    | [\x00-\x20\x7f~^:?*\[\\]
    | \.\. | @\{ | // | /\.
    """,
    re.VERBOSE,
)
"""What the name of a branch or tag cannot contain (git's documentation of check-ref-format)."""


@dataclass(frozen=True, slots=True)
class Head:
    """A branch or tag by its short name, `main`, and the commit it stood for when the host was asked."""

    name: str
    commit: str
    is_tag: bool = False


def check_ref(ref: str) -> None:
    """Refuse a text that cannot be the name of a branch or tag.

    Raises:
        UsageError: the text is not the name of a branch or tag.
    """
    if not ref or ref == "@" or _NO_NAME.search(ref):
        raise UsageError(f"`{ref}` cannot be the name of a branch or tag", "write a name such as `main` or `v1.2`")


def check_commit(commit: str) -> None:
    """Refuse a text that is not the whole id of a commit. A host does not find a commit by the beginning of its id.

    Raises:
        UsageError: the text is not the whole id of a commit.
    """
    if not _COMMIT.fullmatch(commit):
        raise UsageError(f"`{commit}` is not a commit id", "write all 40 digits, as `git rev-parse` prints them")
