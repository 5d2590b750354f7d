"""Lines of stages in CloudWatch Logs: whole, in order, in batches of the allowed size."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.errors import StorageError
from dockercise_prefect.results.places.aws import RIGHTS_HINT
from dockercise_prefect.results.places.objects import RefusedError
from dockercise_prefect.results.record import cloudwatch
from dockercise_prefect.results.record.cloudwatch import CloudWatchLogs
from dockercise_prefect.settings import Settings, read_settings
from tests.support.aws.moto import Aws, running_aws
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.prefect.prefect_records import eventually

pytestmark = pytest.mark.docker  # for the server

GROUP = "dockercise/hello"


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    """An AWS on loopback."""
    with running_aws() as aws:
        yield aws


@pytest.fixture
def settings(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A user whose AWS folder points to the test's AWS."""
    aws.write_folder(tmp_path / ".aws")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / ".aws/config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / ".aws/credentials"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    return replace(read_settings(), log_group=GROUP)


@pytest.fixture
def hurried_threads() -> Iterator[None]:
    """Threads that switch so often that errors between them become visible."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.fixture
def proxy(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A proxy between the user and CloudWatch."""
    with fault_proxy(aws.url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", proxy.url)
        yield proxy


def logs_of(run: str, settings: Settings, said: list[str] | None = None) -> CloudWatchLogs:
    return CloudWatchLogs(GROUP, f"hello/{run}", settings, (said if said is not None else []).append)


def test_each_stage_has_a_stream_with_its_lines_in_order(aws: Aws, settings: Settings) -> None:
    """Lines arrive whole and in order; a stage without output has an empty stream; an empty line is sent as a blank."""
    logs = logs_of("run-1", settings)
    build, _ = logs.stream("build"), logs.stream("quiet")
    for line in ("first", "", "  third ☃ ", "x" * 16_384):
        build(line)
    logs.close()

    streams = {name: lines for name, lines in aws.log_streams(GROUP).items() if "/run-1/" in name}
    assert streams == {
        "hello/run-1/build": ["first", " ", "  third ☃ ", "x" * 16_384],
        "hello/run-1/quiet": [],
    }


def test_many_lines_go_in_batches_that_the_service_takes(aws: Aws, settings: Settings) -> None:
    """More lines and bytes than one request may have all arrive, from several stages at the same time."""
    logs = logs_of("run-2", settings)
    sinks = [logs.stream("many"), logs.stream("big")]

    def print_many() -> None:
        for number in range(12_000):
            sinks[0](f"line {number}")

    def print_big() -> None:
        for number in range(150):
            sinks[1](f"{number} " + "é" * 8_000)

    threads = [threading.Thread(target=each) for each in (print_many, print_big)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logs.close()

    streams = aws.log_streams(GROUP)
    assert streams["hello/run-2/many"] == [f"line {number}" for number in range(12_000)]
    assert [line.split()[0] for line in streams["hello/run-2/big"]] == [str(number) for number in range(150)]


@pytest.mark.usefixtures("hurried_threads")
def test_lines_that_come_while_others_are_sent_are_not_lost(
    aws: Aws, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage continues printing while its earlier lines are prepared for the service."""
    monkeypatch.setattr(cloudwatch, "MOST_BYTES", 40_000)
    monkeypatch.setattr(cloudwatch, "MOST_WAITING", 80_000)  # so that output continues as long as lines are sent
    logs = logs_of("run-6", settings)
    line = logs.stream("busy")
    for number in range(20_000):
        line(f"line {number}")
    logs.close()

    assert aws.log_streams(GROUP)["hello/run-6/busy"] == [f"line {number}" for number in range(20_000)]


def test_a_stage_that_never_pauses_keeps_no_other_waiting(aws: Aws, settings: Settings, proxy: FaultProxy) -> None:
    """The line of one stage arrives even if another stage prints something during every request."""
    logs = logs_of("run-7", settings)
    chatty, other = logs.stream("chatty"), logs.stream("other")

    def print_more(_number: int, _method: str, _path: str) -> None:
        chatty("still here")

    proxy.judge = print_more
    chatty("here")
    eventually(lambda: aws.log_streams(GROUP).get("hello/run-7/chatty"), bool)
    other("hello")

    assert eventually(lambda: aws.log_streams(GROUP).get("hello/run-7/other"), bool) == ["hello"]

    proxy.heal()
    logs.close()


def test_names_that_the_service_refuses_are_replaced(aws: Aws, settings: Settings) -> None:
    """The characters of a stage's name that a stream cannot have are replaced; two stages never share a stream."""
    logs = logs_of("run-3", settings)
    logs.stream("a*b")("star")
    logs.stream("a_b")("line")
    logs.close()

    streams = aws.log_streams(GROUP)
    assert streams["hello/run-3/a_b"] == ["star"]
    assert streams["hello/run-3/a_b-2"] == ["line"]


def test_a_service_that_is_gone_is_given_up(aws: Aws, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one notice, nothing waits for ever, and closing reports what is missing and where the logs are."""
    monkeypatch.setattr(cloudwatch, "SHIPPING_SECONDS", 0.0)
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "http://127.0.0.1:9")
    said: list[str] = []
    logs = logs_of("run-4", settings, said)
    line = logs.stream("a")
    for _ in range(2_000):
        line("x" * 10_000)

    with pytest.raises(StorageError, match=r"not all logs are in the log group dockercise/hello: .*no answer from"):
        logs.close()

    assert len(said) == 1
    assert said[0].startswith("logs are no longer sent to CloudWatch")


def test_a_service_that_comes_back_gets_all_lines(
    aws: Aws, settings: Settings, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failures that end are not reported, and lose no line."""
    monkeypatch.setattr(cloudwatch, "PAUSE", 0.1)
    said: list[str] = []
    logs = logs_of("run-8", settings, said)
    line = logs.stream("a")
    proxy.judge = lambda number, _method, _path: "500" if 1 <= number <= 5 else None  # more than the retries of boto3
    for number in range(100):
        line(f"line {number}")
    logs.close()

    assert aws.log_streams(GROUP)["hello/run-8/a"] == [f"line {number}" for number in range(100)]
    assert said == []
    assert len(proxy.seen) == 1 + 5 + 2  # the group, the failed calls, the stream and its lines


def test_a_group_that_is_there_need_not_be_made(aws: Aws, settings: Settings, proxy: FaultProxy) -> None:
    """Without the right to create groups, lines are still written to an existing group."""
    aws.client("logs").create_log_group(logGroupName="made/before")
    proxy.judge = lambda number, _method, _path: "403" if number == 0 else None
    logs = CloudWatchLogs("made/before", "hello/run-9", settings, print)
    logs.stream("a")("line")
    logs.close()

    assert aws.log_streams("made/before") == {"hello/run-9/a": ["line"]}


def test_a_group_that_could_not_be_made_at_first_is_made_later(aws: Aws, settings: Settings, proxy: FaultProxy) -> None:
    """If the service failed when the run began, the group is created with the first line."""
    proxy.judge = lambda number, _method, _path: "403" if number == 0 else None
    logs = CloudWatchLogs("made/later", "hello/run-10", settings, print)
    logs.stream("a")("line")
    logs.close()

    assert aws.log_streams("made/later") == {"hello/run-10/a": ["line"]}


def test_a_service_that_refuses_is_given_up_at_once(settings: Settings, proxy: FaultProxy) -> None:
    """A missing right is reported with a hint, and is not tried again."""
    proxy.judge = lambda _number, _method, _path: "403"
    said: list[str] = []
    logs = logs_of("run-11", settings, said)
    logs.stream("a")("line")

    with pytest.raises(StorageError, match="cannot create the log stream hello/run-11/a: 403") as raised:
        logs.close()

    assert raised.value.hint == RIGHTS_HINT
    assert len(said) == 1
    assert len(proxy.seen) == 2


def test_no_credentials_are_said_before_anything_starts(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials the run does not start, since nothing could ever be sent."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    with pytest.raises(RefusedError, match="there are no AWS credentials"):
        logs_of("run-5", settings)
