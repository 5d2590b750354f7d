"""Git's patterns, as in `.gitignore`. The time to match grows only with their length, because strangers may write them.

pathspec matches with RE2 if it is installed. RE2 accepts only Unicode, but the names of files may be any bytes.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import re2  # type: ignore[import-untyped]  # has no types
from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError

MAX_LENGTH = 1_000
"""The maximum number of characters in a pattern."""

MAX_PATTERNS = 1_000
"""The maximum number of patterns that are used together."""

MAX_TOTAL = 16_000
"""The maximum number of characters in all patterns together: about as much as RE2 can hold in its memory limit."""

_NAMED_CLASS = re.compile(r"\[[^\]]*\[[:.=]")
"""`[[:digit:]]` and similar classes. pathspec passes them on although it does not support them."""

_UNDECODABLE = {0xDC00 + byte: 0xF700 + byte for byte in range(0x80, 0x100)}
"""Maps bytes that are not UTF-8, as `os.fsdecode` returns them, to private characters that are not in use."""


@dataclass(frozen=True)
class Found:
    """The result of the last pattern that matches a path.

    Attributes:
        included: True if the pattern includes the path, False if it excludes it with `!`; None if no pattern matches.
        index: the index of the pattern; None if no pattern matches.
    """

    included: bool | None
    index: int | None


class Globs:
    """Patterns. A later pattern takes precedence over an earlier one.

    Args:
        lines: the patterns, as in `.gitignore`.

    Raises:
        ValueError: a pattern is not valid in git, or there are too many to match.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        patterns = list(lines)
        _check_bounds(patterns)
        try:
            with warnings.catch_warnings(action="ignore", category=FutureWarning):  # from `re`, for `[a&&b]`: RE2 matches
                self._spec = GitIgnoreSpec.from_lines(line.translate(_UNDECODABLE) for line in patterns)
        except GitIgnorePatternError as error:
            raise ValueError(str(error)) from error
        except re.error as error:
            raise ValueError(error.msg) from error
        except re2.error as error:
            raise ValueError("the patterns are too complex") from error

    def find(self, path: str) -> Found:
        """Return what the patterns say about a path. The path uses `/`; the path of a folder ends with `/`."""
        result = self._spec.check_file(path.translate(_UNDECODABLE))
        return Found(result.include, result.index)

    def takes(self, path: str) -> bool:
        """Return whether the patterns include a path."""
        return bool(self.find(path).included)


def _check_bounds(lines: Iterable[str]) -> None:
    patterns = [line for line in lines if line.strip() and not line.startswith("#")]
    longest = max(map(len, patterns), default=0)
    total = sum(map(len, patterns))
    if longest > MAX_LENGTH:
        raise ValueError(f"a pattern can have at most {MAX_LENGTH:,} characters, but one has {longest:,}")
    if len(patterns) > MAX_PATTERNS:
        raise ValueError(f"there can be at most {MAX_PATTERNS:,} patterns, but there are {len(patterns):,}")
    if total > MAX_TOTAL:
        raise ValueError(f"the patterns can have at most {MAX_TOTAL:,} characters together, but these have {total:,}")
    if any(_NAMED_CLASS.search(pattern) for pattern in patterns):
        raise ValueError("named classes such as `[[:digit:]]` are not supported; write `[0-9]`")
