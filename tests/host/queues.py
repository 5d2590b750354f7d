"""The queues of a stack, filled as the door fills them."""

from __future__ import annotations

import base64
import itertools
import json
from dataclasses import dataclass
from typing import Any

from dockercise_prefect.host.queue import PushQueue
from tests.support.aws.moto import Aws
from tests.webhook.payloads import Sent

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Queues:
    """The queue of the pushes and that of the dead letters."""

    client: Any
    queue: str
    lost: str

    @classmethod
    def make(cls, aws: Aws) -> Queues:
        """Make two empty queues."""
        client, number = aws.client("sqs"), next(_numbers)
        fifo = {"FifoQueue": "true"}
        queue, lost = (
            client.create_queue(QueueName=f"dockercise-{number}-{part}.fifo", Attributes=fifo)["QueueUrl"]
            for part in ("pushes", "lost")
        )
        return cls(client, queue, lost)

    def opened(self) -> PushQueue:
        """The queues as the host uses them."""
        return PushQueue(self.client, self.queue, self.lost)

    def put(self, text: str, group: str = "acme") -> None:
        """Put a text into the queue of the pushes."""
        self.client.send_message(
            QueueUrl=self.queue, MessageBody=text, MessageGroupId=group, MessageDeduplicationId=f"request-{next(_numbers)}"
        )

    def push(self, sent: Sent, group: str = "acme", **others: str) -> None:
        """Put a delivery into the queue of the pushes, with its body in the message."""
        body = {} if "object" in others else {"body": base64.b64encode(sent.body).decode()}
        self.put(json.dumps({"headers": dict(sent.headers), **body, **others}), group)

    def dead(self) -> list[tuple[str, str]]:
        """Take the dead letters: the text and the reason of each."""
        answer = self.client.receive_message(QueueUrl=self.lost, MaxNumberOfMessages=10, MessageAttributeNames=["reason"])
        return [(one["Body"], one["MessageAttributes"]["reason"]["StringValue"]) for one in answer.get("Messages", [])]

    def remove(self) -> None:
        """Remove both queues."""
        for url in (self.queue, self.lost):
            self.client.delete_queue(QueueUrl=url)
