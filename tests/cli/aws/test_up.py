"""`aws up`: makes a stack, changes it, and fails without leaving anything half made."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from dockercise_prefect.aws.operating.changing import ChangeSet, StackChanges
from dockercise_prefect.aws.operating.deployed import Deployed
from dockercise_prefect.aws.report import Phase
from tests.support.aws.stack_world import PACKAGE, StackWorld

pytestmark = pytest.mark.docker  # for the server


def test_one_command_makes_the_stack(aws_world: StackWorld) -> None:
    """One command makes the stack, lists its resources, waits for the host, and says what to type next."""
    said = aws_world.up()

    assert said.status == 0, said
    stack = aws_world.stack()
    assert stack is not None
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert "cost: about $4.93 a month asleep, $0.051 for each hour awake (prices of 2026-11" in said.out
    assert "✓ Door (AWS::Lambda::Function) made" in said.out
    assert said.out.index("Bucket (AWS::S3::Bucket) made") < said.out.index("the host is ready")
    assert f"pushes are received at {aws_world.webhook()}" in said.out
    assert f"dockercise aws up --name {aws_world.names.stack} OWNER/REPO  connects a repository" in said.out
    assert aws_world.state() == "running"
    assert {"Key": "dockercise", "Value": aws_world.names.stack} in stack["Tags"]


def test_again_there_is_nothing_to_do(aws_world: StackWorld) -> None:
    """A second call changes nothing and says so, and keeps the values of the first call."""
    aws_world.up("--idle-minutes", "20")
    before = aws_world.stack()

    said = aws_world.again()

    assert (said.status, said.out.splitlines()[-1]) == (0, "nothing to do")
    assert aws_world.stack() == before
    config = aws_world.parameters().host()
    assert config is not None
    assert config.idle_minutes == 20


def test_what_has_changed_is_changed(aws_world: StackWorld) -> None:
    """A call with another value shows what changes, and changes it."""
    aws_world.up()

    said = aws_world.again("--idle-minutes", "30")

    config = aws_world.parameters().host()
    assert said.status == 0, said
    assert "would change HostSettings (AWS::SSM::Parameter)" in said.out
    assert config is not None
    assert config.idle_minutes == 30


def test_jobs_are_let_in_and_kept_out(aws_world: StackWorld) -> None:
    """`--jobs` tells the host to let jobs of another account in, a call without it keeps that, and `--no-jobs` ends it."""
    said = [aws_world.up(), aws_world.again("--jobs"), aws_world.again("--idle-minutes", "30")]
    kept = aws_world.parameters().host()
    said.append(aws_world.again("--no-jobs"))
    ended = aws_world.parameters().host()

    assert [one.status for one in said] == [0] * 4
    assert "would change HostRole (AWS::IAM::Role)" in said[1].out
    assert kept is not None
    assert ended is not None
    assert (kept.jobs, ended.jobs) == (True, False)


def test_another_package_is_installed(aws_world: StackWorld) -> None:
    """A sleeping host is woken for another package; afterwards it may sleep again."""
    aws_world.up()
    aws_world.verb("sleep")

    said = aws_world.verb("up", "--package", "dockercise-prefect==0.2.0", "--yes")

    report = aws_world.parameters().report()
    assert said.status == 0, said
    assert "the host is starting" in said.out
    assert report is not None
    assert report.package == "dockercise-prefect==0.2.0"
    assert aws_world.parameters().awake_until() == 0


def test_a_wheel_lies_in_the_bucket(aws_world: StackWorld, tmp_path: Path) -> None:
    """A folder with a wheel and its lock is put into the bucket, and the stack names its place."""
    folder = tmp_path / "wheel"
    folder.mkdir()
    (folder / "dockercise_prefect-0.1.0-py3-none-any.whl").write_bytes(b"a wheel")
    (folder / "requirements.lock").write_text("# the lock")

    said = aws_world.verb("up", *aws_world.machine, "--package", str(folder), "--yes")
    again = aws_world.verb("up", "--package", str(folder), "--yes")

    objects = aws_world.client("s3").list_objects_v2(Bucket=aws_world.bucket())["Contents"]
    config = aws_world.parameters().host()
    assert said.status == 0, said
    assert config is not None
    place = config.package.removeprefix("s3:")
    assert config.package.startswith("s3:host/")
    assert sorted(one["Key"] for one in objects) == [
        f"{place}dockercise_prefect-0.1.0-py3-none-any.whl",
        f"{place}requirements.lock",
    ]
    assert "nothing to do" in again.out


def test_dry_run(aws_world: StackWorld) -> None:
    """A dry run shows what would be made, or what would change, and changes nothing."""
    first = aws_world.up("--dry-run")
    nothing = aws_world.stack()
    aws_world.up()
    before = aws_world.stack()
    second = aws_world.again("--dry-run", "--idle-minutes", "40")

    assert (first.status, nothing) == (0, None)
    assert f"stack {aws_world.names.stack} will be made" in first.out
    assert "would change HostSettings" in second.out
    assert aws_world.stack() == before
    waiting = aws_world.client("cloudformation").list_change_sets(StackName=aws_world.names.stack)["Summaries"]
    assert [one["ChangeSetName"] for one in waiting if one["ExecutionStatus"] == "AVAILABLE"] == []


def test_a_failed_create_leaves_nothing(aws_world: StackWorld) -> None:
    """If a resource cannot be made, the reason is said, and the stack is gone; a bucket that would be kept is gone too."""
    taken = aws_world.client("ssm")
    taken.put_parameter(Name=aws_world.names.parameter("wake-at"), Value="taken", Type="String")
    before = {one["Name"] for one in aws_world.client("s3").list_buckets()["Buckets"]}

    said = aws_world.up()

    assert said.status == 3
    assert f"the stack {aws_world.names.stack} was not made, and nothing of it is left:" in said.err
    assert "WakeAt (AWS::SSM::Parameter)" in said.err
    assert aws_world.stack() is None
    assert {one["Name"] for one in aws_world.client("s3").list_buckets()["Buckets"]} == before


def test_a_host_that_fails(aws_world: StackWorld) -> None:
    """If the host cannot install itself, its error is said, and the same command goes on when it is repaired."""
    aws_world.host.error = "no space left on device"

    said = aws_world.up()
    aws_world.host.error = None
    again = aws_world.again()

    assert said.status == 3
    assert "the host failed: no space left on device" in said.err
    assert again.status == 0, again
    report = aws_world.parameters().report()
    assert report is not None
    assert report.phase is Phase.IDLE


def test_the_remains_of_a_failed_create_are_no_obstacle(aws_world: StackWorld) -> None:
    """A stack that was never made, for example because its maker was killed, is made anew."""
    aws_world.client("cloudformation").create_change_set(
        StackName=aws_world.names.stack,
        ChangeSetName="killed",
        ChangeSetType="CREATE",
        TemplateBody="Resources: {Queue: {Type: 'AWS::SQS::Queue'}}",
    )

    said = aws_world.up()

    stack = aws_world.stack()
    assert said.status == 0, said
    assert stack is not None
    assert stack["StackStatus"] == "CREATE_COMPLETE"


def test_interruption(aws_world: StackWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle says what is there and how to go on; the same command continues."""
    apply = StackChanges.apply

    def interrupted(changes: StackChanges, change_set: ChangeSet, existing: Deployed | None) -> Deployed:
        done = apply(changes, change_set, existing)
        os.kill(os.getpid(), signal.SIGINT)
        return done

    monkeypatch.setattr(StackChanges, "apply", interrupted)
    said = aws_world.up()
    monkeypatch.setattr(StackChanges, "apply", apply)
    again = aws_world.again()

    assert said.status == 130
    assert f"interrupted: the stack {aws_world.names.stack} is CREATE_COMPLETE." in said.err
    assert f"`dockercise aws down --name {aws_world.names.stack}` takes it away" in said.err
    assert again.status == 0, again


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--parameter", "IdleMinute=3"), "did you mean IdleMinutes?"),
        (("--parameter", "IdleMinutes"), "has no value"),
        (("--package", "something-else"), "is not a package that the host can install"),
        (("--region", "Ireland"), "is not a region of AWS"),
        (("--external-id", "x"), "--external-id cannot be used without --role"),
        (("--instance-type", "t3.enormous"), "has no instance type t3.enormous"),
        (("--statuses",), "--statuses cannot be used without a repository"),
        (("--cron", "0 3 * * *"), "--cron cannot be used without a repository"),
        (("/srv/repository",), "is not a GitHub repository"),
        (("https://git.example.org:8443/acme/infra",), "give its ssh URL"),
    ],
)
def test_wrong_input(aws_world: StackWorld, arguments: tuple[str, ...], said: str) -> None:
    """A wrong call is reported, with what to do, before anything is made."""
    outcome = aws_world.verb("up", "--package", PACKAGE, "--yes", *arguments)

    assert outcome.status in {2, 3}
    assert said in outcome.err
    assert aws_world.stack() is None


