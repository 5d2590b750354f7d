"""Globs for the names of branches and tags; globs with `!` exclude."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase


def takes_name(globs: Sequence[str], name: str) -> bool:
    r"""Whether globs include a name. The last glob that matches decides, as with `triggers`.

    Args:
        globs: globs of fnmatch, where case counts. One that begins with `!` excludes; `\!` is for a name that begins with `!`.
        name: of a branch or a tag.
    """
    for glob in reversed(globs):
        takes_away = glob.startswith("!")
        if fnmatchcase(name, glob[1:] if takes_away or glob.startswith("\\!") else glob):
            return not takes_away
    return False
