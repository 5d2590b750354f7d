"""The template of a stack: CloudFormation would take it, and it makes what the command line, the door and the host rely on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cfnlint.api import lint  # type: ignore[import-untyped]  # has no types
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]  # has no types
from cfnlint.decode import decode_str  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.names import AWAKE_METRIC, COST_TAG, DISK_METRIC, METRICS, StackNames
from dockercise_prefect.aws.parameters import HostConfig
from dockercise_prefect.aws.stack import door, rendering
from tests.support.aws.moto import REGION, Aws
from tests.support.aws.stack_template import template_for_moto

ROOT = Path(__file__).parents[3]
PARAMETERS = {
    *("ImageId", "Zone", "InstanceType", "RootGiB", "DiskGiB", "VolumeId", "IdleMinutes", "SilentHours", "AwakeHours", "Email"),
    *("BudgetDollars", "PrefectApiUrl", "Package", "LogDays", "Jobs", "RoleBoundary", "HostId"),
}
OUTPUTS = {"WebhookUrl", "HostId", "ResultsBucket", "QueueUrl", "LostUrl", "LogGroup", "VolumeId"}
GIVEN = {"ImageId": "ami-12c6146b", "Zone": "eu-west-1a", "Package": "dockercise-prefect==0.1.0"}
WITHOUT_TAGS = {
    *("AWS::EC2::VPCGatewayAttachment", "AWS::EC2::Route", "AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::LaunchTemplate"),
    *("AWS::IAM::InstanceProfile", "AWS::Lambda::Url", "AWS::Lambda::Permission", "AWS::Events::Rule", "AWS::Budgets::Budget"),
}
"""Types that take no tags, or take them elsewhere. A rule costs nothing."""

FAULTS = {
    "wrong-property": ("MessageRetentionPeriod: 1209600", "MessageRetention: 1209600", "E3002"),
    "missing-reference": ("VpcId: !Ref Vpc, InternetGatewayId", "VpcId: !Ref Vpv, InternetGatewayId", "E1020"),
    "missing-attribute": ("!GetAtt DoorUrl.FunctionUrl", "!GetAtt DoorUrl.Url", "E6101"),
    "wrong-type": ("VisibilityTimeout: 120", "VisibilityTimeout: [120]", "E3012"),
    "unknown-resource": ("Type: AWS::SNS::Topic", "Type: AWS::SNS::Topics", "E3006"),
    "missing-property": ("      Role: !GetAtt DoorRole.Arn\n", "", "E3003"),
    "unknown-condition": ("Condition: SendsAlarms", "Condition: SendsAlarm", "E3015"),
    "circle": (
        "DependsOn: Attachment",
        "DependsOn: Routed2\n  Routed2: {Type: AWS::SNS::Topic, DependsOn: WayOut}\n  Vain:",
        "E3004",
    ),
}


@cache
def template() -> Mapping[str, Any]:
    """The template as CloudFormation reads it, with functions written out."""
    read, problems = decode_str(rendering.template())
    assert not problems
    return dict(read or {})


def codes(text: str) -> set[str]:
    """What cfn-lint finds in a template."""
    return {found.rule.id for found in lint(text, config=ManualArgs(regions=[REGION, "us-east-1"]))}


def test_template_is_clean() -> None:
    """cfn-lint finds nothing in the template."""
    assert codes(rendering.template()) == set()


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found(fault: str) -> None:
    """cfn-lint finds a fault that is put into the template."""
    right, wrong, code = FAULTS[fault]
    text = rendering.template()
    assert right in text, "the fault fits no line of the template any more"

    found = codes(text.replace(right, wrong, 1))

    assert code in found


def test_template_needs_no_bucket() -> None:
    """The template is small enough to be given to CloudFormation directly."""
    assert len(rendering.template().encode()) <= rendering.MOST_BYTES


def test_template_in_deployments_is_up_to_date() -> None:
    """`deployments/aws/template.yaml` is the template. `python -m dockercise_prefect.aws.stack.rendering` writes it."""
    assert (ROOT / "deployments/aws/template.yaml").read_text(encoding="utf-8") == rendering.template()


def test_parameters_and_outputs() -> None:
    """The template has the parameters and outputs that the command line uses."""
    assert set(template()["Parameters"]) == PARAMETERS
    assert set(template()["Outputs"]) == OUTPUTS


def test_image_and_zone_have_no_defaults() -> None:
    """Image and zone must be given: a default that moves would replace the instance at any update."""
    needed = {name for name, parameter in template()["Parameters"].items() if "Default" not in parameter}

    assert needed == {"ImageId", "Zone"}


def test_door_in_the_template_is_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code in the template is the door without its docstrings, and Lambda finds the handler in it."""
    resource = template()["Resources"]["Door"]["Properties"]
    code = resource["Code"]["ZipFile"]
    module = ModuleType("index")
    monkeypatch.setitem(sys.modules, "index", module)

    exec(compile(code, "index.py", "exec", dont_inherit=True), vars(module))  # noqa: S102  Lambda does the same

    names = vars(module)
    assert resource["Handler"] == "index.handler"
    assert set(names) >= {name for name in vars(door) if not name.startswith("__")}
    assert (names["PUSHES"], names["KEPT"], names["LARGEST"]) == (door.PUSHES, door.KEPT, door.LARGEST)


def test_door_is_told_what_it_reads() -> None:
    """The function's environment has the variables that the door reads, and no others."""
    variables = template()["Resources"]["Door"]["Properties"]["Environment"]["Variables"]
    values = dict.fromkeys(variables, "12")

    names = door.Names.from_environment(values)

    assert names.silent_hours == 12
    for name in variables:
        with pytest.raises(KeyError):
            door.Names.from_environment({other: "12" for other in variables if other != name})


