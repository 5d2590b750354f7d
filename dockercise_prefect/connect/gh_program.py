"""The token of `gh`, GitHub's own command."""

from __future__ import annotations

import os
import subprocess

PROGRAM = "gh"

_SECONDS = 60
_OURS = "GITHUB_TOKEN"


def token_of_gh(host: str) -> str | None:
    """The token that `gh` has for a GitHub; None if `gh` does not exist, does not answer, or is not logged in there.

    `gh` would repeat GITHUB_TOKEN, and nobody could see where the token came from. So it does not get that variable.

    Args:
        host: the GitHub: `github.com`.
    """
    environment = {name: text for name, text in os.environ.items() if name != _OURS}
    command = [PROGRAM, "auth", "token", "--hostname", host]
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    token = done.stdout.decode("ascii", "replace").strip()
    return token if done.returncode == 0 and token else None
