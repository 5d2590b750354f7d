"""The door of a stack: believes signed pushes, keeps them in a queue, and wakes the host while there is something to do.

This one file is the code of a Lambda function, so it uses only what Lambda's Python has. AWS calls it in two ways:

- a request to the function's URL, which is a push or pretends to be one;
- a tick: a rule calls it when the host has stopped, another one every five minutes.

Whether the host must be awake is decided by what waits, never by what happened. So nothing is lost if a start fails because the
host is just stopping or AWS has no capacity: the next tick starts it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import boto3  # type: ignore[import-untyped]  # has no types
from botocore.config import Config  # type: ignore[import-untyped]  # has no types
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]  # has no types

LARGEST = 6 * 1024 * 1024
"""Bytes of a body. A function URL takes no larger requests (AWS's documentation of Lambda quotas)."""

LARGEST_IN_QUEUE = 200_000
"""Characters of a body in base64. SQS takes messages of 256 KiB everywhere, with everything that belongs to them."""

SECRETS_SECONDS = 60
"""For how many seconds secrets are remembered."""

READ_AGAIN_SECONDS = 5
"""If no secret fits, they are read again, unless they were read less than so many seconds ago."""

CLOCKS_APART = 300
"""Seconds that a signed time may be off (Standard Webhooks recommends five minutes)."""

QUICK = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})
"""GitHub waits for an answer for ten seconds."""

PUSHES = {"github": ("push",), "gitea": ("push",), "gitlab": ("Push Hook", "Tag Push Hook")}
"""The events that can start a run, by the kind of host."""

ADDRESSES = ("clone_url", "git_http_url", "http_url", "ssh_url", "git_ssh_url")
"""The fields with addresses of a repository in payloads, the best first."""

KEPT = {
    "github": ("content-type", "x-github-event", "x-github-delivery", "x-hub-signature-256"),
    "gitea": (
        *("content-type", "x-gitea-event", "x-gitea-delivery", "x-gitea-signature"),
        *("x-forgejo-event", "x-forgejo-delivery", "x-forgejo-signature"),
    ),
    "gitlab": ("content-type", "x-gitlab-event", "x-gitlab-event-uuid", "webhook-id", "idempotency-key"),
}
"""The headers that the receiver on the host needs, by the kind of host.

GitLab's token and signature are left out. The token is a secret. The signature is valid for minutes, and a push may wait for
hours. The receiver gets the token from the host, which knows the name of its secret from `token_of`.
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered to the sender. `message` is for the host's list of deliveries, and contains no secret."""

    status: int
    result: str
    message: str

    def to_lambda(self) -> dict[str, Any]:
        """The answer in the form that a function URL expects."""
        body = json.dumps({"result": self.result, "message": self.message})
        return {"statusCode": self.status, "headers": {"content-type": "application/json"}, "body": body}


class Refusal(Exception):  # noqa: N818  it is an answer, not an error
    """The request is not accepted."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.message)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Request:
    """A push, or something that pretends to be one.

    Attributes:
        kind: the kind of host whose headers it has: `github`, `gitea` or `gitlab`.
        headers: values by names in lower case.
    """

    kind: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def event(self) -> str:
        """The host's name for what happened."""
        return self.headers.get("x-forgejo-event") or self.headers.get(f"x-{self.kind}-event", "")

    @property
    def signed(self) -> bool:
        """Whether there is a signature or a token at all."""
        return bool(_hex_signature(self) or self.headers.get("webhook-signature") or self.headers.get("x-gitlab-token"))

    def payload(self) -> Any:
        """The JSON of the body, which a form may contain. To be read only if the request is proven."""
        text = self.body.decode()
        if self.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
            text = parse_qs(text)["payload"][0]
        return json.loads(text)

    def proven_by(self, secret: str, now: float) -> bool:
        """Whether the sender knew the secret. The receiver's rules (`webhook.payload.proof`), in constant time."""
        if self.kind == "gitlab":
            token = self.headers.get("x-gitlab-token", "")
            return _has_standard_signature(self, secret, now) or hmac.compare_digest(secret.encode(), token.encode())
        made = hmac.new(secret.encode(), self.body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(made.encode(), _hex_signature(self).lower().encode())


def read_request(event: Mapping[str, Any]) -> Request:
    """Read the event of a function URL (AWS's payload format 2.0).

    Raises:
        Refusal: it is too big, or its headers are not those of a push.
    """
    headers = {str(name).lower(): str(value) for name, value in event.get("headers", {}).items()}
    text = event.get("body") or ""
    body = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode("utf-8", "replace")
    if len(body) > LARGEST:
        raise Refusal(Answer(413, "too big", f"a payload may have {LARGEST:,} bytes; push fewer commits at once"))
    kind = _kind_of(headers)
    if kind is None:
        missing = "X-GitHub-Event, X-Gitea-Event and X-Gitlab-Event are all missing"
        raise Refusal(Answer(400, "malformed", f"not a delivery: {missing}"))
    return Request(kind, headers, body)


def repository_of(request: Request) -> str:
    """The address that git clones, as the payload of a proven push names it.

    Raises:
        Refusal: the payload is not that of a push.
    """
    try:
        about = request.payload()["project" if request.kind == "gitlab" else "repository"]
        return next(str(about[name]) for name in ADDRESSES if about.get(name))
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration, RecursionError):
        raise Refusal(Answer(400, "malformed", "the payload is not JSON with the repository of a push")) from None


