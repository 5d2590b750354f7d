"""What runs a stage's script."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

_SHELLS = frozenset({"sh", "ash", "bash", "busybox", "dash", "ksh", "mksh", "zsh"})


def is_posix_shell(command: Sequence[str]) -> bool:
    """Whether a command runs scripts that are written in the language of `/bin/sh`, and takes its options `-e` and `-c`.

    Args:
        command: the `shell` of a stage; empty for `/bin/sh`.
    """
    return not command or posixpath.basename(command[0]) in _SHELLS
