"""A job: a customer's commit runs on the customer's host, with its record and its logs in the customer's account."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

import pytest

from dockercise_prefect.aws.account import Access, Account
from dockercise_prefect.aws.jobs.customer_access import save_access
from dockercise_prefect.aws.jobs.job import open_job
from dockercise_prefect.aws.jobs.login_keys import offered_keys
from dockercise_prefect.aws.jobs.order import ORDER_VARIABLE, Order
from dockercise_prefect.aws.names import StackNames
from dockercise_prefect.aws.repository import RepositoryOptions, StackRepository
from dockercise_prefect.aws.role.template import template_text
from dockercise_prefect.runtime.docker.connection import connect
from scripts.environment import ROOT
from tests.aws.jobs.customer_account import ACCESS, EXTERNAL_ID, REPOSITORY, CustomerAccount, customer_account
from tests.aws.jobs.engine_host import TOKEN, EngineHost, engine_host, path_with, session_of, write_plugin
from tests.engines.scripted import BUSYBOX
from tests.engines.second_engine import second_engine
from tests.support.aws.aws_image import SEED_IMAGES, ensure_aws_image, seed_images
from tests.support.aws.cfn import allows, read_template
from tests.support.aws.moto import FOLDER_KEY_ID, FOLDER_SECRET, REGION, Aws, running_aws
from tests.support.aws.recorder import Recorder, recording
from tests.support.hosts.git_repository import commit_all, git, make_bare_repository, make_repository
from tests.support.seed import ACCOUNT as ACCOUNT_OF_THE_SEED
from tests.support.seed import STAGES, user_environment
from tests.support.suite.leaks import found, unpacked

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

WEBHOOK_SECRET = "webhook-secret-9Fh2"

SHOP = f"""\
build:
  img: "{BUSYBOX}"
  triggers: src/
  env: [DOCKERCISE_BRANCH, COLOUR]
  run: echo $DOCKERCISE_BRANCH $COLOUR; exit 3
docs:
  img: "{BUSYBOX}"
  triggers: docs/
  run: echo docs
"""

GATEWAY = "172.30.253.1"
"""The address of this machine for containers of the second engine."""


def seed_with_variables(endpoint: str) -> dict[str, str]:
    """The seed's pipeline, whose credentials and address of AWS are variables: a job has no AWS folder for stages."""
    given = f"AWS_ACCESS_KEY_ID: {FOLDER_KEY_ID}, AWS_SECRET_ACCESS_KEY: {FOLDER_SECRET}, AWS_DEFAULT_REGION: {REGION}"
    files = {}
    for file in (ROOT / "flows/infra").glob("*.dockercise.yaml"):
        text = file.read_text(encoding="utf-8")
        text = text.replace("assume-role:\n", f"assume-role:\n  env: {{{given}, AWS_ENDPOINT_URL: '{endpoint}'}}\n", 1)
        files[file.name] = text.replace("    - AWS_DEFAULT_REGION", "    - AWS_DEFAULT_REGION\n    - AWS_ENDPOINT_URL")
    return files


@dataclass(frozen=True)
class Said:
    """The exit status of a job, and what it printed."""

    status: int
    text: str


@dataclass(frozen=True)
class World:
    """Our account, the customer's account, and the customer's host."""

    folder: Path
    aws: Aws
    recorder: Recorder
    host: EngineHost
    customer: CustomerAccount

    def job(self, order: Order) -> Said:
        """Run a job as a task of ECS does, with credentials of our account only."""
        with self.started(order) as process:
            text, _ = process.communicate(timeout=300)
        return Said(process.returncode, text)

    def started(self, order: Order) -> subprocess.Popen[str]:
        """Start a job."""
        environment = user_environment(self.folder / "home", self.folder / "data", self.folder / "results")
        environment |= {
            "PATH": path_with(self.folder / "bin"),
            "AWS_ACCESS_KEY_ID": FOLDER_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": FOLDER_SECRET,
            "AWS_ENDPOINT_URL": self.recorder.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "DOCKERCISE_JOB_STACK": "dockercise-jobs",
            ORDER_VARIABLE: order.to_text(),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "dockercise_prefect", "aws", "job"],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@contextmanager