def _kind_of(headers: Mapping[str, str]) -> str | None:
    """The kind of host. Gitea and Forgejo send GitHub's headers in addition to their own, so their own come first."""
    if "x-gitea-event" in headers or "x-forgejo-event" in headers:
        return "gitea"
    return next((kind for kind in ("gitlab", "github") if f"x-{kind}-event" in headers), None)


def _hex_signature(request: Request) -> str:
    if request.kind == "gitea":
        return request.headers.get("x-forgejo-signature") or request.headers.get("x-gitea-signature", "")
    algorithm, _, digest = request.headers.get("x-hub-signature-256", "").partition("=")
    return digest if algorithm == "sha256" and request.kind == "github" else ""


def _has_standard_signature(request: Request, secret: str, now: float) -> bool:
    """GitLab's signing token, by the Standard Webhooks specification."""
    moment = request.headers.get("webhook-timestamp", "")
    if not re.fullmatch(r"[0-9]{1,12}", moment) or abs(now - int(moment)) > CLOCKS_APART:
        return False
    signed = f"{request.headers.get('webhook-id', '')}.{moment}.".encode() + request.body
    made = [base64.b64encode(hmac.digest(key, signed, "sha256")) for key in _keys(secret)]
    given = [one.removeprefix("v1,") for one in request.headers.get("webhook-signature", "").split() if one.startswith("v1,")]
    return any([hmac.compare_digest(right, one.encode()) for right in made for one in given])  # noqa: C419  in constant time


def _keys(secret: str) -> list[bytes]:
    """The secret itself, and what it means if it is base64 after `whsec_`."""
    try:
        decoded = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    return [key for key in (secret.encode(), decoded) if key]  # an empty key would be known to everyone


class Secrets:
    """The secrets of the stack's repositories, remembered for a minute.

    Args:
        ssm: a client for the parameters.
        path: the folder of the parameters.
        clock: gives seconds since 1970.
    """

    def __init__(self, ssm: Any, path: str, clock: Callable[[], float]) -> None:
        self._ssm = ssm
        self._path = path
        self._clock = clock
        self._read_at = float("-inf")
        self._by_name: Mapping[str, str] = {}

    def name_for(self, request: Request) -> str | None:
        """The name of the secret that proves a request; None if none does.

        A secret may have been made a moment ago. So if none fits, they are read again, but not for each forged request.
        """
        if self._older_than(SECRETS_SECONDS):
            self._read()
        found = self._fitting(request)
        if found is None and self._older_than(READ_AGAIN_SECONDS):
            self._read()
            found = self._fitting(request)
        return found

    def _fitting(self, request: Request) -> str | None:
        now = self._clock()
        return next((name for name, secret in self._by_name.items() if request.proven_by(secret, now)), None)

    def _older_than(self, seconds: float) -> bool:
        return self._clock() - self._read_at >= seconds

    def _read(self) -> None:
        pages = self._ssm.get_paginator("get_parameters_by_path").paginate(Path=self._path, WithDecryption=True)
        found = [parameter for page in pages for parameter in page["Parameters"]]
        self._by_name = {one["Name"].rpartition("/")[2]: one["Value"] for one in found}
        self._read_at = self._clock()


@dataclass(frozen=True, slots=True)
class Names:
    """What the stack has made.

    Attributes:
        host: the id of the host's instance.
        queue: the URL of the queue.
        parameters: the folder of the stack's parameters.
        silent_hours: a host that is awake, and has done nothing for so many hours, is stopped.
    """

    host: str
    queue: str
    bucket: str
    parameters: str
    silent_hours: float

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Names:
        """Read what the template put into the function's environment."""
        host, queue, bucket, parameters = (environment[name] for name in ("HOST", "QUEUE", "BUCKET", "PARAMETERS"))
        return cls(host, queue, bucket, parameters, float(environment["SILENT_HOURS"]))


