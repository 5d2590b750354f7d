"""A bucket with the records of runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import quote

from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.results.places.aws import aws_client, aws_errors
from dockercise_prefect.results.places.bucket import Bucket
from dockercise_prefect.results.places.objects import NotStoredError, Stored
from dockercise_prefect.results.places.upload import upload
from dockercise_prefect.settings import Settings

PAGE = 1000
"""How many names one answer lists, the maximum of S3."""

CHUNK = 262_144
"""How many bytes are read at once."""

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".log": "text/plain; charset=utf-8",
    ".zip": "application/zip",
    ".zst": "application/zstd",
}
"""The content types for browsers, by the ending of the name."""

_NOTHING_THERE = {"NoSuchKey", "404"}


@dataclass(frozen=True, slots=True)
class SomeFolders:
    """Some folders below a path, sorted. `more` says whether others come after them."""

    names: tuple[str, ...]
    more: bool


class S3Objects:
    """`Objects` in a bucket.

    Objects are sent without an ACL: they are private by default, and buckets that own all their objects refuse ACLs.

    Args:
        bucket: where the objects are.
        settings: the settings for access, for the encryption of objects, and for how long links work.
        session: see `aws_client`.

    Raises:
        RefusedError: the region is missing, or the profile does not exist.
    """

    def __init__(self, bucket: Bucket, settings: Settings, session: Any = None) -> None:
        self._bucket = bucket
        self._client: Any = aws_client("s3", settings, session)
        self._encryption = _encryption(settings)
        self._link_seconds = settings.link_hours * 3600

    @property
    def url(self) -> str:
        """See `Objects`."""
        return self._bucket.url

    def folders(self, path: str) -> list[str]:
        """See `Objects`."""
        key = self._bucket.key(path)
        prefix = f"{key}/" if key else ""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket.name, Prefix=prefix, Delimiter="/", PaginationConfig={"PageSize": PAGE}
        )
        with aws_errors(f"cannot list {self._named(path)}"):
            found = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
        return sorted(name.removeprefix(prefix).removesuffix("/") for name in found)

    def folders_after(self, path: str, after: str) -> SomeFolders:
        """The first of the folders directly below a path whose names come after a text. One request, however many there are.

        Args:
            path: see `folders`.
            after: the text; empty for the first folders of all.
        """
        prefix = f"{self._bucket.key(path)}/"
        with aws_errors(f"cannot list {self._named(path)}"):
            answer = self._client.list_objects_v2(
                Bucket=self._bucket.name, Prefix=prefix, Delimiter="/", MaxKeys=PAGE, StartAfter=f"{prefix}{after}"
            )
        names = [entry["Prefix"].removeprefix(prefix).removesuffix("/") for entry in answer.get("CommonPrefixes", [])]
        return SomeFolders(tuple(names), bool(answer.get("IsTruncated")))

    def chunks(self, path: str, start: int = 0) -> Iterator[bytes]:
        """See `Objects`."""
        wanted = {"Range": f"bytes={start}-"} if start else {}
        with aws_errors(f"cannot read {self._named(path)}"):
            try:
                answer = self._client.get_object(Bucket=self._bucket.name, Key=self._bucket.key(path), **wanted)
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code")
                if code in _NOTHING_THERE:
                    raise NotStoredError(f"there is no {self._named(path)}") from error
                if code == "InvalidRange":  # at or after the end
                    return
                raise
            with closing(answer["Body"]) as body:
                yield from body.iter_chunks(CHUNK)

    def put(self, path: str, content: BinaryIO) -> None:
        """See `Objects`. An interrupted upload leaves only parts, which the service does not count as an object."""
        ending = path[path.rfind(".") :] if "." in path else ""
        how = {"ContentType": CONTENT_TYPES.get(ending, "application/octet-stream"), **self._encryption}
        with aws_errors(f"cannot write {self._named(path)}"):
            upload(self._client, {"Bucket": self._bucket.name, "Key": self._bucket.key(path)}, content, how)

    def remove(self, path: str) -> None:
        """See `Objects`."""
        with aws_errors(f"cannot remove {self._named(path)}"):
            self._client.delete_object(Bucket=self._bucket.name, Key=self._bucket.key(path))

    def sizes(self, path: str) -> dict[str, int]:
        """See `Objects`."""
        return {name: one.size for name, one in self.stored(path).items()}

    def stored(self, path: str) -> dict[str, Stored]:
        """See `Objects`."""
        prefix = f"{self._bucket.key(path)}/"
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket.name, Prefix=prefix, PaginationConfig={"PageSize": PAGE}
        )
        with aws_errors(f"cannot list {self._named(path)}"):
            found = [entry for page in pages for entry in page.get("Contents", [])]
        return {
            entry["Key"].removeprefix(prefix): Stored(entry["Size"], entry["LastModified"], entry.get("ETag", ""))
            for entry in found
        }

    def remove_folder(self, path: str, last: str) -> None:
        """See `Objects`."""
        names = sorted(self.sizes(path), key=lambda name: (name == last, name))
        for name in names:
            self.remove(f"{path}/{name}")

    def prove_usable(self) -> None:
        """Find out whether the bucket can be listed and written. An upload is begun and given up, so nothing is left there.

        Raises:
            StorageError: it cannot.
        """
        where = {"Bucket": self._bucket.name, "Key": self._bucket.key(".dockercise-doctor")}
        with aws_errors(f"cannot list {self._bucket.url}"):
            self._client.list_objects_v2(Bucket=self._bucket.name, Prefix=self._bucket.prefix, MaxKeys=1)
        with aws_errors(f"cannot write {self._bucket.url}"):
            begun = self._client.create_multipart_upload(**where, **self._encryption)
            self._client.abort_multipart_upload(**where, UploadId=begun["UploadId"])

    def link(self, path: str) -> str:
        """See `Objects`. Signed here, without a request to the service. If links are off, the plain URL of the object."""
        if not self._link_seconds:
            return self._named(path)
        where = {"Bucket": self._bucket.name, "Key": self._bucket.key(path)}
        with aws_errors(f"cannot sign a link to {self._named(path)}"):
            return str(self._client.generate_presigned_url("get_object", Params=where, ExpiresIn=self._link_seconds))

    def download(self, path: str, seconds: int) -> str:
        """An address at which a browser can download the object, and no other, for so many seconds. It shows nothing of it."""
        where = {"Bucket": self._bucket.name, "Key": self._bucket.key(path)}
        # A browser must not take content of a stage for a page.
        how = {
            "ResponseContentType": "application/octet-stream",
            "ResponseContentDisposition": f"attachment; filename*=UTF-8''{quote(path.rpartition('/')[2], safe='')}",
        }
        with aws_errors(f"cannot sign a link to {self._named(path)}"):
            return str(self._client.generate_presigned_url("get_object", Params={**where, **how}, ExpiresIn=seconds))

    def _named(self, path: str) -> str:
        return f"s3://{self._bucket.name}/{self._bucket.key(path)}"


def _encryption(settings: Settings) -> Mapping[str, str]:
    """The arguments of an upload for the encryption of its object. A key alone means KMS."""
    key = {"SSEKMSKeyId": settings.s3_kms_key} if settings.s3_kms_key else {}
    how = settings.s3_encryption or ("aws:kms" if key else None)
    return {"ServerSideEncryption": how, **key} if how else {}
