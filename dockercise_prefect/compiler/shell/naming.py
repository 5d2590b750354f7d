"""The names that a script mentions, as `mentions` finds them."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from dockercise_prefect.compiler.shell.literals import Literal

_IGNORED = re.compile(
    r"^(?=.*?dockercise:)[^\n]*?(?<!\S)#[ \t]*dockercise:[ \t]*ignore\b[^#\n]*\breferences\b[^\n]*$", re.MULTILINE
)


class Ignored:
    """The lines of a script whose references a comment `# dockercise: ignore references` switches off."""

    def __init__(self, script: str = "") -> None:
        lines = list(_IGNORED.finditer(script)) if "dockercise:" in script else []
        self._begins = [line.start() for line in lines]
        self._ends = [line.end() for line in lines]

    def has(self, position: int) -> bool:
        """Whether a character is on such a line."""
        at = bisect_right(self._begins, position) - 1
        return at >= 0 and position <= self._ends[at]


@dataclass(frozen=True, slots=True)
class Use:
    """The first use of a variable.

    Attributes:
        text: the text that uses it: `$A`, `${A`, or its name alone.
        start: where this text begins, in characters from the script's start.
    """

    text: str
    start: int


@dataclass(slots=True)
class Mentions:
    """What one script names.

    Attributes:
        uses: variables whose value the script takes and has not set before, each with its first use.
        doubtful: the same after a `. file`, which may have set them.
        assigned: variables that the script sets itself, at any place.
        lent: variables that it sets only for one command: `A=x command`.
        tested: variables that it knows may be missing: `${A:-none}`, `[ -n "$A" ]`.
        evaluates: whether it runs a text that is known only during the run and may set any variable: `eval "$(command)"`.
        literals: its texts that may contain paths, without comments, in order.
        made: folders that it makes itself (`mkdir`, `git clone`), each with the first place where it does so.
        understood: False if the script does not fit the grammar, or was not read by its grammar.
        searched: whether it was searched as a text, because it is too long or nested too deeply for the grammar.
        ignored: lines whose references are switched off.
    """

    uses: dict[str, Use] = field(default_factory=dict)
    doubtful: dict[str, Use] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    lent: set[str] = field(default_factory=set)
    tested: set[str] = field(default_factory=set)
    evaluates: bool = False
    literals: list[Literal] = field(default_factory=list)
    made: dict[str, int] = field(default_factory=dict)
    understood: bool = True
    searched: bool = False
    ignored: Ignored = field(default_factory=Ignored)

    def is_ignored(self, position: int) -> bool:
        """Whether a comment switches off the references at that character."""
        return self.ignored.has(position)