class Door:
    """Answers requests and ticks.

    Args:
        names: what the stack has made.
        client: makes a client for a service of AWS.
        clock: gives seconds since 1970.
    """

    def __init__(self, names: Names, client: Callable[[str], Any], clock: Callable[[], float] = time.time) -> None:
        self._names = names
        self._ec2, self._s3, self._sqs, self._ssm = (client(service) for service in ("ec2", "s3", "sqs", "ssm"))
        self._clock = clock
        self._secrets = Secrets(self._ssm, f"{names.parameters}/secrets", clock)

    def receive(self, event: Mapping[str, Any], request_id: str) -> Answer:
        """Answer a request to the function's URL.

        Args:
            event: what Lambda gives to the function.
            request_id: Lambda's id of the request. It is another one if a delivery is sent again, so that the queue keeps both.
        """
        try:
            answer = self._accepted(read_request(event), request_id)
        except Refusal as refusal:
            answer = refusal.answer
        except (BotoCoreError, ClientError) as error:
            _log(request=request_id, failed=code_of(error))
            answer = Answer(503, "failed", "the push could not be stored; send it again")
        _log(request=request_id, status=answer.status, result=answer.result, message=answer.message)
        return answer

    def tick(self) -> str:
        """Start the host if there is something to do, and stop it if it has hung. Returns what was done.

        A host that hangs is stopped even if pushes wait: when it has stopped, the next tick starts it anew.
        """
        parameters = self._parameters()
        now = self._clock()
        wanted = _moment(parameters.get("awake-until")) > now
        if not wanted and self._is_silent(parameters.get("report", "{}"), now):
            done = self._tell_host(self._ec2.stop_instances, "stopped")
        elif wanted or self._waiting() or 0 < _moment(parameters.get("wake-at")) <= now:
            done = self._tell_host(self._ec2.start_instances, "woken")
        else:
            done = "as it was"
        _log(tick=done)
        return done

    def _accepted(self, request: Request, request_id: str) -> Answer:
        name = self._secrets.name_for(request) if request.signed else None
        if name is None:
            raise Refusal(Answer(401, "forged", "not signed with the secret of a repository of this stack"))
        if request.event not in PUSHES[request.kind]:
            return Answer(200, "ignored", "only pushes start runs")
        group = hashlib.sha256(repository_of(request).encode("utf-8", "replace")).hexdigest()
        message = json.dumps(self._message(request, name))
        self._sqs.send_message(
            QueueUrl=self._names.queue, MessageBody=message, MessageGroupId=group, MessageDeduplicationId=request_id
        )
        host = self._tell_host(self._ec2.start_instances, "woken")
        return Answer(202, "queued", f"{name}: queued; the host is {host}")

    def _message(self, request: Request, name: str) -> dict[str, Any]:
        """The message in the queue. A large body lies in the bucket."""
        headers = {key: request.headers[key] for key in KEPT[request.kind] if key in request.headers}
        about: dict[str, Any] = {"headers": headers} | ({"token_of": name} if request.kind == "gitlab" else {})
        body = base64.b64encode(request.body).decode("ascii")
        if len(body) <= LARGEST_IN_QUEUE:
            return about | {"body": body}
        key = f"inbox/{hashlib.sha256(request.body).hexdigest()}"
        self._s3.put_object(Bucket=self._names.bucket, Key=key, Body=request.body)
        return about | {"object": key}

    def _tell_host(self, call: Callable[..., Any], done: str) -> str:
        """Start or stop the host. A failure is no error: the next tick tries again."""
        try:
            call(InstanceIds=[self._names.host])
        except (BotoCoreError, ClientError) as error:
            _log(host=self._names.host, wanted=done, failed=code_of(error))
            return f"{done} later"
        return done

    def _waiting(self) -> bool:
        """Whether there are messages in the queue, taken ones included: whoever took them may be gone."""
        names = [f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed")]
        counts = self._sqs.get_queue_attributes(QueueUrl=self._names.queue, AttributeNames=names)["Attributes"]
        return any(int(counts[name]) for name in names)

    def _parameters(self) -> dict[str, str]:
        names = [f"{self._names.parameters}/{name}" for name in ("awake-until", "report", "wake-at")]
        found = self._ssm.get_parameters(Names=names)["Parameters"]
        return {one["Name"].rpartition("/")[2]: one["Value"] for one in found}

    def _is_silent(self, report: str, now: float) -> bool:
        """Whether the host is awake and has done nothing for too long since its start, as its report says."""
        try:
            worked_at = float(json.loads(report).get("worked_at") or 0)
        except (ValueError, AttributeError, TypeError):  # the host has not written it, or somebody else has
            worked_at = 0
        answer = self._ec2.describe_instances(InstanceIds=[self._names.host])
        hosts = [one for reservation in answer["Reservations"] for one in reservation["Instances"]]
        awake = [one["LaunchTime"].timestamp() for one in hosts if one["State"]["Name"] == "running"]
        return any(now - max(started, worked_at) > self._names.silent_hours * 3600 for started in awake)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """What Lambda calls."""
    door = _door()
    if "requestContext" in event:
        return door.receive(event, context.aws_request_id).to_lambda()
    return {"host": door.tick()}


@cache
def _door() -> Door:
    return Door(Names.from_environment(os.environ), lambda service: boto3.client(service, config=QUICK))


def _moment(text: str | None) -> int:
    """Seconds since 1970 in a parameter; 0 for `never`, and for a text that is no moment."""
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,12}", text) else 0


def code_of(error: Exception) -> str:
    """What AWS calls the error. Its text may contain what was sent."""
    response = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code") or type(error).__name__)


def _log(**values: Any) -> None:
    """Write a line to the function's log group. It contains no secret, no payload and no signature."""
    print(json.dumps(values))  # noqa: T201  Lambda takes what is printed
