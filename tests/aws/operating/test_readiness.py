"""Readiness: how the command line waits for a host, by what the host reports. At each pause, the host does one more thing."""

from __future__ import annotations

from collections.abc import Iterator

import boto3  # type: ignore[import-untyped]  # has no types
import pytest
from botocore.stub import Stubber  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.names import StackNames
from dockercise_prefect.aws.operating.instance import HostGoneError, HostState, StackInstance, marked_lines
from dockercise_prefect.aws.operating.readiness import PATIENCE, Clock, HostFailedError, Readiness
from dockercise_prefect.aws.parameters import StackParameters
from dockercise_prefect.aws.report import Phase, Report, RepositoryPhase, RepositoryState
from dockercise_prefect.results.places.objects import RefusedError
from tests.support.aws.moto import REGION, Aws, running_aws

pytestmark = pytest.mark.docker  # for the server

PACKAGE = "dockercise-prefect==0.1.0"
NAME = "acme-infra-1a2b3c4d"


class Scene:
    """A host that does one thing at each pause; then the time is over."""

    def __init__(self, aws: Aws) -> None:
        self.ec2 = ec2 = aws.client("ec2")
        (made,) = ec2.run_instances(ImageId="ami-0a", MinCount=1, MaxCount=1)["Instances"]
        self.instance = StackInstance(ec2, made["InstanceId"])
        self.parameters = StackParameters(aws.client("ssm"), StackNames())
        self.told: list[str] = []
        self._reports: list[Report] = []
        self._now = 1_000.0

    def readiness(self, *reports: Report) -> Readiness:
        """Waits for this host, which writes these reports one after the other."""
        self._reports = list(reports)
        return Readiness(self.instance, self.parameters, self.told.append, Clock(lambda: self._now, self._pause))

    def _pause(self) -> None:
        if self._reports:
            self.parameters.save_report(self._reports.pop(0))
        else:
            self._now += PATIENCE + 1


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A host that has reported nothing yet."""
    with running_aws() as aws:
        yield Scene(aws)


def test_first_boot(scene: Scene) -> None:
    """The host is ready when it works with the package, and each phase is told once."""
    waiting = scene.readiness(
        Report(at=1_001),
        Report(at=1_002),
        Report(at=1_003, phase=Phase.READY, package="another"),
        Report(at=1_004, phase=Phase.IDLE, package=PACKAGE),
    )

    report = waiting.wait_for_package(PACKAGE, since=1_000)

    assert report.phase is Phase.IDLE
    assert scene.told[-3:] == ["host: installing", "host: ready", "host: idle"]


def test_a_console_that_cannot_be_read(scene: Scene) -> None:
    """The wait goes on without the console of the first boot, and says once why."""
    scene.instance = StackInstance(scene.ec2, "i-00000000000000000")
    waiting = scene.readiness(Report(at=900), Report(at=1_001, phase=Phase.READY, package=PACKAGE))

    assert waiting.wait_for_package(PACKAGE, since=1_000).phase is Phase.READY
    assert [line for line in scene.told if "cannot read the console of the host i-00000000000000000" in line] == scene.told[:1]


def test_an_old_report_says_nothing(scene: Scene) -> None:
    """A report from before the start is no sign that the host is ready, nor that it has failed."""
    scene.parameters.save_report(Report(at=900, phase=Phase.FAILED, error="an old error"))
    waiting = scene.readiness(Report(at=1_001, phase=Phase.READY, package=PACKAGE))

    assert waiting.wait_for_package(PACKAGE, since=1_000).phase is Phase.READY


@pytest.mark.parametrize(
    "report",
    [
        Report(at=1_001, phase=Phase.FAILED, error="no space left on device"),
        Report(at=1_001, phase=Phase.READY, package="the one before", error="no space left on device"),
    ],
)
def test_a_failed_installation(scene: Scene, report: Report) -> None:
    """A host that fails, or goes on with its old package, ends the wait with its error."""
    with pytest.raises(HostFailedError, match="the host failed: no space left on device"):
        scene.readiness(report).wait_for_package(PACKAGE, since=1_000)


def test_patience_ends(scene: Scene) -> None:
    """A host that never reports ends the wait, and the message says where to look."""
    with pytest.raises(HostFailedError, match="the host is not ready after 30 minutes") as caught:
        scene.readiness().wait_for_package(PACKAGE, since=1_000)

    assert "aws logs --host" in str(caught.value.hint)


def test_a_repository_is_registered(scene: Scene) -> None:
    """The state of an older version of the parameter is not an answer."""
    older = RepositoryState(1, RepositoryPhase.FAILED, None, "an old error")
    newer = RepositoryState(2, RepositoryPhase.READY, "infra/infra")
    waiting = scene.readiness(Report(at=1_001, repositories={NAME: older}), Report(at=1_002, repositories={NAME: newer}))

    assert waiting.wait_for_repository(NAME, 2) == newer


def test_a_repository_is_forgotten(scene: Scene) -> None:
    """What the host says about a parameter that was removed is waited out."""
    scene.parameters.save_report(Report(at=900, repositories={NAME: RepositoryState(1, RepositoryPhase.FAILED)}))

    scene.readiness(Report(at=1_001)).wait_until_forgotten(NAME)

    report = scene.parameters.report()
    assert report is not None
    assert (report.at, scene.told) == (1_001, [])


def test_the_instance(scene: Scene) -> None:
    """A host is started and stopped, and since when it is so is known."""
    running = scene.instance.look()
    scene.instance.stop()
    stopped = scene.instance.look()
    started = scene.instance.start()

    assert (running.state, running.is_awake, running.since is not None) == (HostState.RUNNING, True, True)
    assert (stopped.state, stopped.is_awake, stopped.since is not None) == (HostState.STOPPED, False, True)
    assert started


def test_the_console() -> None:
    """Only the lines of the first boot that are for the user are shown, without their mark."""
    console = "[   12.3] cloud-init[612]: dockercise: installs the engine\r\nGet:1 http://deb.example\ndockercise: is done\n"

    assert marked_lines(console) == ["installs the engine", "is done"]


@pytest.mark.parametrize(
    ("code", "state"), [("IncorrectInstanceState", "stopping"), ("InsufficientInstanceCapacity", "stopped")]
)
def test_a_start_that_may_succeed_later(code: str, state: str) -> None:
    """A host that is still stopping, or has no room in its zone, cannot start now; that is no error."""
    assert not _refusing(code, state).start()


def test_a_host_that_somebody_has_terminated(scene: Scene) -> None:
    """A host that cannot come back is said to be gone, at once and an hour later, with what makes another one."""
    with pytest.raises(HostGoneError) as terminated:
        _refusing("IncorrectInstanceState", "terminated").start()
    with pytest.raises(HostGoneError) as forgotten:
        StackInstance(scene.ec2, "i-00000000000000000").look()

    assert terminated.value.message == "the host i-0a was terminated, not by dockercise"
    assert forgotten.value.message == "the host i-00000000000000000 was terminated, not by dockercise"
    assert (forgotten.value.hint or "").startswith("`dockercise aws down`, then `dockercise aws up`")


def test_a_start_without_the_right() -> None:
    """Without the right to start it, the message names the right."""
    with pytest.raises(RefusedError) as caught:
        _refusing("UnauthorizedOperation", "stopped").start()

    assert caught.value.hint == "give the credentials the right ec2:StartInstances"


def _refusing(code: str, state: str) -> StackInstance:
    """An instance in a state, whose start EC2 refuses. moto never refuses one."""
    client = boto3.client("ec2", region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test")
    stubber = Stubber(client)
    stubber.add_client_error("start_instances", code, http_status_code=403)
    found = {"InstanceId": "i-0a", "InstanceType": "t3.medium", "State": {"Name": state}}
    stubber.add_response("describe_instances", {"Reservations": [{"Instances": [found]}]})
    stubber.activate()
    return StackInstance(client, "i-0a")
