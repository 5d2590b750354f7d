"""An AWS on loopback in a separate process, so that its data is not in the memory of a test or a benchmark."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]  # has no types
import httpx

PATIENCE = 120.0
"""Seconds to wait until it answers."""


@contextmanager
def separate_aws(log: Path) -> Iterator[tuple[str, Any]]:
    """Run an AWS, and give its address and a client of its S3.

    Args:
        log: the file for its log of requests.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            _wait_for(url, process)
            keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
            yield url, boto3.client("s3", endpoint_url=url, **keys)
        finally:
            process.terminate()
            process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            httpx.get(f"{url}/moto-api/data.json", timeout=2).raise_for_status()
        except httpx.HTTPError:
            assert process.poll() is None, "it ended"
            assert time.monotonic() < deadline, "it does not answer"
            time.sleep(0.1)
        else:
            return
