"""The queue with the pushes that the door has accepted, and the queue for those that cannot be carried out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dockercise_prefect.results.places.aws import aws_errors

TAKEN_SECONDS = 120
"""For how long a message belongs to whoever has taken it. Then it can be taken again."""

_LONGEST_REASON = 250
_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was taken from the queue.

    Attributes:
        id: the id that the queue gave it.
        text: its text.
        group: messages of one group are given out in order.
        receipt: proves that it was taken.
        tries: how often it was taken, this time included.
    """

    id: str
    text: str = field(repr=False)
    group: str
    receipt: str = field(repr=False)
    tries: int


class PushQueue:
    """The two queues of a stack. Every method raises `StorageError` if SQS does not answer.

    Args:
        client: boto3's client for SQS.
        queue: the URL of the queue with the pushes.
        lost: the URL of the queue for dead letters.
    """

    def __init__(self, client: Any, queue: str, lost: str) -> None:
        self._client = client
        self._queue = queue
        self._lost = lost

    def take(self, wait: int) -> Message | None:
        """Take the next message for `TAKEN_SECONDS`; None if none came.

        Args:
            wait: for how many seconds to wait for a message, at most 20.
        """
        with aws_errors("cannot receive from the queue of the pushes"):
            answer = self._client.receive_message(
                QueueUrl=self._queue,
                MaxNumberOfMessages=1,
                WaitTimeSeconds=wait,
                VisibilityTimeout=TAKEN_SECONDS,
                AttributeNames=["ApproximateReceiveCount", "MessageGroupId"],
            )
        for one in answer.get("Messages", []):
            about = one.get("Attributes", {})
            tries = int(about.get("ApproximateReceiveCount", 1))
            return Message(one["MessageId"], one["Body"], about.get("MessageGroupId", "other"), one["ReceiptHandle"], tries)
        return None

    def done(self, message: Message) -> None:
        """Remove a message for good."""
        with aws_errors("cannot delete a message from the queue of the pushes"):
            self._client.delete_message(QueueUrl=self._queue, ReceiptHandle=message.receipt)

    def hold(self, message: Message, seconds: int) -> None:
        """Let nobody take the message again for that many seconds; afterwards, anybody can."""
        with aws_errors("cannot hold a message of the queue of the pushes"):
            self._client.change_message_visibility(
                QueueUrl=self._queue, ReceiptHandle=message.receipt, VisibilityTimeout=seconds
            )

    def lose(self, message: Message, reason: str) -> None:
        """Put a message into the queue for dead letters, with the reason, and remove it here."""
        with aws_errors("cannot write to the queue of the dead letters"):
            self._client.send_message(
                QueueUrl=self._lost,
                MessageBody=message.text,
                MessageGroupId=message.group,
                MessageDeduplicationId=message.id,
                MessageAttributes={"reason": {"DataType": "String", "StringValue": reason[:_LONGEST_REASON]}},
            )
        self.done(message)

    def waiting(self) -> int:
        """How many messages there are, taken or not. The number may be some seconds old."""
        with aws_errors("cannot count the messages in the queue of the pushes"):
            answer = self._client.get_queue_attributes(QueueUrl=self._queue, AttributeNames=list(_COUNTS))
        return sum(int(answer["Attributes"].get(name, 0)) for name in _COUNTS)
