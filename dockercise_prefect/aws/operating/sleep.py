"""`aws wake` and `aws sleep`: wakes the host, and lets it sleep."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from dockercise_prefect.aws.operating.deployed import needed_stack
from dockercise_prefect.aws.operating.instance import HostState
from dockercise_prefect.aws.operating.status import messages
from dockercise_prefect.aws.operating.up import Stacks
from dockercise_prefect.aws.report import Report
from dockercise_prefect.errors import UsageError

DOOR_MINUTES = 5
"""Every so many minutes, the door looks whether the host has to wake."""


class Woken(StrEnum):
    """What `wake` has found and done."""

    AWAKE = "awake"
    STARTING = "starting"
    LATER = "later"


class BusyError(UsageError):
    """The host has work, so it is not put to sleep."""


def wake(stacks: Stacks, seconds: float) -> Woken:
    """Start the host if it sleeps, and keep it awake for a time.

    Raises:
        NoStackError: the stack does not exist.
        StorageError: AWS does not answer, or refuses.
    """
    stack = needed_stack(stacks.account.client("cloudformation"), stacks.names.stack)
    parameters, instance = stacks.parameters(), stacks.instance(stack)
    until = int(stacks.clock.now() + seconds)
    parameters.save_awake_until(max(parameters.awake_until(), until))
    if instance.look().is_awake:
        return Woken.AWAKE
    return Woken.STARTING if instance.start() else Woken.LATER


def sleep(stacks: Stacks) -> bool:
    """Stop the host, unless it has work. Returns whether it was awake.

    Raises:
        BusyError: it has work; the message says which.
        NoStackError: the stack does not exist.
        StorageError: AWS does not answer, or refuses.
    """
    stack = needed_stack(stacks.account.client("cloudformation"), stacks.names.stack)
    if stacks.instance(stack).look().is_awake:
        waiting = messages(stacks.account.client("sqs"), stack.output("QueueUrl"))
        reasons = [*work(stacks.parameters().report(), waiting)]
        if reasons:
            raise BusyError(f"the host has work: {', '.join(reasons)}", "wait, or add --force: runs are ended, pushes are kept")
    return force_sleep(stacks)


def force_sleep(stacks: Stacks) -> bool:
    """Stop the host, whatever it does. Returns whether it was awake. Pushes that wait wake it again."""
    stack = needed_stack(stacks.account.client("cloudformation"), stacks.names.stack)
    instance = stacks.instance(stack)
    stacks.parameters().save_awake_until(0)
    if instance.look().state in {HostState.STOPPED, HostState.STOPPING}:
        return False
    instance.stop()
    return True


def work(report: Report | None, waiting: int) -> Iterator[str]:
    """The work that a host has, in words.

    Args:
        report: what the host has said last.
        waiting: how many pushes are in the queue.
    """
    for run in report.runs if report else ():
        yield f"{run.deployment} is {run.state.lower()} (flow run {run.id})"
    for count, what in ((waiting, "in the queue"), (report.inbox if report else 0, "in its inbox")):
        if count:
            yield f"{count} {'push' if count == 1 else 'pushes'} {what}"
    if report and report.unsent:
        yield f"{report.unsent} {'record' if report.unsent == 1 else 'records'} not yet in the bucket"
