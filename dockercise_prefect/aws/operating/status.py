"""`aws status`: everything about a stack at one moment."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dockercise_prefect.aws.account import calling
from dockercise_prefect.aws.cost import ALARMS, Cost, prices
from dockercise_prefect.aws.names import AWAKE_METRIC, METRICS
from dockercise_prefect.aws.operating.deployed import Deployed, needed_stack
from dockercise_prefect.aws.operating.instance import Instance
from dockercise_prefect.aws.operating.up import Stacks
from dockercise_prefect.aws.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class StackStatus:
    """A stack at one moment. Moments are in seconds since 1970.

    Attributes:
        waiting: how many pushes wait in the queue, those that the host is working on included.
        lost: how many pushes could not be carried out.
        wake_at: when the host has to wake for a schedule; None for never.
        awake_until: until when somebody wants it to be awake; 0 if nobody does.
        awake_hours: for how many hours it was awake in this month.
        spent: what the stack has cost in this month, in US dollars; None if the prices are not known.
    """

    stack: Deployed
    instance: Instance
    report: Report | None
    waiting: int
    lost: int
    wake_at: int | None
    awake_until: int
    awake_hours: float
    cost: Cost | None
    spent: float | None

    def to_json(self) -> dict[str, Any]:
        """The status as JSON values."""
        since = self.instance.since
        return {
            "stack": self.stack.name,
            "status": self.stack.status,
            "webhook": self.stack.output("WebhookUrl"),
            "bucket": self.stack.output("ResultsBucket"),
            "host": {
                "id": self.instance.id,
                "type": self.instance.kind,
                "state": self.instance.state.value,
                "since": since.isoformat() if since else None,
            },
            "report": asdict(self.report) if self.report else None,
            "waiting": self.waiting,
            "lost": self.lost,
            "wake_at": self.wake_at,
            "awake_until": self.awake_until or None,
            "awake_hours": round(self.awake_hours, 2),
            "asleep_dollars_a_month": round(self.cost.asleep_month, 2) if self.cost else None,
            "awake_dollars_an_hour": round(self.cost.awake_hour, 4) if self.cost and self.cost.awake_hour else None,
            "dollars_this_month": None if self.spent is None else round(self.spent, 2),
        }


def status(stacks: Stacks) -> StackStatus:
    """Look at a stack.

    Raises:
        NoStackError: the stack does not exist.
        StorageError: AWS does not answer, or refuses.
    """
    stack = needed_stack(stacks.account.client("cloudformation"), stacks.names.stack)
    sqs, parameters = stacks.account.client("sqs"), stacks.parameters()
    instance = stacks.instance(stack).look()
    now = datetime.fromtimestamp(stacks.clock.now(), tz=UTC)
    hours = awake_hours(stacks.account.client("cloudwatch"), stacks.names.stack, now)
    cost = cost_of(stack.parameters, stacks.account.region, instance.kind)
    return StackStatus(
        stack=stack,
        instance=instance,
        report=parameters.report(),
        waiting=messages(sqs, stack.output("QueueUrl")),
        lost=messages(sqs, stack.output("LostUrl")),
        wake_at=parameters.wake_at(),
        awake_until=parameters.awake_until(),
        awake_hours=hours,
        cost=cost,
        spent=cost.so_far(part_of_month(now, stack.created), hours) if cost else None,
    )


def messages(client: Any, queue: str) -> int:
    """About how many messages are in a queue, those that somebody is working on included; 0 if the queue does not exist.

    Args:
        client: boto3's client for SQS.
        queue: its URL; empty if the stack has none.
    """
    if not queue:
        return 0
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    with calling(f"cannot look into the queue {queue}", "sqs:GetQueueAttributes"):
        found = client.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def awake_hours(client: Any, stack: str, now: datetime) -> float:
    """For how many hours the host was awake in this month (UTC), by the minutes that it has counted itself.

    Args:
        client: boto3's client for CloudWatch.
    """
    begin = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    with calling("cannot read the hours of the host", "cloudwatch:GetMetricStatistics"):
        answer = client.get_metric_statistics(
            Namespace=METRICS,
            MetricName=AWAKE_METRIC,
            Dimensions=[{"Name": "Stack", "Value": stack}],
            StartTime=begin,
            EndTime=now,
            Period=24 * 3600,
            Statistics=["Sum"],
        )
    return float(sum(one["Sum"] for one in answer["Datapoints"])) / 60


def part_of_month(now: datetime, since: datetime) -> float:
    """For how much of the month of `now` there was something that was made at `since`: from 0 to 1."""
    begin = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    days = calendar.monthrange(now.year, now.month)[1]
    return max((now - max(begin, since)) / timedelta(days=days), 0)


def cost_of(parameters: Mapping[str, str], region: str, instance_type: str) -> Cost | None:
    """What a stack with these parameters costs; None if the prices of the region are not known."""
    found = prices(region)
    disks = sum(int(parameters.get(name) or 0) for name in ("RootGiB", "DiskGiB"))
    return found.cost(instance_type, disks, ALARMS if parameters.get("Email") else 0) if found else None
