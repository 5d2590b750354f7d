"""The parameters of a stack in SSM."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dockercise_prefect.aws.names import StackNames
from dockercise_prefect.aws.parameters import HostConfig, RepositoryParameter, StackParameters
from dockercise_prefect.aws.report import LONGEST, LastPush, Phase, Report, ReportedRun, RepositoryPhase, RepositoryState
from dockercise_prefect.aws.repository import RepositoryOptions, StackRepository
from dockercise_prefect.errors import UsageError
from tests.support.aws.moto import Aws

CONFIG = HostConfig(
    stack="dockercise-t",
    region="eu-west-1",
    queue="https://sqs/dockercise-t-pushes.fifo",
    lost="https://sqs/dockercise-t-lost.fifo",
    bucket="bucket",
    volume="vol-1",
    log_group="dockercise/dockercise-t",
    host_log_group="dockercise/dockercise-t/host",
    idle_minutes=10,
    prefect_api_url="",
    package="dockercise-prefect",
)
REPOSITORY = StackRepository(
    url="git@github.com:acme/infra.git",
    address="https://github.com/acme/infra",
    webhook_secret="wh-secret",
    deploy_key="private",
    host_keys=("github.com ssh-ed25519 AAAA",),
    statuses_token="token",
    options=RepositoryOptions(crons=("0 3 * * *",), branches=("main", "release/*"), env={"STAGE": "prod"}, concurrency=1),
)
REPORT = Report(
    at=200,
    booted_at=100,
    worked_at=150,
    phase=Phase.WORKING,
    package="dockercise-prefect",
    runs=(ReportedRun("id", "infra/infra", "Running"),),
    inbox=2,
    waits_for=("2 pushes wait",),
    next_schedule=900,
    last_push=LastPush(140, "acme/infra", "6113728", "queued"),
    repositories={"acme-infra-1": RepositoryState(3, RepositoryPhase.READY, "infra/infra")},
)


@pytest.fixture
def parameters(aws: Aws) -> StackParameters:
    """The parameters of a stack that has none yet."""
    return StackParameters(aws.client("ssm"), StackNames("dockercise-t"))


@pytest.mark.docker
def test_a_stack_that_does_not_exist_has_no_parameters(parameters: StackParameters) -> None:
    """Where nothing was stored, nothing is found, and nothing can be removed."""
    assert parameters.host() is None
    assert parameters.wake_at() is None
    assert parameters.awake_until() == 0
    assert parameters.report() is None
    assert list(parameters.repositories()) == []
    assert parameters.secrets() == {}
    assert parameters.prefect() == {}
    assert not parameters.remove_repository("x")


@pytest.mark.docker
def test_what_is_stored_is_found_again(parameters: StackParameters) -> None:
    """Moments, the report and the login of Prefect come back as they were stored; never and nothing too."""
    parameters.save_wake_at(1700)
    parameters.save_awake_until(1800)
    parameters.save_report(REPORT)
    parameters.save_prefect({"PREFECT_API_KEY": "k"})

    assert (parameters.wake_at(), parameters.awake_until()) == (1700, 1800)
    assert parameters.report() == REPORT
    assert parameters.prefect() == {"PREFECT_API_KEY": "k"}

    parameters.save_wake_at(None)
    assert parameters.wake_at() is None


@pytest.mark.docker
def test_many_repositories_are_all_found(aws: Aws, parameters: StackParameters) -> None:
    """More repositories than one answer of SSM contains are found, encrypted, with the number of their changes."""
    for number in range(12):
        parameters.save_repository(f"acme-{number:02}", REPOSITORY)
        parameters.save_secret(f"acme-{number:02}", f"secret-{number}")
    parameters.save_repository("acme-00", replace(REPOSITORY, deploy_key=None))

    found = parameters.repositories()

    assert [one.name for one in found] == [f"acme-{number:02}" for number in range(12)]
    assert found[0] == RepositoryParameter("acme-00", 2, replace(REPOSITORY, deploy_key=None))
    assert found[1] == RepositoryParameter("acme-01", 1, REPOSITORY)
    assert parameters.secrets()["acme-11"] == "secret-11"
    stored = aws.client("ssm").get_parameter(Name="/dockercise/dockercise-t/repositories/acme-00")["Parameter"]
    assert stored["Type"] == "SecureString"

    assert parameters.remove_repository("acme-00")
    assert parameters.remove_secret("acme-00")
    assert "acme-00" not in {one.name for one in parameters.repositories()} | set(parameters.secrets())


@pytest.mark.docker
def test_a_repository_that_cannot_be_read_hides_no_other(aws: Aws, parameters: StackParameters) -> None:
    """A wrong parameter is reported with its name and without its content, and the others are read."""
    parameters.save_repository("good", REPOSITORY)
    aws.client("ssm").put_parameter(
        Name="/dockercise/dockercise-t/repositories/bad", Type="SecureString", Value='{"url": "u", "deploy_key": ["hush"]}'
    )

    bad, good = parameters.repositories()

    assert isinstance(bad.repository, UsageError)
    assert bad.repository.message.startswith("the parameter repositories/bad cannot be read: address: missing")
    assert "hush" not in str(bad.repository)
    assert good.repository == REPOSITORY


@pytest.mark.docker
def test_options_that_fit_into_no_parameter(parameters: StackParameters) -> None:
    """Options that are longer than AWS allows are refused before anything is stored, without showing a secret."""
    options = RepositoryOptions(env={"LONG": "x" * 4000})

    with pytest.raises(UsageError, match=r"a parameter of SSM holds 4,096") as caught:
        parameters.save_repository("acme-infra-1", replace(REPOSITORY, options=options))

    assert parameters.repositories() == []
    assert "private" not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.docker
def test_the_host_reads_its_configuration(aws: Aws, parameters: StackParameters) -> None:
    """The configuration of the stack is read; numbers may be written as text, as CloudFormation does it."""
    text = CONFIG.to_text().replace('"idle_minutes":10', '"idle_minutes":"10","newer":"ignored"')
    aws.client("ssm").put_parameter(Name="/dockercise/dockercise-t/host", Type="String", Value=text)

    assert parameters.host() == CONFIG


def test_a_wrong_configuration_names_what_is_wrong() -> None:
    """A configuration without a key is refused with the key and with what to do."""
    with pytest.raises(UsageError, match=r"`host` of the stack cannot be read: queue: .*\n  hint: run `dockercise aws up`"):
        HostConfig.from_text(CONFIG.to_text().replace('"queue"', '"cue"'))


def test_secrets_are_not_shown() -> None:
    """The text form of a repository for logs contains none of its secrets."""
    shown = repr(REPOSITORY)

    assert not [secret for secret in ("wh-secret", "private", "token'") if secret in shown.replace("statuses_token", "")]


def test_a_report_always_fits() -> None:
    """However many repositories and however long the messages, the report fits into a parameter, failures first."""
    failing = RepositoryState(1, RepositoryPhase.FAILED, None, "x" * 5000)
    fine = {f"acme-repository-{number:03}": RepositoryState(1, RepositoryPhase.READY, f"p/{number}") for number in range(200)}
    long = replace(REPORT, error="e" * 9000, waits_for=("w" * 900,) * 50, repositories={**fine, "zoo": failing})

    text = long.to_text()

    assert len(text) <= LONGEST
    read = Report.from_text(text)
    assert read is not None
    assert "zoo" in read.repositories
    assert read.phase is Phase.WORKING
    assert Report.from_text(REPORT.to_text()) == REPORT


@pytest.mark.parametrize("state", list(RepositoryPhase))
def test_what_changed_last_is_always_reported(state: RepositoryPhase) -> None:
    """However many repositories there are and fail, the one that `aws up` has just changed is in the report."""
    changed = RepositoryState(7, state, "zoo/zoo")
    failed = RepositoryState(1, RepositoryPhase.FAILED, None, "x" * 5000)
    fine = {f"acme-repository-{number:03}": RepositoryState(1, RepositoryPhase.READY, f"p/{number}") for number in range(50)}
    failing = {f"broken-repository-{number:03}": failed for number in range(50)}
    report = replace(REPORT, runs=REPORT.runs * 10, repositories={**fine, **failing, "zoo": changed})

    read = Report.from_text(report.to_text())

    assert read is not None
    assert read.repositories["zoo"] == changed
    assert read.package == REPORT.package
    assert [name for name in read.repositories if name.startswith("acme")] == []
