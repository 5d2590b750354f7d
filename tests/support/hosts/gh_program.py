"""A program `gh` that has a token, in a folder of its own."""

from __future__ import annotations

from pathlib import Path


def make_gh(folder: Path, host: str, token: str) -> Path:
    """Write a `gh` that is logged in to one host. Like the real one, it first looks at GITHUB_TOKEN.

    Returns:
        The folder with the program, for PATH.
    """
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "gh"
    program.write_text(
        f"""#!/bin/sh
[ "$1 $2 $3" = "auth token --hostname" ] || exit 2
[ -z "$GITHUB_TOKEN" ] || {{ echo "$GITHUB_TOKEN"; exit 0; }}
[ "$4" = "{host}" ] && echo "{token}" && exit 0
echo "no oauth token found for $4" >&2
exit 1
"""
    )
    program.chmod(0o755)
    return folder
