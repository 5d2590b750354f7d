"""Machines: the image, the zone and the volume that a host can be made of, on EC2's protocol on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dockercise_prefect.aws.operating.machine import architecture, kept_volumes, newest_image, zone_for
from dockercise_prefect.errors import StorageError, UsageError
from tests.support.aws.moto import REGION, Aws, running_aws

pytestmark = pytest.mark.docker  # for the server


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    """An AWS whose public parameters have no image of Debian."""
    with running_aws() as running:
        yield running


@pytest.mark.parametrize(("kind", "found"), [("t3.medium", "amd64"), ("t4g.medium", "arm64")])
def test_architecture(aws: Aws, kind: str, found: str) -> None:
    """The image must fit the processor of the instance type."""
    assert architecture(aws.client("ec2"), kind) == found


def test_no_such_type(aws: Aws) -> None:
    """A type that the region does not have is refused."""
    with pytest.raises(UsageError, match=f"{REGION} has no instance type t3.enormous"):
        architecture(aws.client("ec2"), "t3.enormous")
    with pytest.raises(UsageError, match=f"no zone of {REGION} has t3.enormous"):
        zone_for(aws.client("ec2"), "t3.enormous")


def test_zone(aws: Aws) -> None:
    """The first zone that has the type is chosen, so the choice is always the same."""
    assert zone_for(aws.client("ec2"), "t3.medium") == f"{REGION}a"


def test_no_image(aws: Aws) -> None:
    """If the region does not publish the image, the message names the parameter."""
    with pytest.raises(StorageError, match="/aws/service/debian/release/13/latest/arm64"):
        newest_image(aws.client("ssm"), "arm64")


def test_volumes_that_were_kept(aws: Aws) -> None:
    """The volumes of a stack that nobody uses are found; those of other stacks, and those in use, are not."""
    ec2 = aws.client("ec2")

    def made(stack: str) -> str:
        tags = [{"ResourceType": "volume", "Tags": [{"Key": "dockercise", "Value": stack}]}]
        return str(ec2.create_volume(AvailabilityZone=f"{REGION}b", Size=40, TagSpecifications=tags)["VolumeId"])

    free, used, _ = made("dockercise"), made("dockercise"), made("dockercise-other")
    (instance,) = ec2.run_instances(ImageId="ami-0a", MinCount=1, MaxCount=1)["Instances"]
    ec2.attach_volume(VolumeId=used, InstanceId=instance["InstanceId"], Device="/dev/sdf")

    (found,) = kept_volumes(ec2, "dockercise")

    assert (found.id, found.zone, found.gib) == (free, f"{REGION}b", 40)