def job_world(folder: Path, aws: Aws, prefect_api: str, engine: str, repository: StackRepository) -> Iterator[World]:
    """Run the world.

    Args:
        engine: the path of the socket file of the host's engine.
        repository: what the customer has registered.
    """
    customer = customer_account(aws, prefect_api, repository)
    save_access(aws.client("ssm"), StackNames("dockercise-jobs"), "acme", ACCESS)
    (folder / "home").mkdir()
    with recording(aws.url) as recorder:
        recorder.answers["StartSession"] = session_of

        def offered() -> Sequence[str]:
            return offered_keys(customer.client("ssm"), StackNames())

        with engine_host(engine, offered) as host:
            write_plugin(folder / "bin", host)
            yield World(folder, aws, recorder, host, customer)


def test_the_seed_runs_on_the_customers_host(tmp_path: Path, engine_folder: Path, prefect_api: str) -> None:
    """The seed's pipeline passes on another engine; record and logs are in the customer's account, and the host may sleep."""
    with ExitStack() as stack:
        first = stack.enter_context(closing(connect()[0]))
        stack.enter_context(seed_images())
        second = stack.enter_context(second_engine(ensure_aws_image(), first, engine_folder))
        with closing(second.client()) as client:
            for name in SEED_IMAGES:
                client.tag(ensure_aws_image(), name)
        aws = stack.enter_context(running_aws(GATEWAY))
        source = make_repository(tmp_path / "infra", seed_with_variables(aws.url))
        bare = make_bare_repository(tmp_path / "infra.git", source)
        options = RepositoryOptions(env={"AWS_ENDPOINT_URL": aws.url})
        repository = StackRepository(
            url=str(bare), address="https://git.example/acme/infra", webhook_secret=WEBHOOK_SECRET, options=options
        )
        engine = second.url.removeprefix("unix://")
        world = stack.enter_context(job_world(tmp_path, aws, prefect_api, engine, repository))

        order = Order(customer="acme", repository=REPOSITORY, commit=git(source, "rev-parse", "HEAD"), branch="master")
        said = world.job(order)

        made_on_the_host = aws.stack_status(ACCOUNT_OF_THE_SEED, "infra")
        objects, streams = world.customer.objects(), world.customer.log_streams()
        awake_until, state = world.customer.parameters.awake_until(), world.customer.host_state
        with closing(second.client()) as client:
            left = client.containers(all=True)

    assert said.status == 0, said.text
    assert made_on_the_host == "CREATE_COMPLETE"
    [summary] = [json.loads(content) for key, content in objects.items() if key.endswith("/summary.json")]
    assert {name: stage["status"] for name, stage in summary["stages"].items()} == dict.fromkeys(STAGES, "passed")
    assert summary["results"].startswith("s3://dockercise-results-of-acme/results/infra/")
    assert {stream.rpartition("/")[2] for stream in streams} >= {"assume-role", "create-stack"}
    assert (awake_until, state) == (0, "running")
    assert left == []
    assert_only_allowed_calls(world)
    channels = {**unpacked(objects), "the terminal": said.text.encode()}
    assert found(channels, {"external id": EXTERNAL_ID, "session": TOKEN, "webhook": WEBHOOK_SECRET}) == []


def test_a_failed_stage_is_the_end_of_the_job(tmp_path: Path, aws: Aws, prefect_api: str) -> None:
    """The job ends with the status of the run, stages without a changed file do not run, and the host may sleep."""
    files = {"shop.dockercise.yaml": SHOP}
    source = make_repository(tmp_path / "shop", files)
    before = git(source, "rev-parse", "HEAD")
    (source / "src").mkdir()
    (source / "src/main").write_text("new")
    commit_all(source)
    repository = StackRepository(
        url=str(source),
        address="https://git.example/acme/shop",
        webhook_secret=WEBHOOK_SECRET,
        options=RepositoryOptions(env={"COLOUR": "blue"}),
    )
    with job_world(tmp_path, aws, prefect_api, "/var/run/docker.sock", repository) as world:
        after = git(source, "rev-parse", "HEAD")
        said = world.job(Order(customer="acme", repository=REPOSITORY, commit=after, branch="master", before=before))
        objects = world.customer.objects()
        awake_until = world.customer.parameters.awake_until()

    assert said.status == 1, said.text
    [summary] = [json.loads(content) for key, content in objects.items() if key.endswith("/summary.json")]
    assert {name: stage["status"] for name, stage in summary["stages"].items()} == {"build": "failed"}
    assert [content for key, content in objects.items() if key.endswith("/build.log")] == [b"master blue\n"]
    assert awake_until == 0


