"""What the host can be made of: the image of Debian, the zone, and a volume that an earlier stack has left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.account import calling
from dockercise_prefect.aws.names import COST_TAG
from dockercise_prefect.errors import UsageError

_ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}
"""EC2's words for processors, and Debian's."""

_IMAGE = "/aws/service/debian/release/13/latest/{}"
"""The public parameter with the newest image of Debian 13 (wiki.debian.org, Cloud/AmazonEC2Image)."""


@dataclass(frozen=True, slots=True)
class KeptVolume:
    """A volume that an earlier stack has left."""

    id: str
    zone: str
    gib: int


def architecture(client: Any, instance_type: str) -> str:
    """Debian's word for the processor of an instance type: `amd64` or `arm64`.

    Args:
        client: boto3's client for EC2.

    Raises:
        UsageError: the region does not have that type.
    """
    with calling(f"cannot look for the instance type {instance_type}", "ec2:DescribeInstanceTypes"):
        try:
            found = client.describe_instance_types(InstanceTypes=[instance_type])["InstanceTypes"]
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"InvalidInstanceType", "InvalidParameterValue"}:
                raise
            found = []
    known = [
        _ARCHITECTURES[name]
        for one in found
        for name in one["ProcessorInfo"]["SupportedArchitectures"]
        if name in _ARCHITECTURES
    ]
    if not known:
        raise UsageError(f"{client.meta.region_name} has no instance type {instance_type}", "choose one such as t3.medium")
    return known[0]


def newest_image(client: Any, architecture: str) -> str:
    """The id of the newest image of Debian 13 for a processor.

    Args:
        client: boto3's client for SSM.
    """
    name = _IMAGE.format(architecture)
    with calling(f"cannot find the image of Debian, parameter {name}", "ssm:GetParameter"):
        return str(client.get_parameter(Name=name)["Parameter"]["Value"])


def zone_for(client: Any, instance_type: str) -> str:
    """The first zone of the region that has an instance type.

    Args:
        client: boto3's client for EC2.

    Raises:
        UsageError: no zone has it.
    """
    with calling(f"cannot find a zone for {instance_type}", "ec2:DescribeInstanceTypeOfferings"):
        answer = client.describe_instance_type_offerings(
            LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": [instance_type]}]
        )
    zones = sorted(str(one["Location"]) for one in answer["InstanceTypeOfferings"])
    if not zones:
        raise UsageError(f"no zone of {client.meta.region_name} has {instance_type}", "choose another --instance-type")
    return zones[0]


def kept_volumes(client: Any, stack: str) -> list[KeptVolume]:
    """The volumes with the tag of a stack that no instance uses, the newest first.

    Args:
        client: boto3's client for EC2.
    """
    filters = [{"Name": f"tag:{COST_TAG}", "Values": [stack]}, {"Name": "status", "Values": ["available"]}]
    with calling(f"cannot look for volumes of {stack}", "ec2:DescribeVolumes"):
        pages = client.get_paginator("describe_volumes").paginate(Filters=filters)
        found = sorted((one for page in pages for one in page["Volumes"]), key=lambda one: one["CreateTime"], reverse=True)
    return [KeptVolume(one["VolumeId"], one["AvailabilityZone"], int(one["Size"])) for one in found]
