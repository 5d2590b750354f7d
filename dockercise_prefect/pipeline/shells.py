"""What runs a stage's script."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Sequence

_SHELLS = frozenset({"sh", "ash", "bash", "busybox", "dash", "ksh", "mksh", "zsh"})


def is_posix_shell(command: Sequence[str]) -> bool:
    """Whether a command runs scripts that are written in the language of `/bin/sh`, and takes its options `-e` and `-c`.

    Args:
        command: the `shell` of a stage; empty for `/bin/sh`.
    """
    return not command or posixpath.basename(command[0]) in _SHELLS


def words_of(run: str) -> tuple[str, ...]:
    """The arguments that a `run` gives to an entrypoint: its words, as a shell splits and unquotes them. Nothing is expanded.

    Args:
        run: the text. A `#` is part of a word, not the begin of a comment.

    Raises:
        ValueError: a quote is not closed, or nothing follows a backslash.
    """
    return tuple(shlex.split(run))
