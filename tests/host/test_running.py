"""The commands of the host as processes, with an AWS on loopback and without Prefect."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from dockercise_prefect.aws.names import AWAKE_METRIC, METRICS, StackNames
from dockercise_prefect.aws.parameters import HostConfig, StackParameters
from dockercise_prefect.aws.report import Phase, Report
from tests.host.queues import Queues
from tests.support.aws.moto import FOLDER_KEY_ID, FOLDER_SECRET, REGION, Aws
from tests.webhook.world import eventually

pytestmark = pytest.mark.docker  # for the server

STACK = "dockercise-running"
COMMAND = [sys.executable, "-m", "dockercise_prefect", "host", "run"]


@pytest.fixture
def environment(aws: Aws, tmp_path: Path) -> Mapping[str, str]:
    """The variables of the unit. Nobody answers where Prefect should be."""
    return os.environ | {
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_ACCESS_KEY_ID": FOLDER_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": FOLDER_SECRET,
        "AWS_DEFAULT_REGION": REGION,
        "DOCKERCISE_STACK": STACK,
        "DOCKERCISE_DATA": str(tmp_path / "data"),
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
        "PREFECT_CLIENT_MAX_RETRIES": "0",
    }


@pytest.fixture
def parameters(aws: Aws, queues: Queues, tmp_path: Path) -> Iterator[StackParameters]:
    """The parameters of a stack whose host may sleep at once."""
    (tmp_path / "data").mkdir()
    names = StackNames(STACK)
    config = HostConfig(
        stack=STACK,
        region=REGION,
        queue=queues.queue,
        lost=queues.lost,
        bucket="none",
        volume="vol-1",
        log_group=names.log_group,
        host_log_group=names.host_log_group,
        idle_minutes=0,
        prefect_api_url="",
        package="dockercise-prefect==7",
    )
    ssm = aws.client("ssm")
    ssm.put_parameter(Name=names.parameter("host"), Type="String", Value=config.to_text(), Overwrite=True)
    yield StackParameters(ssm, names)
    ssm.delete_parameters(Names=[names.parameter("host"), names.parameter("report")])


def awake_minutes_put(aws: Aws) -> int:
    """How often the host has said for how long it was awake."""
    now = datetime.now(UTC)
    answer = aws.client("cloudwatch").get_metric_statistics(
        Namespace=METRICS,
        MetricName=AWAKE_METRIC,
        Dimensions=[{"Name": "Stack", "Value": STACK}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=86400,
        Statistics=["SampleCount"],
    )
    return int(sum(point["SampleCount"] for point in answer["Datapoints"]))


def test_the_host_reports_and_ends_on_a_signal(
    aws: Aws, parameters: StackParameters, environment: Mapping[str, str], tmp_path: Path
) -> None:
    """While Prefect does not answer, the host stays awake and says so; SIGTERM ends it with exit status 0.

    It says for how long it was awake at its start and at its end.
    """
    command = [*COMMAND, "--root", str(tmp_path / "root")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            eventually(lambda: parameters.report() is not None or process.poll() is not None, every=0.2)
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=120)
        finally:
            process.kill()

    report = parameters.report()
    assert process.returncode == 0, output
    assert report is not None
    assert (report.phase, report.package) == (Phase.READY, "dockercise-prefect==7")
    assert any(reason.startswith("Prefect failed") for reason in report.waits_for)
    assert output.splitlines()[0] == f"the host of {STACK} is awake"
    assert output.splitlines()[-1] == "ending"
    assert awake_minutes_put(aws) == 2
    assert not (tmp_path / "root/run/dockercise/sleep").exists()


def test_a_start_is_no_work(parameters: StackParameters, environment: Mapping[str, str], tmp_path: Path) -> None:
    """A host process that ends again and again does not look busy: its last report says when work got ahead last."""
    booted = int(psutil.boot_time())
    said = Report(at=booted + 60, worked_at=booted + 50)
    parameters.save_report(said)
    command = [*COMMAND, "--root", str(tmp_path / "root")]

    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT) as process:
        try:
            eventually(lambda: parameters.report() != said or process.poll() is not None, every=0.2)
        finally:
            process.kill()

    report = parameters.report()
    assert report is not None
    assert report.at > said.at
    assert report.worked_at == said.worked_at


def test_a_set_up_that_fails_is_reported(parameters: StackParameters, environment: Mapping[str, str], tmp_path: Path) -> None:
    """If the machine cannot be set up, the console and the report say why, and the exit status says that it failed."""
    nowhere = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "dockercise_prefect", "host", "install", "--root", str(tmp_path / "root")]

    done = subprocess.run(command, env={**environment, **nowhere}, capture_output=True, text=True, check=False, timeout=120)

    report = parameters.report()
    assert (done.returncode, done.stdout) == (
        3,
        "dockercise: failed: the metadata of the instance cannot be read: ConnectError\n",
    )
    assert report is not None
    assert (report.phase, report.error) == (Phase.FAILED, "the metadata of the instance cannot be read: ConnectError")


def test_a_stack_that_does_not_exist_is_wrong_input(aws: Aws, environment: Mapping[str, str]) -> None:
    """Without the parameter of the stack, the command says so and what makes one, without a traceback."""
    done = subprocess.run(
        [*COMMAND, "--stack", "dockercise-none"], env=environment, capture_output=True, text=True, check=False, timeout=120
    )

    assert (done.returncode, done.stderr) == (
        2,
        f"there is no stack dockercise-none in {REGION}\n  hint: `dockercise aws up` makes one\n",
    )
