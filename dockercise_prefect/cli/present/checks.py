"""The lines of an examination, as values."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from dockercise_prefect.cli.present.lines import Marks, padded
from dockercise_prefect.orchestration.doctor.check import Check, CheckStatus, Examination
from dockercise_prefect.quantities import shown_bytes, shown_seconds
from dockercise_prefect.results.reading.terminal_text import plain_line
from dockercise_prefect.status import StageStatus

_STYLES = {
    CheckStatus.OK: "green",
    CheckStatus.UNKNOWN: "dim",
    CheckStatus.WARNING: "yellow",
    CheckStatus.PROBLEM: "red",
}
_NOTHING = "none"
_SIZES = {"keep_build_cache", "keep_size", "cache_size", "untrusted_memory", "untrusted_output", "untrusted_volume"}
_DURATIONS = {"untrusted_timeout"}


def examination_lines(examination: Examination, marks: Marks) -> Iterator[Text]:
    """What was found, the settings and the variables that matter, and how many problems there are.

    Args:
        examination: what was found.
        marks: the characters for the terminal.
    """
    width = max(len(check.name) for check in examination.checks)
    for check in examination.checks:
        yield from _check_lines(check, width, marks)
    if examination.settings:
        yield Text()
        yield Text("settings", "bold")
        rows = [(name, _shown(name, one.value), one.origin) for name, one in examination.settings.items()]
        yield from _table(rows)
    if examination.environment:
        yield Text()
        yield Text("environment", "bold")
        yield from _table([(name, value, "") for name, value in examination.environment.items()])
    yield Text()
    yield _last_line(examination)


def _check_lines(check: Check, width: int, marks: Marks) -> Iterator[Text]:
    first, *more = check.found.split("\n") or [""]
    yield Text.assemble(
        "  ", (_mark(check.status, marks), _STYLES[check.status]), " ", padded(check.name, width + 2), plain_line(first)
    )
    indent = " " * (width + 6)
    yield from (Text(indent + plain_line(line)) for line in more)
    if check.hint:
        yield Text.assemble(indent, ("hint: ", "bold"), plain_line(check.hint))


def _table(rows: list[tuple[str, str, str]]) -> Iterator[Text]:
    names, values = (max(len(row[column]) for row in rows) for column in (0, 1))
    for name, value, origin in rows:
        line = Text(f"  {padded(name, names + 2)}{padded(plain_line(value), values + 2)}")
        line.append(plain_line(origin), "dim" if origin == "default" else "")
        line.rstrip()
        yield line


def _last_line(examination: Examination) -> Text:
    counts = [
        (sum(check.status is status for check in examination.checks), word)
        for status, word in (
            (CheckStatus.PROBLEM, "problem"),
            (CheckStatus.WARNING, "warning"),
            (CheckStatus.UNKNOWN, "unknown"),
        )
    ]
    parts = [_counted(number, word) for number, word in counts if number]
    status = examination.status
    return Text(", ".join(parts) or "everything is in order", f"bold {_STYLES[status]}")


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 or word == "unknown" else f"{number} {word}s"


def _mark(status: CheckStatus, marks: Marks) -> str:
    match status:
        case CheckStatus.OK:
            return marks.stages[StageStatus.PASSED]
        case CheckStatus.PROBLEM:
            return marks.stages[StageStatus.FAILED]
        case CheckStatus.WARNING:
            return "!"
        case CheckStatus.UNKNOWN:
            return "?"


def _shown(name: str, value: object) -> str:
    """The value as it is written in the settings."""
    if isinstance(value, int) and name in _SIZES:
        return shown_bytes(value)
    if isinstance(value, int | float) and name in _DURATIONS:
        return shown_seconds(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or value == []:
        return _NOTHING
    return ", ".join(map(str, value)) if isinstance(value, list) else f"{value}"