def test_a_task_that_is_stopped_lets_the_host_sleep(tmp_path: Path, aws: Aws, prefect_api: str) -> None:
    """ECS stops a task with SIGTERM: the run is cancelled and recorded, its containers are gone, and the host may sleep."""
    files = {"shop.dockercise.yaml": f'a: {{img: "{BUSYBOX}", run: "echo begun; sleep 1000"}}\n'}
    source = make_repository(tmp_path / "stopped-shop", files)
    repository = StackRepository(url=str(source), address="https://git.example/acme/shop", webhook_secret=WEBHOOK_SECRET)
    with job_world(tmp_path, aws, prefect_api, "/var/run/docker.sock", repository) as world:
        order = Order(customer="acme", repository=REPOSITORY, commit=git(source, "rev-parse", "HEAD"), branch="master")
        with world.started(order) as process:
            assert process.stdout is not None
            before = list(takewhile(lambda line: "begun" not in line, process.stdout))
            process.send_signal(signal.SIGTERM)
            after = process.stdout.read()
        objects = world.customer.objects()
        awake_until = world.customer.parameters.awake_until()
    with closing(connect()[0]) as client:
        left = client.containers(all=True, filters={"label": "dockercise.pipeline=stopped-shop"})

    assert process.returncode == 130, [*before, after]
    [summary] = [json.loads(content) for key, content in objects.items() if key.endswith("/summary.json")]
    assert summary["status"] == "cancelled"
    assert (awake_until, left) == (0, [])


def test_a_stage_cannot_reach_the_credentials_of_the_host(tmp_path: Path, aws: Aws, prefect_api: str) -> None:
    """The network and the files of the host are refused in jobs as they are in runs on the host itself."""
    source = make_repository(
        tmp_path / "shop", {"shop.dockercise.yaml": f'a: {{img: "{BUSYBOX}", network: host, run: wget 169.254.169.254}}\n'}
    )
    repository = StackRepository(url=str(source), address="https://git.example/acme/shop", webhook_secret=WEBHOOK_SECRET)
    with job_world(tmp_path, aws, prefect_api, "/var/run/docker.sock", repository) as world:
        after = git(source, "rev-parse", "HEAD")
        said = world.job(Order(customer="acme", repository=REPOSITORY, commit=after, branch="master"))
        awake_until = world.customer.parameters.awake_until()

    assert said.status == 2, said.text
    assert "network" in said.text
    assert awake_until == 0


def test_a_pipeline_cannot_read_variables_of_our_account(tmp_path: Path, aws: Aws, prefect_api: str) -> None:
    """The task's own credentials are variables of its process, and whoever writes the pipeline is somebody else."""
    text = f'a: {{img: "{BUSYBOX}", env: [AWS_DEFAULT_REGION, AWS_SECRET_ACCESS_KEY], run: env}}\n'
    source = make_repository(tmp_path / "shop", {"shop.dockercise.yaml": text})
    repository = StackRepository(url=str(source), address="https://git.example/acme/shop", webhook_secret=WEBHOOK_SECRET)
    with job_world(tmp_path, aws, prefect_api, "/var/run/docker.sock", repository) as world:
        after = git(source, "rev-parse", "HEAD")
        said = world.job(Order(customer="acme", repository=REPOSITORY, commit=after, branch="master"))
        objects = world.customer.objects()

    assert said.status == 2, said.text
    assert "AWS_SECRET_ACCESS_KEY" in said.text
    assert "AWS_DEFAULT_REGION" not in said.text
    assert found({**unpacked(objects), "the terminal": said.text.encode()}, {"our key": FOLDER_SECRET}) == []


