"""The syntax of image names."""

from __future__ import annotations

import re

_DOMAIN_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PATH_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"

NAME_SOURCE = rf"(?:{_DOMAIN}/)?{_PATH_PART}(?:/{_PATH_PART})*"
TAG_SOURCE = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
DIGEST_SOURCE = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"

IMAGE_SOURCE = rf"{NAME_SOURCE}(?::{TAG_SOURCE})?(?:@{DIGEST_SOURCE})?"
"""The grammar of image references, from Docker's documentation of `reference`. It means the same in Python and ECMA-262."""

IMAGE = re.compile(rf"(?:{IMAGE_SOURCE})\Z")


def image_name_problem(name: str) -> tuple[str, str] | None:
    """Why a text is not the name of an image, and a hint; None if it is."""
    if IMAGE.match(name):
        return None
    lower = name.lower()
    hint = f"did you mean `{lower}`?" if IMAGE.match(lower) else "write `name`, `name:tag` or `registry/name:tag`"
    return f"`{name}` is not a valid image reference", hint
