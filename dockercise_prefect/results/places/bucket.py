"""A place in a bucket, in the form that a user writes: `s3://bucket/prefix`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dockercise_prefect.errors import UsageError

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_ADDRESS = re.compile(r"[0-9]+(\.[0-9]+){3}", re.ASCII)

LONGEST_PREFIX = 300
"""Bytes. A key can have 1,024, and the names of the pipeline, the run and the stage come after the prefix."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The name of the bucket, and the prefix without a slash at either end. The prefix may be empty."""

    name: str
    prefix: str

    @property
    def url(self) -> str:
        """`s3://name/prefix`."""
        return f"s3://{self.name}/{self.prefix}" if self.prefix else f"s3://{self.name}"

    def key(self, path: str) -> str:
        """The key of the object at a path of this place."""
        return "/".join(part for part in (self.prefix, path) if part)


def parse_bucket(place: str) -> Bucket:
    """Parse `s3://bucket/prefix`. The prefix is used unchanged; it has no quoting.

    Raises:
        UsageError: the text is not such a place; the message says why (S3's documentation, "Bucket naming rules").
    """
    name, _, prefix = place.strip().removeprefix("s3://").partition("/")
    prefix = prefix.strip("/")
    if "@" in name or ":" in name:  # a secret key may contain a slash, so the apparent name may be part of the credentials
        what = "the place cannot have credentials or a port"
        raise UsageError(f"results cannot go there: {what}", "write s3://bucket/prefix")
    problem = _problem_with_name(name) or _problem_with_prefix(prefix)
    if problem:
        raise UsageError(f"results cannot go to {place}: {problem}", "write s3://bucket/prefix")
    return Bucket(name, prefix)


def _problem_with_name(name: str) -> str | None:
    if not name:
        return "it does not name a bucket"
    if not _NAME.fullmatch(name) or ".." in name or _ADDRESS.fullmatch(name):
        return f"`{name}` cannot be the name of a bucket: names have 3 to 63 lower-case letters, digits, `-` and `.`"
    return None


def _problem_with_prefix(prefix: str) -> str | None:
    if any(part in {"", ".", ".."} for part in prefix.split("/")) and prefix:
        return "its prefix has an empty part, `.` or `..`"
    if any(character in prefix for character in "?#\\") or not prefix.isprintable():
        return "its prefix has a character that is not allowed"
    if len(prefix.encode()) > LONGEST_PREFIX:
        return f"its prefix is longer than {LONGEST_PREFIX} bytes"
    return None
