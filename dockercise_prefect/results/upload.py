"""Sends an object of any size to a bucket, in the thread of whoever calls.

boto3's own transfers have threads that a process waits for when it ends, and that a Ctrl-C does not reach: with a bucket that
hangs, both take minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]  # has no types

PART = 8 * 1024 * 1024
"""Bytes of a part of a multipart upload: 10,000 parts, the most there may be, are 80 GB."""


def upload(client: Any, where: Mapping[str, str], content: BinaryIO, how: Mapping[str, str]) -> None:
    """Store what can be read from `content`; no more than one part of it is in memory.

    Args:
        client: of S3.
        where: `Bucket` and `Key`.
        content: read to its end.
        how: the object's type and encryption, as `PutObject` and `CreateMultipartUpload` take them.

    Raises:
        ClientError, BotoCoreError: it is not stored; parts that were sent are removed if the service lets us.
    """
    first = content.read(PART)
    if len(first) < PART:
        client.put_object(**where, **how, Body=first)
        return
    begun = {**where, "UploadId": client.create_multipart_upload(**where, **how)["UploadId"]}
    try:
        parts = _send_parts(client, begun, first, content)
        client.complete_multipart_upload(**begun, MultipartUpload={"Parts": parts})
    except Exception:  # not when interrupted: nobody who presses Ctrl-C wants to wait for one more answer
        with suppress(ClientError, BotoCoreError):
            client.abort_multipart_upload(**begun)
        raise


def _send_parts(client: Any, begun: Mapping[str, str], first: bytes, content: BinaryIO) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    part = first
    while part:
        number = len(parts) + 1
        parts.append({"PartNumber": number, "ETag": client.upload_part(**begun, PartNumber=number, Body=part)["ETag"]})
        part = content.read(PART)
    return parts
