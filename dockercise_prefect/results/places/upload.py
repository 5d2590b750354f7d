"""Sends an object of any size to a bucket, in the thread of whoever calls.

boto3's own transfers have threads that a process waits for when it ends, and that a Ctrl-C does not reach: with a bucket that
hangs, both take minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from os import SEEK_END
from typing import Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]  # has no types

PART = 8 * 1024 * 1024
"""Bytes of a part of a multipart upload: 10,000 parts, the most there may be, are 80 GB."""


def upload(client: Any, where: Mapping[str, str], content: BinaryIO, how: Mapping[str, str]) -> None:
    """Store what is left to read of `content` as it is now; no more than two parts of it are in memory.

    Args:
        client: of S3.
        where: `Bucket` and `Key`.
        content: can be sought in. What comes to its end meanwhile is left to another time.
        how: the object's type and encryption, as `PutObject` and `CreateMultipartUpload` take them.

    Raises:
        ClientError, BotoCoreError: it is not stored; parts that were sent are removed if the service lets us.
    """
    parts = _parts(content)
    first = next(parts, b"")
    if len(first) < PART:
        client.put_object(**where, **how, Body=first)
        return
    begun = {**where, "UploadId": client.create_multipart_upload(**where, **how)["UploadId"]}
    try:
        sent = _send_parts(client, begun, chain([first], parts))
        client.complete_multipart_upload(**begun, MultipartUpload={"Parts": sent})
    except Exception:  # not when interrupted: nobody who presses Ctrl-C wants to wait for one more answer
        with suppress(ClientError, BotoCoreError):
            client.abort_multipart_upload(**begun)
        raise


def _parts(content: BinaryIO) -> Iterator[bytes]:
    """As they are now: only the last may be small, and whoever runs after a log that grows never gets to its end."""
    begin = content.tell()
    left = content.seek(0, SEEK_END) - begin
    content.seek(begin)
    while part := content.read(min(PART, left)):
        left -= len(part)
        yield part


def _send_parts(client: Any, begun: Mapping[str, str], parts: Iterable[bytes]) -> list[dict[str, Any]]:
    return [
        {"PartNumber": number, "ETag": client.upload_part(**begun, PartNumber=number, Body=part)["ETag"]}
        for number, part in enumerate(parts, 1)
    ]
