"""AWS on loopback: moto's server implements the protocol, and remembers what a pipeline did.

moto is imported where it is used: it takes seconds, and hundreds of megabytes that most test processes do not need.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]  # has no types
import httpx

REGION = "eu-west-1"
FOLDER_KEY_ID = "AKIAFOLDERKEY0000001"
FOLDER_SECRET = "folder-secret-7Qw2Zx9Lm4Kp8Rt1Vb6Ny3Hj5Gd0Sa"


@dataclass(frozen=True)
class Aws:
    """A running server. `url` is its endpoint."""

    url: str

    def client(self, service: str) -> Any:
        """A client for the account of the test's own credentials."""
        return self.session().client(service, endpoint_url=self.url)

    def session(self) -> Any:
        """A session with the test's own credentials."""
        return boto3.Session(FOLDER_KEY_ID, FOLDER_SECRET, region_name=REGION)

    def bucket(self, name: str) -> str:
        """Make a bucket, and return its URL."""
        self.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return f"s3://{name}"

    def objects(self, bucket: str) -> dict[str, bytes]:
        """All objects of a bucket, by key."""
        client = self.client("s3")
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def log_streams(self, group: str) -> dict[str, list[str]]:
        """The streams of a log group, each with its messages in order."""
        client = self.client("logs")
        pages = client.get_paginator("describe_log_streams").paginate(logGroupName=group)
        names = [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
        return {name: self._messages(group, name) for name in names}

    def _messages(self, group: str, stream: str) -> list[str]:
        client, messages, token = self.client("logs"), [], None
        while True:
            more: dict[str, str] = {"nextToken": token} if token else {}
            page = client.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **more)
            messages += [event["message"] for event in page["events"]]
            if page["nextForwardToken"] == token:
                return messages
            token = page["nextForwardToken"]

    def issued_secrets(self, account: str) -> tuple[str, ...]:
        """Keys and session tokens of the account's roles that were assumed."""
        from moto.sts.models import sts_backends

        roles = sts_backends[account]["aws"].assumed_roles
        return tuple(secret for role in roles for secret in (role.access_key_id, role.secret_access_key, role.session_token))

    def stack_status(self, account: str, name: str) -> str | None:
        """The status of a CloudFormation stack of that account; None if there is no such stack."""
        from moto.cloudformation.models import cloudformation_backends

        stacks = cloudformation_backends[account][REGION].stacks.values()
        return next((str(stack.status) for stack in stacks if stack.name == name), None)

    def write_folder(self, folder: Path) -> Path:
        """Write an AWS folder as `aws configure` does, with this server in its default profile, and return the folder."""
        folder.mkdir(mode=0o700, parents=True)
        config = folder / "config"
        config.write_text(f"[default]\nregion = {REGION}\noutput = json\nendpoint_url = {self.url}\n", encoding="ascii")
        credentials = folder / "credentials"
        credentials.write_text(
            f"[default]\naws_access_key_id = {FOLDER_KEY_ID}\naws_secret_access_key = {FOLDER_SECRET}\n", encoding="ascii"
        )
        for file in (config, credentials):
            file.chmod(0o600)
        return folder


@contextmanager
def running_aws(address: str = "127.0.0.1") -> Iterator[Aws]:
    """Run an empty AWS on a free port of an address of this machine."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address=address, port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        # The state of a server belongs to the process: a second server starts with the state of the first one.
        httpx.post(f"{url}/moto-api/reset").raise_for_status()
        yield Aws(url)
    finally:
        server.stop()
