"""Makes one script of the commands of a job."""

from __future__ import annotations

import re
from collections.abc import Iterable

_BASH = re.compile(
    r"\[\[|<<<|<\(|>\(|&>|\bsource\s|\bpushd\b|\bpopd\b|^\s*function\s+\w|\bdeclare\s|\w\+?=\(|\$\{\w+(?:\^|,|//?|:\d|\[)|"
    r"\bset\s+-\w*o\s+pipefail|\$'|\blocal\s+-|\bshopt\b|\bmapfile\b|\$RANDOM|==\s",
    re.MULTILINE,
)
"""What a plain `/bin/sh` may not understand."""

_PIPE = re.compile(r"(?<![|>\\])\|(?!\|)")
_WITHOUT_BASH = re.compile(r"alpine|busybox|kaniko|^docker(?::|$)|curlimages|hashicorp/|/kubectl|:debug$")
_LEAKS = re.compile(
    r"(?:^|[;&|({\s])(?:cd|pushd|popd|exit|set|export|exec|trap|unset|shopt|source|alias|umask|ulimit|return)(?=[\s;)]|$)|"
    r"^\s*\.\s|<<-?\s*['\"\\]?\w",
    re.MULTILINE,
)
"""What would change the steps after it if they were in one shell."""

PIPEFAIL = "if (set -o pipefail) 2>/dev/null; then set -o pipefail; fi"
"""For systems in which a pipe fails if one of its commands does. Not every `/bin/sh` has it."""


def needs_bash(script: str) -> bool:
    """Whether the script uses what only bash has."""
    return _BASH.search(script) is not None


def has_pipe(script: str) -> bool:
    """Whether commands are connected by pipes."""
    return _PIPE.search(script) is not None


def may_lack_bash(image: str) -> bool:
    """Whether the image is known to have no bash."""
    return _WITHOUT_BASH.search(image) is not None


def shell_of(image: str, script: str) -> tuple[tuple[str, ...], str]:
    """What runs a script of a system that prefers bash with pipefail, and what the script has to begin with."""
    if needs_bash(script) and not may_lack_bash(image):
        return ("bash", "-eo", "pipefail"), ""
    return (), PIPEFAIL if has_pipe(script) else ""


def joined(parts: Iterable[str]) -> str:
    """Parts of a script below each other, without the empty ones and without empty lines around them."""
    return "\n".join(part for part in (part.strip("\n") for part in parts) if part.strip())


def own_shell(script: str, before: Iterable[str] = ()) -> str:
    """A part of a script that changes nothing about the parts after it.

    Args:
        script: the part.
        before: lines that hold for this part alone: `cd web`.
    """
    lines = list(before)
    if not lines and _LEAKS.search(script) is None:
        return script
    return "(\n" + joined([*lines, script]) + "\n)"
