"""What `.dockerignore` excludes from a build, by Docker's own rules. All functions are pure."""

from __future__ import annotations

import functools
import re
from pathlib import PurePosixPath

_BOM = b"\xef\xbb\xbf"


_CLASS = re.compile(r"\\.|\[[!^]", re.DOTALL)


class DockerIgnore:
    """The patterns of one `.dockerignore` (Docker's documentation, "Build context").

    Args:
        text: of the file; None if there is no such file.
    """

    def __init__(self, text: bytes | None) -> None:
        from docker.utils.build import PatternMatcher  # noqa: PLC0415  imports all of the SDK; only builds need it

        lines = (text or b"").removeprefix(_BOM).decode("utf-8", "surrogateescape").splitlines()
        patterns = [line.strip() for line in lines if not line.startswith("#")]
        # Spaces may stand between `!` and its pattern, and a pattern that is nothing but `!` means nothing.
        patterns = [f"!{line[1:].strip()}" if line.startswith("!") else line for line in patterns]
        self._matcher = PatternMatcher([_for_the_sdk(pattern) for pattern in patterns if pattern not in {"", "!"}])
        # The SDK adds a pattern for `.dockerignore` itself. That file is sent anyway: the engine removes it after reading it.
        del self._matcher.patterns[-1]
        self._exceptions = [f"{pattern.cleaned_pattern}/" for pattern in self._matcher.patterns if pattern.exclusion]
        self._closed = functools.lru_cache(maxsize=4096)(self._is_closed)

    def excludes(self, path: str) -> bool:
        """Whether what is at a path is excluded. The path is relative to the folder that is built.

        As in Docker, everything in an excluded folder is excluded, unless an exception (`!…`) begins with the folder's path.
        """
        if not self._matcher.patterns:
            return False
        parent = str(PurePosixPath(path).parent)
        return self._closed(parent) or self._matches(path)

    def _is_closed(self, folder: str) -> bool:
        if folder == ".":
            return False
        if self._closed(str(PurePosixPath(folder).parent)):
            return True
        return self._matches(folder) and not any(exception.startswith(f"{folder}/") for exception in self._exceptions)

    def _matches(self, path: str) -> bool:
        return bool(self._matcher.matches(path))  # type: ignore[arg-type]  # it takes text


def _for_the_sdk(pattern: str) -> str:
    """The pattern in the SDK's syntax. `!` negates a character class there, as in a shell; in Docker `^` does, as in Go."""
    return _CLASS.sub(lambda match: {"[^": "[!", "[!": "[\\!"}.get(match[0], match[0]), pattern)
