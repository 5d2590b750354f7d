"""`aws results`: which records it shows, against AWS's protocol on loopback."""

from __future__ import annotations

import os
from pathlib import Path

import boto3  # type: ignore[import-untyped]  # has no types
import httpx
import pytest

from dockercise_prefect.aws.names import StackNames
from dockercise_prefect.aws.parameters import HostConfig
from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.results.serving.server import listen
from tests.support.aws.moto import REGION, Aws
from tests.support.command import Command
from tests.support.recorded_runs import Recorded, failed_run, run_id
from tests.support.results_command import showing

pytestmark = pytest.mark.docker  # for the server of AWS

OWN = "123456789012"
OTHER = "210987654321"
ROLE = f"arn:aws:iam::{OTHER}:role/dockercise-operator"


@pytest.fixture(autouse=True)
def user(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user with an AWS folder, and nothing else."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "DOCKERCISE_"))]:
        monkeypatch.delenv(name)
    folder = aws.write_folder(tmp_path / "aws")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    monkeypatch.setenv("DOCKERCISE_DATA", str(tmp_path / "data"))


def make_stack(session: boto3.Session, url: str, name: str, run: Recorded) -> None:
    """What a stack has of records: a bucket with a run, and the parameter that names the bucket."""
    bucket = f"{name}-results"
    s3 = session.client("s3", endpoint_url=url)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for file in run.folder.iterdir():
        s3.put_object(Bucket=bucket, Key=f"results/shop/{run.run_id}/{file.name}", Body=file.read_bytes())
    texts = ("queue", "lost", "volume", "log_group", "host_log_group", "prefect_api_url", "package")
    config = HostConfig(stack=name, region=REGION, bucket=bucket, idle_minutes=10, jobs=False, **dict.fromkeys(texts, "x"))
    parameter = StackNames(name).parameter("host")
    session.client("ssm", endpoint_url=url).put_parameter(Name=parameter, Value=config.to_text(), Type="String")


def read(first: str, *paths: str) -> list[str]:
    """What a browser reads that opens the first address, and then these pages; first, the page that the address leads to."""
    base = httpx.URL(first).copy_with(path="/", query=None)
    with httpx.Client(base_url=base, timeout=120, trust_env=False) as browser:
        opening = browser.get(first)
        (there,) = [part.split('"')[0] for part in opening.text.split("0; url=")[1:]]
        return [there, *(browser.get(path).raise_for_status().text for path in (there, *paths))]


def test_the_bucket_of_a_stack_is_shown(aws: Aws, tmp_path: Path) -> None:
    """The stack knows its bucket. The first page is the account's, or that of the named run; Ctrl-C is no error."""
    make_stack(aws.session(), aws.url, "dockercise", failed_run(tmp_path / "results"))

    with showing(os.environ) as shown:
        there, account = read(shown.first)
    with showing(os.environ, "shop", "last") as of_run:
        run, page, log = read(of_run.first, f"/{OWN}/shop/{run_id()}/check.log")

    assert shown.place == f"s3://dockercise-results/results in account {OWN}, until Ctrl-C:"
    assert (there, run) == (f"/{OWN}", f"/{OWN}/shop/{run_id()}")
    assert f'href="/{OWN}/shop"' in account
    assert "What went wrong" in page
    assert log == "looking\ngrep: no match\n"
    assert (shown.status, shown.errors) == (ExitStatus.DONE, "")


def test_another_accounts_role_shows_its_results(aws: Aws, tmp_path: Path) -> None:
    """With a role and its external id, the pages are those of the role's account, under its number."""
    from moto.sts.models import sts_backends

    theirs = aws.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="test")["Credentials"]
    session = boto3.Session(theirs["AccessKeyId"], theirs["SecretAccessKey"], theirs["SessionToken"], REGION)
    make_stack(session, aws.url, "dockercise-acme", failed_run(tmp_path / "results"))

    role = ("--role", ROLE, "--external-id", "an-id-of-ours", "--region", REGION)
    with showing(os.environ, *role, "--name", "dockercise-acme", "shop", run_id()[:8]) as shown:
        there, page = read(shown.first)
        location = httpx.URL(shown.first).copy_with(path=f"{there}/index.json", query=None)

    assert (there, location.path) == (f"/{OTHER}/shop/{run_id()}", f"/{OTHER}/shop/{run_id()}/index.json")
    assert "What went wrong" in page
    assert "an-id-of-ours" in [role.external_id for role in sts_backends[OTHER]["aws"].assumed_roles]
    assert "an-id-of-ours" not in page


