"""Git's patterns, as in `.gitignore`, matched in a time that grows with their length alone: strangers write them.

pathspec matches with RE2, where that is installed, and RE2 takes Unicode only, while names of files may be any bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError

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
        ValueError: git does not understand one.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        try:
            self._spec = GitIgnoreSpec.from_lines(line.translate(_UNDECODABLE) for line in lines)
        except GitIgnorePatternError as error:
            raise ValueError(str(error)) from error

    def find(self, path: str) -> Found:
        """What they say of a path, with `/`; a folder's ends in one."""
        result = self._spec.check_file(path.translate(_UNDECODABLE))
        return Found(result.include, result.index)

    def takes(self, path: str) -> bool:
        """Whether they take a path."""
        return bool(self.find(path).included)