@pytest.mark.parametrize(
    ("url", "theirs"),
    [
        ("", {}),
        (
            "https://prefect.acme.example/api",
            {"PREFECT_API_URL": "https://prefect.acme.example/api", "PREFECT_API_KEY": "theirs"},
        ),
    ],
)
def test_a_job_takes_only_the_login_to_prefect_from_the_customer(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, url: str, theirs: dict[str, str]
) -> None:
    """The run knows the customer's Prefect, not ours. No other variable of the customer gets into our process."""
    for name, text in {"AWS_ENDPOINT_URL": aws.url, "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", FOLDER_KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", FOLDER_SECRET)
    repository = StackRepository(url="/nowhere", address="https://git.example/acme/shop", webhook_secret=WEBHOOK_SECRET)
    customer = customer_account(aws, url, repository)
    customer.parameters.save_prefect({"PREFECT_API_KEY": "theirs", "GIT_SSH_COMMAND": "touch /tmp/x; ssh", "PATH": "/evil"})
    save_access(aws.client("ssm"), StackNames("dockercise-jobs"), "acme", ACCESS)
    order = Order(customer="acme", repository=REPOSITORY, commit="a" * 40, branch="master")

    made = open_job(order, Account(Access()), StackNames("dockercise-jobs")).environment(
        {"PREFECT_API_URL": "http://ours/api", "PREFECT_API_KEY": "ours", "PREFECT_HOME": "/home", "PATH": "/bin"}
    )

    assert made == {"PATH": "/bin", "PREFECT_HOME": "/home", "AWS_DEFAULT_REGION": REGION, **theirs}


def test_a_push_that_starts_no_run_wakes_nobody(tmp_path: Path, aws: Aws, prefect_api: str) -> None:
    """A push to a branch that was not chosen is nothing to do, and the host sleeps on."""
    source = make_repository(tmp_path / "shop", {"shop.dockercise.yaml": "a: {img: x}\n"})
    repository = StackRepository(url=str(source), address="https://git.example/acme/shop", webhook_secret=WEBHOOK_SECRET)
    with job_world(tmp_path, aws, prefect_api, "/nowhere", repository) as world:
        order = Order(customer="acme", repository=REPOSITORY, commit=git(source, "rev-parse", "HEAD"), branch="topic")
        said = world.job(order)
        state = world.customer.host_state

    assert (said.status, state) == (4, "stopped")
    assert said.text.startswith("nothing to do: a push to topic starts no run\n")


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (Order(customer="umbrella", repository=REPOSITORY, commit="a" * 40, branch="b"), "do not know the customer umbrella"),
        (Order(customer="acme", repository="other-1a2b3c4d", commit="a" * 40, branch="b"), "has no repository other-1a2b3c4d"),
    ],
)
def test_an_order_for_nobody_is_refused(tmp_path: Path, aws: Aws, prefect_api: str, order: Order, says: str) -> None:
    """An order that names an unknown customer or repository ends with status 2, and nothing is woken."""
    repository = StackRepository(url="/nowhere", address="https://git.example/acme/shop", webhook_secret=WEBHOOK_SECRET)
    with job_world(tmp_path, aws, prefect_api, "/nowhere", repository) as world:
        said = world.job(order)
        state = world.customer.host_state

    assert (said.status, state) == (2, "stopped")
    assert says in said.text
    assert "Traceback" not in said.text


def test_a_host_that_lets_no_jobs_in_sleeps_on(tmp_path: Path, aws: Aws, prefect_api: str) -> None:
    """A job for a stack without jobs ends with status 2 and says what the customer has to do, and nothing is woken."""
    repository = StackRepository(url="/nowhere", address="https://git.example/acme/shop", webhook_secret=WEBHOOK_SECRET)
    with job_world(tmp_path, aws, prefect_api, "/nowhere", repository) as world:
        config = world.customer.parameters.host()
        assert config is not None
        name, text = StackNames().parameter("host"), replace(config, jobs=False).to_text()
        world.customer.client("ssm").put_parameter(Name=name, Value=text, Overwrite=True)
        said = world.job(Order(customer="acme", repository=REPOSITORY, commit="a" * 40, branch="b"))
        state = world.customer.host_state

    assert (said.status, state) == (2, "stopped")
    assert "the stack dockercise of acme lets no jobs in\n  hint: `dockercise aws up --jobs`" in said.text


def assert_only_allowed_calls(world: World) -> None:
    """Everything that the job did in the customer's account is something that the customer's role allows."""
    template = read_template(template_text())
    calls = [call for call in world.recorder.calls if call.key != FOLDER_KEY_ID and call.operation]
    names = {f"{call.service}:{call.operation}" for call in calls}

    assert {"ec2:StartInstances", "ssm:StartSession", "ssm:PutParameter", "ssm:DeleteParameters"} <= names
    # A run goes on if it may not make the log group, because the stack has made it.
    assert [name for name in names - {"logs:CreateLogGroup"} if not allows(template, "Access", name)] == []
    asked = [call.given for call in world.recorder.called("AssumeRole")]
    assert {(given["RoleArn"], given["ExternalId"]) for given in asked} == {(ACCESS.role, EXTERNAL_ID)}
