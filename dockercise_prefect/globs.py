"""Git's patterns, as in `.gitignore`, matched in a time that grows with their length alone: strangers write them.

pathspec matches with RE2, where that is installed, and RE2 takes Unicode only, while names of files may be any bytes.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import re2  # type: ignore[import-untyped]  # it has no types
from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError

MAX_LENGTH = 1_000
"""Characters of a pattern."""

MAX_PATTERNS = 1_000
"""Patterns that are used together."""

MAX_TOTAL = 16_000
"""Characters of all patterns together: about what RE2 can hold in the memory that it takes."""

_NAMED_CLASS = re.compile(r"\[[^\]]*\[[:.=]")
"""`[[:digit:]]` and the like, which pathspec hands on without understanding them."""

_UNDECODABLE = {0xDC00 + byte: 0xF700 + byte for byte in range(0x80, 0x100)}
"""Bytes that are no UTF-8, as `os.fsdecode` gives them, and what stands for them here: characters that nobody uses."""


@dataclass(frozen=True)
class Found:
    """What the last pattern that takes a path says of it.

    Attributes:
        included: whether it takes the path, or, with `!`, takes it away; None where no pattern does.
        index: the pattern's, None likewise.
    """

    included: bool | None
    index: int | None


class Globs:
    """Patterns, the later ones before the earlier.

    Args:
        lines: as in `.gitignore`.

    Raises:
        ValueError: git does not understand one, or they are more than can be matched.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        patterns = list(lines)
        _check_bounds(patterns)
        try:
            with warnings.catch_warnings(action="ignore", category=FutureWarning):  # of `re` for `[a&&b]`: RE2 matches
                self._spec = GitIgnoreSpec.from_lines(line.translate(_UNDECODABLE) for line in patterns)
        except GitIgnorePatternError as error:
            raise ValueError(str(error)) from error
        except re.error as error:
            raise ValueError(error.msg) from error
        except re2.error as error:
            raise ValueError("the patterns are too complex") from error

    def find(self, path: str) -> Found:
        """What they say of a path, with `/`; a folder's ends in one."""
        result = self._spec.check_file(path.translate(_UNDECODABLE))
        return Found(result.include, result.index)

    def takes(self, path: str) -> bool:
        """Whether they take a path."""
        return bool(self.find(path).included)


def _check_bounds(lines: Iterable[str]) -> None:
    patterns = [line for line in lines if line.strip() and not line.startswith("#")]
    longest = max(map(len, patterns), default=0)
    total = sum(map(len, patterns))
    if longest > MAX_LENGTH:
        raise ValueError(f"a pattern has at most {MAX_LENGTH:,} characters, and one has {longest:,}")
    if len(patterns) > MAX_PATTERNS:
        raise ValueError(f"there are at most {MAX_PATTERNS:,} patterns, and these are {len(patterns):,}")
    if total > MAX_TOTAL:
        raise ValueError(f"the patterns have at most {MAX_TOTAL:,} characters together, and these have {total:,}")
    if any(_NAMED_CLASS.search(pattern) for pattern in patterns):
        raise ValueError("named classes such as `[[:digit:]]` are not supported; write `[0-9]`")
