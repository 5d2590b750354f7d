"""The door of the jobs: believes pushes that are signed with a customer's secret, and starts a task for each.

In the Lambda function, this file comes after the door of a stack, whose rules it shares.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3  # type: ignore[import-untyped]  # has no types
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.stack.door import PUSHES, QUICK, Answer, Refusal, Request, Secrets, code_of, read_request

DELIVERIES = ("x-github-delivery", "x-gitea-delivery", "x-gitlab-event-uuid", "webhook-id", "idempotency-key")
"""The headers with the id of a delivery. It stays the same when a host sends a delivery again."""

KINDS_OF_REFS = {"branch": "refs/heads/", "tag": "refs/tags/"}


@dataclass(frozen=True, slots=True)
class Tasks:
    """Where tasks run.

    Attributes:
        cluster: the ARN of the cluster.
        definition: the ARN of the task definition.
        parameters: the folder of the parameters of the jobs.
    """

    cluster: str
    definition: str
    subnets: tuple[str, ...]
    group: str
    parameters: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Tasks:
        """Read what the template put into the function's environment."""
        subnets = tuple(environment["SUBNETS"].split(","))
        return cls(environment["CLUSTER"], environment["TASK"], subnets, environment["GROUP"], environment["PARAMETERS"])


class JobsDoor:
    """Answers requests.

    Args:
        tasks: where tasks run.
        client: makes a client for a service of AWS.
        clock: gives seconds since 1970.
    """

    def __init__(self, tasks: Tasks, client: Callable[[str], Any], clock: Callable[[], float] = time.time) -> None:
        self._tasks = tasks
        self._ecs = client("ecs")
        self._secrets = Secrets(client("ssm"), f"{tasks.parameters}/secrets", clock)

    def receive(self, event: Mapping[str, Any], request_id: str) -> Answer:
        """Answer a request to the function's URL.

        Args:
            event: what Lambda gives to the function.
            request_id: Lambda's id of the request.
        """
        try:
            answer = self._accepted(read_request(event), request_id)
        except Refusal as refusal:
            answer = refusal.answer
        except (BotoCoreError, ClientError) as error:
            answer = Answer(503, "failed", f"no task could be started ({code_of(error)}); send the push again")
        print(json.dumps({"request": request_id, "status": answer.status, "message": answer.message}))  # noqa: T201  Lambda takes what is printed
        return answer

    def _accepted(self, request: Request, request_id: str) -> Answer:
        name = self._secrets.name_for(request) if request.signed else None
        if name is None:
            raise Refusal(Answer(401, "forged", "not signed with the secret of a customer's repository"))
        if request.event not in PUSHES[request.kind]:
            return Answer(200, "ignored", "only pushes start jobs")
        push = pushed(request)
        if push is None:
            return Answer(200, "ignored", "a branch or tag that was deleted starts no job")
        # The secret decides whose job this is, not the payload: so nobody can start a job of somebody else.
        customer, _, repository = name.partition(".")
        order = json.dumps({"customer": customer, "repository": repository, **push})
        delivery = next((request.headers[one] for one in DELIVERIES if request.headers.get(one)), request_id)
        answer = self._ecs.run_task(
            cluster=self._tasks.cluster,
            taskDefinition=self._tasks.definition,
            launchType="FARGATE",
            count=1,
            # ECS starts one task for all requests with the same token within a day.
            clientToken=hashlib.sha256(f"{name} {delivery}".encode("utf-8", "replace")).hexdigest(),
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": list(self._tasks.subnets),
                    "securityGroups": [self._tasks.group],
                    "assignPublicIp": "ENABLED",
                }
            },
            overrides={
                "containerOverrides": [{"name": "job", "environment": [{"name": "DOCKERCISE_JOB_ORDER", "value": order}]}]
            },
        )
        if not answer["tasks"]:
            reasons = ", ".join(str(one.get("reason")) for one in answer["failures"])
            return Answer(503, "failed", f"no task could be started ({reasons}); send the push again")
        return Answer(202, "started", f"{name}: task {answer['tasks'][0]['taskArn'].rpartition('/')[2]}")


def pushed(request: Request) -> dict[str, str] | None:
    """The commit and the branch or tag of a proven push; None if it deletes the branch or tag.

    Raises:
        Refusal: the payload is not that of a push.
    """
    try:
        payload = request.payload()
        ref, before, after = (str(payload[name]) for name in ("ref", "before", "after"))
        kind, start = next((kind, start) for kind, start in KINDS_OF_REFS.items() if ref.startswith(start))
    except (ValueError, LookupError, TypeError, StopIteration, RecursionError):
        raise Refusal(Answer(400, "malformed", "the payload is not JSON with the commit of a push")) from None
    if not after.strip("0"):
        return None
    earlier = {"before": before} if kind == "branch" and before.strip("0") else {}
    return {"commit": after, kind: ref.removeprefix(start), **earlier}


def start_job(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """What Lambda calls."""
    return _jobs_door().receive(event, context.aws_request_id).to_lambda()


@cache
def _jobs_door() -> JobsDoor:
    return JobsDoor(Tasks.from_environment(os.environ), lambda service: boto3.client(service, config=QUICK))
