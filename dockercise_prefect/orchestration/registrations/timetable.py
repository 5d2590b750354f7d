"""The schedules of a deployment, as a user writes them and as Prefect expects them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from pydantic import ValidationError

from dockercise_prefect.errors import UsageError
from dockercise_prefect.quantities import seconds_of, shown_seconds


@dataclass(frozen=True, slots=True)
class Timetable:
    """The schedules that the user requested.

    Attributes:
        crons: cron expressions, as in crontab: `0 3 * * *`.
        intervals: durations: `10m`, `1h30m`.
        rrules: recurrence rules of iCalendar (RFC 5545): `FREQ=DAILY;BYHOUR=3`.
        timezone: the IANA name of the time zone of crons and rules.
    """

    crons: tuple[str, ...] = ()
    intervals: tuple[str, ...] = ()
    rrules: tuple[str, ...] = ()
    timezone: str = "UTC"

    def schedules(self) -> list[CronSchedule | IntervalSchedule | RRuleSchedule]:
        """The schedules as Prefect expects them.

        Raises:
            UsageError: a schedule is not valid.
        """
        return [*self._schedules()]

    def _schedules(self) -> Iterator[CronSchedule | IntervalSchedule | RRuleSchedule]:
        for cron in self.crons:
            yield _checked("--cron", cron, CronSchedule, cron=cron, timezone=self.timezone)
        for interval in self.intervals:
            yield _checked("--interval", interval, IntervalSchedule, interval=_interval(interval), timezone=self.timezone)
        for rrule in self.rrules:
            yield _checked("--rrule", rrule, RRuleSchedule, rrule=rrule, timezone=self.timezone)


def described(schedules: Iterable[object]) -> str:
    """Prefect's schedules in words: ``cron `0 3 * * *` (Europe/Berlin)``."""
    return ", ".join(_described(schedule) for schedule in schedules) or "none"


def _described(schedule: object) -> str:
    match schedule:
        case CronSchedule():
            return f"cron `{schedule.cron}` ({schedule.timezone})"
        case IntervalSchedule():
            return f"every {shown_seconds(schedule.interval.total_seconds())}"
        case RRuleSchedule():
            return f"rrule `{schedule.rrule}` ({schedule.timezone})"
        case _:
            return str(schedule)


def _checked(flag: str, text: str, kind: Any, **values: object) -> Any:
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = "--timezone" if first["loc"] == ("timezone",) else flag
        shown = values["timezone"] if where == "--timezone" else text
        raise UsageError(f"{where}: `{shown}`: {str(first['msg']).removeprefix('Value error, ')}", _HINTS[where]) from error


_HINTS = {
    "--cron": "five fields as in crontab, such as `0 3 * * *`",
    "--interval": "a duration, such as `10m` or `1h30m`",
    "--rrule": "an iCalendar rule, such as `FREQ=DAILY;BYHOUR=3`",
    "--timezone": "an IANA name, such as `Europe/Berlin`",
}


def _interval(text: str) -> timedelta:
    seconds = seconds_of(text)
    if not seconds:
        raise UsageError(f"--interval: `{text}` is not a duration", _HINTS["--interval"])
    return timedelta(seconds=seconds)
