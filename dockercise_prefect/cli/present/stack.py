"""How the commands of `dockercise aws` show a stack."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from dockercise_prefect.aws.operating.changing import STACK, ResourceEvent
from dockercise_prefect.aws.operating.sleep import work
from dockercise_prefect.aws.operating.status import StackStatus
from dockercise_prefect.cli.present.printing import marks
from dockercise_prefect.quantities import shown_seconds
from dockercise_prefect.results.reading.terminal_text import plain_line
from dockercise_prefect.status import StageStatus

if TYPE_CHECKING:
    from dockercise_prefect.aws.cost import Cost

_DONE = {"CREATE": "made", "UPDATE": "changed", "DELETE": "removed"}

_LABEL = 10
"""The width of the names of lines."""


def show_event(event: ResourceEvent) -> None:
    """Print a line for a resource that is done, or has failed."""
    known = marks().stages
    if event.status.endswith("_FAILED"):
        click.echo(f"  {known[StageStatus.FAILED]} {event.resource} ({event.kind}): {event.reason or event.status}")
    elif event.status.endswith("_COMPLETE") and event.kind != STACK:
        done = _DONE.get(event.status.partition("_")[0], event.status.lower())
        click.echo(f"  {known[StageStatus.PASSED]} {event.resource} ({event.kind}) {done}")


def cost_lines(cost: Cost | None, instance_type: str, region: str) -> Iterator[str]:
    """What a stack costs, in lines."""
    from dockercise_prefect.aws.cost import prices

    known = prices(region)
    if cost is None or known is None:
        yield f"cost: the prices of {region} are not in dockercise's table; see https://aws.amazon.com/ec2/pricing/on-demand"
        return
    awake = (
        f"${cost.awake_hour:.3f} for each hour awake" if cost.awake_hour else f"and the price of {instance_type} while awake"
    )
    yield f"cost: about ${cost.asleep_month:.2f} a month asleep, {awake} (prices of {known.date}, without taxes and traffic)"


def status_lines(found: StackStatus) -> Iterator[str]:
    """A stack at one moment, in lines."""
    instance, report = found.instance, found.report
    yield from _named("stack", f"{found.stack.name} · {found.stack.status}")
    since = f" since {_moment(instance.since.timestamp())}" if instance.since else ""
    yield from _named("host", f"{instance.state}{since} · {instance.kind} · {instance.id}")
    if report is None:
        yield from _named("says", "nothing yet: its first boot has not ended")
    else:
        yield from _named("says", f"{report.phase} at {_moment(report.at)}{f': {report.error}' if report.error else ''}")
    reasons = [*work(report, found.waiting), *(report.waits_for if report and instance.is_awake else ())]
    yield from _named("work", *(reasons or ["none"]))
    if found.lost:
        yield from _named("lost", f"{found.lost} {'push' if found.lost == 1 else 'pushes'} could not be carried out")
    if report and report.last_push:
        push = report.last_push
        which = " ".join(word for word in (push.repository, push.commit and push.commit[:12]) if word)
        yield from _named("last push", f"{_moment(push.at)} {which}: {push.result}")
    wakes = _moment(found.wake_at) if found.wake_at else "by a push"
    yield from _named("wakes", wakes)
    if found.awake_until > datetime.now(tz=UTC).timestamp():
        yield from _named("awake", f"until {_moment(found.awake_until)}, because somebody asked for it")
    for name, state in sorted(report.repositories.items() if report else ()):
        yield from _named("repository", f"{name}: {state.message or state.deployment or state.state}")
    spent = "" if found.spent is None else f", about ${found.spent:.2f}"
    yield from _named("this month", f"{shown_seconds(round(found.awake_hours * 60) * 60)} awake{spent}")
    yield from _named("webhook", found.stack.output("WebhookUrl"))


def _named(name: str, *values: str) -> Iterator[str]:
    """A line for each value. What the host says comes from repositories, too, so it cannot control the terminal."""
    for number, value in enumerate(values):
        yield f"{'' if number else name:<{_LABEL}}  {plain_line(' '.join(value.splitlines()))}"


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, OSError, ValueError):  # somebody has written it by hand
        return f"second {seconds:.0f} after 1970"
