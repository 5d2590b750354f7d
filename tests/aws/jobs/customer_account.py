"""A customer's account on loopback: its stack, with a host that sleeps, and its repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boto3  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.jobs.customer_access import CustomerAccess
from dockercise_prefect.aws.names import StackNames
from dockercise_prefect.aws.parameters import HostConfig, StackParameters
from dockercise_prefect.aws.repository import StackRepository
from tests.support.aws.moto import REGION, Aws

ACCOUNT = "222222222222"
EXTERNAL_ID = "kQ3v9sT1xW5zB7nM2pL4cR6d"
BUCKET = "dockercise-results-of-acme"
LOG_GROUP = "dockercise/dockercise"
REPOSITORY = "acme-infra-1a2b3c4d"
ACCESS = CustomerAccess(
    role=f"arn:aws:iam::{ACCOUNT}:role/access-for-dockercise", external_id=EXTERNAL_ID, region=REGION, stack="dockercise"
)

_TEMPLATE = """
Parameters: {HostId: {Type: String}}
Resources:
  Results: {Type: "AWS::S3::Bucket", Properties: {BucketName: %s}}
  Stages: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: %s}}
Outputs: {HostId: {Value: !Ref HostId}}
"""


@dataclass(frozen=True)
class CustomerAccount:
    """The account.

    Attributes:
        aws: the AWS on loopback.
        keys: credentials of the account.
        instance: the id of the host's instance.
    """

    aws: Aws
    keys: dict[str, str]
    instance: str

    def client(self, service: str) -> Any:
        """A client for this account."""
        return boto3.client(service, endpoint_url=self.aws.url, region_name=REGION, **self.keys)

    @property
    def parameters(self) -> StackParameters:
        """The parameters of the stack."""
        return StackParameters(self.client("ssm"), StackNames())

    @property
    def host_state(self) -> str:
        """The state of the host's instance."""
        [found] = self.client("ec2").describe_instances(InstanceIds=[self.instance])["Reservations"]
        return str(found["Instances"][0]["State"]["Name"])

    def objects(self) -> dict[str, bytes]:
        """The objects in the bucket, by key."""
        s3 = self.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    def log_streams(self) -> set[str]:
        """The names of the log streams of stages."""
        pages = self.client("logs").get_paginator("describe_log_streams").paginate(logGroupName=LOG_GROUP)
        return {stream["logStreamName"] for page in pages for stream in page["logStreams"]}


def customer_account(aws: Aws, prefect_api: str, repository: StackRepository) -> CustomerAccount:
    """Make the account, its stack and its host, which sleeps.

    Args:
        prefect_api: the API of the customer's own Prefect.
        repository: what is registered.
    """
    given = aws.client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/set-up", RoleSessionName="test")["Credentials"]
    names = {
        "AccessKeyId": "aws_access_key_id",
        "SecretAccessKey": "aws_secret_access_key",
        "SessionToken": "aws_session_token",
    }
    account = CustomerAccount(aws, {name: given[key] for key, name in names.items()}, "")
    ec2 = account.client("ec2")
    instance = str(ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"])
    ec2.stop_instances(InstanceIds=[instance])
    account.client("cloudformation").create_stack(
        StackName="dockercise",
        TemplateBody=_TEMPLATE % (BUCKET, LOG_GROUP),
        Parameters=[{"ParameterKey": "HostId", "ParameterValue": instance}],
    )
    config = HostConfig(
        stack="dockercise",
        region=REGION,
        queue="",
        lost="",
        bucket=BUCKET,
        volume="",
        log_group=LOG_GROUP,
        host_log_group=f"{LOG_GROUP}/host",
        idle_minutes=10,
        prefect_api_url=prefect_api,
        package="",
        jobs=True,
    )
    account.client("ssm").put_parameter(Name=StackNames().parameter("host"), Value=config.to_text(), Type="String")
    account.parameters.save_awake_until(0)
    account.parameters.save_repository(REPOSITORY, repository)
    return CustomerAccount(aws, account.keys, instance)