def test_without_a_stack_any_bucket_is_shown(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket can be named, or be the setting `results`; the stack is not asked."""
    make_stack(aws.session(), aws.url, "dockercise", failed_run(tmp_path / "results"))
    aws.client("ssm").delete_parameter(Name="/dockercise/dockercise/host")

    with showing(os.environ, "--bucket", "s3://dockercise-results/results", "shop") as named:
        of_pipeline, runs = read(named.first)
    monkeypatch.setenv("DOCKERCISE_RESULTS", "s3://dockercise-results/results")
    with showing(os.environ) as usual:
        of_account, _ = read(usual.first)

    assert (of_pipeline, of_account) == (f"/{OWN}/shop", f"/{OWN}")
    assert "check (exit code 1)" in runs


def test_a_service_without_accounts(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is only compatible with S3 is not asked for an account."""
    make_stack(aws.session(), aws.url, "dockercise", failed_run(tmp_path / "results"))
    monkeypatch.setenv("DOCKERCISE_S3_ENDPOINT", aws.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")

    with showing(os.environ, "--bucket", "s3://dockercise-results/results", "shop") as shown:
        there, runs = read(shown.first)

    assert there == "/000000000000/shop"
    assert run_id() in runs


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (
            [],
            2,
            "there is no stack dockercise in eu-west-1\n  hint: choose it with `--name` and `--region`, or the bucket with",
        ),
        (["--name", "dockercise-x"], 2, "there is no stack dockercise-x in eu-west-1\n  hint: "),
        (["--name", "shop"], 2, "`shop` cannot be the name of a stack\n  hint: use `dockercise`"),
        (["--bucket", "results"], 2, "results is not a bucket\n  hint: write s3://bucket/prefix"),
        (["--bucket", "s3://a_b/c"], 2, "`a_b` cannot be the name of a bucket"),
        (["--bucket", "s3://mine", "--name", "dockercise"], 2, "--bucket and --name both choose the bucket\n  hint: use one"),
        (["--bucket", "s3://no-such-bucket"], 3, "cannot list s3://no-such-bucket/: NoSuchBucket"),
        (["--bucket", "s3://mine", "shop"], 2, "there is no run of a pipeline `shop` in s3://mine\n  hint: "),
        (["--profile", "nobody"], 3, "The config profile (nobody) could not be found\n  hint: `aws configure list-profiles`"),
        (["--external-id", "x"], 2, "--external-id cannot be used without --role\n  hint: add --role"),
        (["--port", "70000"], 2, "70000 is not in the range"),
    ],
)
def test_what_is_wrong_is_said_before_a_browser_opens(
    aws: Aws, command: Command, arguments: list[str], status: int, said: str
) -> None:
    """A wrong option, a stack or a bucket that does not exist, is an error in the terminal with what to do."""
    aws.bucket("mine")

    outcome = command("aws", "results", *arguments)

    assert outcome.status == status
    assert said in outcome.err
    assert "Traceback" not in outcome.err


def test_a_port_that_is_in_use(aws: Aws, command: Command) -> None:
    """If another program has the port, another one can be chosen."""
    aws.bucket("mine")
    with listen(0) as taken:
        outcome = command("aws", "results", "--bucket", "s3://mine", "--port", str(taken.getsockname()[1]))

    assert outcome.status == 2
    assert "hint: choose another port with `--port`" in outcome.err
