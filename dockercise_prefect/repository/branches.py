"""Globs for names of branches and tags; globs with `!` exclude."""

from __future__ import annotations

from collections.abc import Sequence

from dockercise_prefect.errors import UsageError


def exactly(branch: str) -> str:
    """The glob that matches only this branch."""
    escaped = "".join(f"[{character}]" if character in "*?[" else character for character in branch)
    return f"\\{escaped}" if escaped.startswith("!") else escaped


def check_globs(globs: Sequence[str], option: str, kind: str) -> None:
    """Refuse globs that can match nothing.

    Args:
        globs: as for `pipeline.name_globs.takes_name`.
        option: the option that they are of, for messages.
        kind: what they are for, `branch` or `tag`.

    Raises:
        UsageError: the first glob excludes, although nothing is included yet, or a glob is empty.
    """
    if "" in globs or "!" in globs:
        raise UsageError(f"{option}: a glob is empty", f"write the name of a {kind}, or a glob such as `{_EXAMPLES[kind]}`")
    if globs and globs[0].startswith("!"):
        raise UsageError(
            f"{option}: `{globs[0]}` excludes, but no glob before it includes anything",
            f"include first: {option} '*' {option} '{globs[0]}'",
        )


_EXAMPLES = {"branch": "release/*", "tag": "v*"}
