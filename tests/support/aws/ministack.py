"""A second AWS on loopback: MiniStack makes stacks with rollbacks, serves function URLs, runs code of Lambda, enforces roles.

It pins its botocore, so it has an environment of its own.
"""

from __future__ import annotations

import functools
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]  # has no types
import httpx

from tests.support.aws.free_port import free_port
from tests.support.aws.locked_environment import locked_environment

LOCK = Path(__file__).with_name("ministack.lock")
REGION = "eu-west-1"
PATIENCE = 120.0
"""Seconds to wait until it answers."""


@dataclass(frozen=True)
class MiniStack:
    """A running server. `url` is its endpoint."""

    url: str

    def client(self, service: str) -> Any:
        """A client for the account's administrator."""
        return _client(self.url, service)

    def function_url(self, output: str) -> str:
        """The address on loopback of a function URL, which has a name under `on.aws`."""
        name = output.removeprefix("https://").partition(".")[0]
        return f"{self.url}/_aws/lambda-url/{name}/"

    def environment(self) -> Mapping[str, str]:
        """The variables with which a process is the account's administrator."""
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        return keys | {"AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": REGION, "AWS_CONFIG_FILE": os.devnull}


@contextmanager
def running_ministack(log: Path, address: str = "127.0.0.1") -> Iterator[MiniStack]:
    """Run an empty AWS on a free port of an address of this machine.

    Args:
        log: the file for its log.
        address: the address.
    """
    program = locked_environment(LOCK) / "ministack"
    port = free_port(address)
    url = f"http://{address}:{port}"
    settings = {
        "AUTH": "true",
        "BIND_HOST": address,
        "MINISTACK_HOST": address,
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "AWS_ENDPOINT_URL": url,  # where functions find it
    }
    kept = {name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR") if name in os.environ}
    with log.open("wb") as output:
        process = subprocess.Popen([str(program)], env=kept | settings, stdout=output, stderr=output, cwd=log.parent)
        try:
            _wait_for(url, process)
            yield MiniStack(url)
        finally:
            process.terminate()
            process.wait()


@functools.cache
def _client(url: str, service: str) -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
    return boto3.client(service, endpoint_url=url, **keys)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            httpx.get(f"{url}/_ministack/health", timeout=2).raise_for_status()
        except httpx.HTTPError:
            assert process.poll() is None, "it ended"
            assert time.monotonic() < deadline, "it does not answer"
            time.sleep(0.1)
        else:
            return