def test_user_data_is_a_script() -> None:
    """The user data is one bash script, and begins with the names that it uses."""
    joined = template()["Resources"]["Host"]["Properties"]["UserData"]["Fn::Base64"]["Fn::Join"][1]
    script = joined[0]["Fn::Sub"] + joined[1]

    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert script.splitlines()[0] == "#!/bin/bash"
    assert len(script) <= 16_384, "EC2 takes 16 KB of user data"


def test_everything_has_the_cost_tag() -> None:
    """All resources that can have tags have the tag by which their costs are counted."""
    untagged = []
    for name, resource in template()["Resources"].items():
        tags = resource["Properties"].get("Tags", [])
        keys = set(tags) if isinstance(tags, dict) else {tag["Key"] for tag in tags}
        if resource["Type"] not in WITHOUT_TAGS and COST_TAG not in keys:
            untagged.append(name)

    assert untagged == []


def test_bucket_and_volume_are_kept() -> None:
    """Results and the host's volume stay when the stack is deleted, unless it could not be made; nothing else stays."""
    kept = {
        name: (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
        for name, resource in template()["Resources"].items()
        if {"DeletionPolicy", "UpdateReplacePolicy"} & set(resource)
    }

    assert kept == dict.fromkeys(("Bucket", "Volume"), ("RetainExceptOnCreate", "Retain"))


def test_host_is_closed() -> None:
    """Containers do not reach the host's credentials, nothing comes in from outside, and a shutdown only stops the host."""
    resources = template()["Resources"]
    data = resources["HostTemplate"]["Properties"]["LaunchTemplateData"]

    assert data["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"}
    assert data["InstanceInitiatedShutdownBehavior"] == "stop"
    assert "SecurityGroupIngress" not in resources["Closed"]["Properties"]
    assert set(resources["Bucket"]["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}


def test_metrics_are_those_of_the_host() -> None:
    """The alarms look at the metrics that the host sends."""
    resources = template()["Resources"]

    awake, disk = (resources[name]["Properties"] for name in ("AwakeAlarm", "DiskAlarm"))

    assert (awake["Namespace"], awake["MetricName"]) == (METRICS, AWAKE_METRIC)
    assert (disk["Namespace"], disk["MetricName"]) == (METRICS, DISK_METRIC)
    assert {one["Name"] for one in (*disk["Dimensions"], *awake["Dimensions"])} == {"Stack"}


@pytest.mark.parametrize(
    ("parameter", "given", "takes"),
    [
        ("Package", "dockercise-prefect @ git+https://example.org/dockercise.git@0123abc", True),
        ("Package", "s3:host/0123abc/", True),
        ("Package", 'dockercise-prefect", "x": "y', False),
        ("Package", "", False),
        ("PrefectApiUrl", "", True),
        ("PrefectApiUrl", "https://prefect.example.org/api", True),
        ("PrefectApiUrl", "prefect.example.org", False),
        ("Email", "", True),
        ("Email", "ops@example.org", True),
        ("Email", "ops", False),
        ("VolumeId", "vol-0123456789abcdef0", True),
        ("VolumeId", "i-0123456789abcdef0", False),
    ],
)
def test_parameters_take_what_makes_sense(parameter: str, given: str, takes: bool) -> None:
    """A value that would break the host's settings is refused by CloudFormation, before anything is made."""
    pattern = template()["Parameters"][parameter]["AllowedPattern"]

    assert bool(re.fullmatch(pattern, given)) == takes


@pytest.mark.docker
def test_stack_has_the_names_that_its_parts_use(aws: Aws) -> None:
    """Queues, log groups, function and parameters have the names of `StackNames`, and the host can read its settings."""
    names = StackNames("dockercise-template")
    parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in GIVEN.items()]

    aws.client("cloudformation").create_stack(
        StackName=names.stack, TemplateBody=template_for_moto(), Parameters=parameters, Capabilities=["CAPABILITY_IAM"]
    )

    made = aws.client("cloudformation").describe_stack_resources(StackName=names.stack)["StackResources"]
    ids = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in made if "PhysicalResourceId" in one}
    value = aws.client("ssm").get_parameter(Name=names.parameter("host"))["Parameter"]["Value"]
    config = HostConfig.from_text(value)
    assert config == HostConfig(
        stack=names.stack,
        region=REGION,
        queue=ids["Pushes"],
        lost=ids["Lost"],
        bucket=ids["Bucket"],
        volume=ids["Volume"],
        log_group=names.log_group,
        host_log_group=names.host_log_group,
        idle_minutes=10,
        prefect_api_url="",
        package=GIVEN["Package"],
    )
    assert (config.queue.rsplit("/", 1)[1], config.lost.rsplit("/", 1)[1]) == (names.queue, names.lost)
    assert {ids[one] for one in ("StageLogs", "HostLogs", "DoorLogs")} == {
        names.log_group,
        names.host_log_group,
        names.door_log_group,
    }
    assert ids["Door"] == names.door
    notes = {
        note: aws.client("ssm").get_parameter(Name=names.parameter(note))["Parameter"]["Value"]
        for note in ("wake-at", "awake-until", "report")
    }
    assert notes == {"wake-at": "never", "awake-until": "0", "report": "{}"}
    environment = aws.client("lambda").get_function_configuration(FunctionName=names.door)["Environment"]["Variables"]
    assert environment["HOST"] == ids["Host"]
    assert json.loads(value)["package"] == GIVEN["Package"]
