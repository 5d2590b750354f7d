"""Sends an object of any size to a bucket, in the thread of the caller.

boto3's own transfers use threads. A process waits for them when it ends, and Ctrl-C does not reach them: if a bucket does not
answer, both take minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from os import SEEK_END
from typing import Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]  # has no types

PART = 8 * 1024 * 1024
"""The size in bytes of a part of a multipart upload. The maximum of 10,000 parts is 80 GB."""


def upload(client: Any, where: Mapping[str, str], content: BinaryIO, how: Mapping[str, str]) -> None:
    """Store the rest of `content` as it is now. At most two parts of it are in memory.

    Args:
        client: a client of S3.
        where: `Bucket` and `Key`.
        content: a seekable file. Data that is appended to it during the upload is not sent.
        how: the type and the encryption of the object, as arguments of `PutObject` and `CreateMultipartUpload`.

    Raises:
        ClientError, BotoCoreError: the object is not stored. Parts that were sent are removed if the service allows it.
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
    except Exception:  # not after an interruption: a user who presses Ctrl-C does not want to wait for another answer
        with suppress(ClientError, BotoCoreError):
            client.abort_multipart_upload(**begun)
        raise


def _parts(content: BinaryIO) -> Iterator[bytes]:
    """The parts of the content up to its current length, because a growing log would never end. Only the last may be small."""
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
