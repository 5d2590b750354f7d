"""Makes the output of a stage safe for a terminal."""

from __future__ import annotations

import re

_RESET = "\x1b[0m"

_CONTROL = re.compile(
    r"""
      (?P<colour>\x1b\[[0-9;:]*m)                                       # SGR: colours and weights
    | (?:\x1b\[|\x9b)[0-?]*[ -/]*(?:[@-~]|$)                             # CSI: moves the cursor, erases
    | (?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]).*?(?:\x07|\x1b\\|\x9c|$)      # OSC, DCS and others: titles, links, the clipboard
    | \x1b[ -/]*[0-~]?                                                  # any other escape sequence
    | [\x00-\x08\x0a-\x1f\x7f-\x9f]                                     # any other control character but the tab
    """,
    re.VERBOSE,
)


def plain_line(line: str) -> str:
    """The line without control sequences. If the line is a progress bar that returns to the line's start, its last state."""
    return line if line.isprintable() else _CONTROL.sub("", _last_state(line))


def coloured_line(line: str) -> str:
    """The same, but with its colours, which are reset at the end of the line."""
    if line.isprintable():
        return line
    kept = _CONTROL.sub(lambda match: match["colour"] or "", _last_state(line))
    return kept + _RESET if "\x1b" in kept else kept


def _last_state(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]