@pytest.mark.parametrize("name", ["acme", "dockercise_x", "dockercise-" + "x" * 40])
def test_wrong_name(aws_world: StackWorld, name: str) -> None:
    """The name of a stack begins with dockercise, so that one policy covers all of them."""
    said = aws_world.call("aws", "up", "--name", name)

    assert said.status == 2
    assert "cannot be the name of a stack" in said.err


def test_nobody_to_ask(aws_world: StackWorld) -> None:
    """Without a terminal and without --yes, nothing is made."""
    said = aws_world.verb("up", *aws_world.machine, "--package", PACKAGE)

    assert (said.status, aws_world.stack()) == (2, None)
    assert "add --yes to agree" in said.err


def test_login_of_ones_own_prefect(aws_world: StackWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of one's own Prefect is stored encrypted, is in no output, and goes when the host has its own Prefect again."""
    monkeypatch.setenv("PREFECT_API_KEY", "pnu_1234567890secret")

    said = aws_world.up("--prefect-api-url", "https://api.prefect.cloud/api/accounts/1/workspaces/2")
    stored = aws_world.parameters().prefect()
    again = aws_world.again("--prefect-api-url", "")

    assert said.status == 0, said
    assert stored == {"PREFECT_API_KEY": "pnu_1234567890secret"}
    assert aws_world.parameters().prefect() == {}
    assert "1234567890secret" not in said.out + said.err + again.out + again.err
