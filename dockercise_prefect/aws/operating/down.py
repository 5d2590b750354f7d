"""`aws down`: takes a stack away, and on request also what a stack keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.account import calling
from dockercise_prefect.aws.cost import prices
from dockercise_prefect.aws.names import COST_TAG
from dockercise_prefect.aws.operating.deployed import Deployed, find_stack
from dockercise_prefect.aws.operating.readiness import PATIENCE
from dockercise_prefect.aws.operating.up import Stacks
from dockercise_prefect.connect.disconnecting import Part
from dockercise_prefect.errors import StorageError

_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class KeptThing:
    """A bucket or a volume that stays when its stack is deleted.

    Attributes:
        what: `bucket NAME` or `volume ID`.
        size: how big it is, as a text for people.
        month: what it costs in a month, in US dollars; None if that is not known.
    """

    name: str
    what: str
    size: str
    month: float | None

    def __str__(self) -> str:
        cost = "at a price that is not known" if self.month is None else f"about ${self.month:.2f} a month"
        return f"{self.what} ({self.size}, {cost})"


@dataclass(frozen=True, slots=True)
class Remains:
    """What there is of a stack.

    Attributes:
        stack: the stack itself; None if it is gone already.
        parameters: how to remove the parameters that the command line has written; they are not part of the stack.
    """

    stack: Deployed | None
    parameters: tuple[Part, ...]
    buckets: tuple[KeptThing, ...]
    volumes: tuple[KeptThing, ...]

    @property
    def is_nothing(self) -> bool:
        """Whether nothing is left of it."""
        return not (self.stack or self.parameters or self.buckets or self.volumes)


def remains(stacks: Stacks) -> Remains:
    """Find everything that belongs to a stack, also if the stack itself was deleted before.

    Raises:
        StorageError: AWS does not answer, or refuses.
    """
    stack = find_stack(stacks.account.client("cloudformation"), stacks.names.stack)
    return Remains(
        stack=stack,
        parameters=tuple(_parameters(stacks)),
        buckets=tuple(_bucket(stacks, name) for name in _buckets(stacks, stack)),
        volumes=tuple(_volumes(stacks)),
    )


def delete_parameters(found: Remains, tell: Callable[[str], None]) -> None:
    """Remove the parameters with the secrets of repositories, and of the user's own Prefect."""
    for part in found.parameters:
        part.remove()
        tell(f"removed: {part.what}")


def delete_kept(stacks: Stacks, found: Remains, tell: Callable[[str], None]) -> None:
    """Delete buckets with everything in them, and volumes. This cannot be undone.

    Raises:
        StorageError: AWS does not answer, or refuses; or a volume is still in use.
    """
    for bucket in found.buckets:
        _delete_bucket(stacks.account.client("s3"), bucket.name)
        tell(f"removed: {bucket.what}")
    for volume in found.volumes:
        _delete_volume(stacks, volume.name)
        tell(f"removed: {volume.what}")


def _parameters(stacks: Stacks) -> Iterator[Part]:
    parameters, full = stacks.parameters(), stacks.names.parameter
    for name in parameters.secrets():
        yield Part(f"parameter {full('secrets', name)}", partial(parameters.remove_secret, name))
    for one in parameters.repositories():
        yield Part(f"parameter {full('repositories', one.name)}", partial(parameters.remove_repository, one.name))
    if parameters.prefect():
        yield Part(f"parameter {full('prefect')}", parameters.remove_prefect)


def _buckets(stacks: Stacks, stack: Deployed | None) -> Sequence[str]:
    """The buckets with the tag of the stack, and that of the stack itself."""
    client = stacks.account.client("resourcegroupstaggingapi")
    with calling("cannot look for buckets of the stack", "tag:GetResources"):
        pages = client.get_paginator("get_resources").paginate(
            TagFilters=[{"Key": COST_TAG, "Values": [stacks.names.stack]}], ResourceTypeFilters=["s3"]
        )
        found = [str(one["ResourceARN"]).rpartition(":")[2] for page in pages for one in page["ResourceTagMappingList"]]
    own = [stack.output("ResultsBucket")] if stack is not None and stack.output("ResultsBucket") else []
    return list(dict.fromkeys([*own, *found]))


def _bucket(stacks: Stacks, name: str) -> KeptThing:
    size = _bucket_bytes(stacks.account.client("cloudwatch"), name, datetime.fromtimestamp(stacks.clock.now(), tz=UTC))
    known = prices(stacks.account.region)
    if size is None:
        return KeptThing(name, f"bucket {name}", "its size is not known yet", None)
    month = known.bucket_month * size / 1e9 if known else None
    return KeptThing(name, f"bucket {name}", f"{size / _GIB:.1f} GiB", month)


def _bucket_bytes(client: Any, name: str, now: datetime) -> float | None:
    """How big a bucket was yesterday: S3 measures it once a day."""
    with calling(f"cannot find out how big the bucket {name} is", "cloudwatch:GetMetricStatistics"):
        answer = client.get_metric_statistics(
            Namespace="AWS/S3",
            MetricName="BucketSizeBytes",
            Dimensions=[{"Name": "BucketName", "Value": name}, {"Name": "StorageType", "Value": "StandardStorage"}],
            StartTime=now - timedelta(days=3),
            EndTime=now,
            Period=24 * 3600,
            Statistics=["Average"],
        )
    found = sorted(answer["Datapoints"], key=lambda one: one["Timestamp"])
    return float(found[-1]["Average"]) if found else None


def _volumes(stacks: Stacks) -> Iterator[KeptThing]:
    known = prices(stacks.account.region)
    with calling("cannot look for volumes of the stack", "ec2:DescribeVolumes"):
        pages = (
            stacks.account.client("ec2")
            .get_paginator("describe_volumes")
            .paginate(Filters=[{"Name": f"tag:{COST_TAG}", "Values": [stacks.names.stack]}])
        )
        found = [one for page in pages for one in page["Volumes"]]
    for one in found:
        # The disk of the system goes with its instance.
        if not any(attachment.get("DeleteOnTermination") for attachment in one.get("Attachments", [])):
            month = known.disk_month * one["Size"] if known else None
            yield KeptThing(one["VolumeId"], f"volume {one['VolumeId']}", f"{one['Size']} GiB", month)


def _delete_bucket(client: Any, name: str) -> None:
    with calling(f"cannot delete the bucket {name}", "s3:DeleteObject", "s3:DeleteBucket", "s3:ListBucketVersions"):
        for page in client.get_paginator("list_object_versions").paginate(Bucket=name):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
            if objects:
                failed = client.delete_objects(Bucket=name, Delete={"Objects": objects, "Quiet": True}).get("Errors", [])
                if failed:
                    raise StorageError(f"cannot delete {failed[0]['Key']} of the bucket {name}: {failed[0]['Code']}")
        client.delete_bucket(Bucket=name)


def _delete_volume(stacks: Stacks, volume: str) -> None:
    """Delete a volume, as soon as the instance that had it is gone."""
    client, begun = stacks.account.client("ec2"), stacks.clock.now()
    while True:
        with calling(f"cannot delete the volume {volume}", "ec2:DeleteVolume"):
            try:
                client.delete_volume(VolumeId=volume)
            except ClientError as error:
                if error.response["Error"]["Code"] != "VolumeInUse" or stacks.clock.now() - begun > PATIENCE:
                    raise
            else:
                return
        stacks.clock.pause()
