"""What the host finds out, and what it says about itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dockercise_prefect.aws.report import Phase, Report, ReportedRun
from dockercise_prefect.errors import DockerciseError, StorageError
from dockercise_prefect.host.facts import ReceiverHealth, Sources, ask_receiver, survey
from dockercise_prefect.host.metrics import Metrics
from dockercise_prefect.host.reporter import LEAST_SECONDS, MOST_SECONDS, Reporter, is_due
from dockercise_prefect.host.work import Facts
from dockercise_prefect.orchestration.prefect.pool_runs import PoolRun, PoolRuns
from dockercise_prefect.results.record.unsent import UNSENT, Destination, UnsentRun
from tests.support.aws.moto import Aws
from tests.webhook.payloads import github_push, github_sent
from tests.webhook.receiving import receiving
from tests.webhook.scripted_world import ScriptedWorld

NOW = 1_000_000
MOMENT = datetime.fromtimestamp(NOW, UTC)


def sources(data: Path) -> Sources:
    """Sources that all answer."""
    return Sources(
        queued=lambda: 2,
        pool_runs=lambda by: PoolRuns((PoolRun("1", "d1", "brave-fox", "Running"),), by + timedelta(hours=1)),
        receiver=lambda: ReceiverHealth(3, 4),
        awake_until=lambda: NOW + 60,
        unregistered=lambda: 1,
        deployments=lambda: {"d1": "infra/infra"},
        data=data,
    )


def test_all_sources_are_asked(tmp_path: Path) -> None:
    """The facts have what each source says; runs have the names of their deployments."""
    UnsentRun(tmp_path / UNSENT / "20261130T000000Z-1").begin(Destination("s3://b", "infra"))

    found = survey(sources(tmp_path), NOW)

    assert found.facts == Facts(
        now=NOW,
        runs=1,
        queued=2,
        inbox=3,
        statuses=4,
        unsent=1,
        unregistered=1,
        next_schedule=NOW + 120 + 3600,
        awake_until=NOW + 60,
    )
    assert found.runs == (ReportedRun("1", "infra/infra", "Running"),)


@pytest.mark.parametrize("source", ["queued", "pool_runs", "receiver", "awake_until", "unregistered"])
def test_a_source_that_does_not_answer_is_a_reason(tmp_path: Path, source: str) -> None:
    """If one source does not answer, its error is among what is unknown, and the others are asked all the same."""

    def silent(*_: object) -> None:
        raise StorageError(f"{source} does not answer", "wait")

    changed: dict[str, Any] = {source: silent}
    found = survey(replace(sources(tmp_path), **changed), NOW)

    assert found.facts.unknown == (f"{source} does not answer",)
    assert found.facts.queued == (0 if source == "queued" else 2)


def test_a_log_that_grows_is_progress(tmp_path: Path) -> None:
    """The progress changes if a record that is being written grows, or a run changes its state; otherwise it stays the same."""
    run = UnsentRun(tmp_path / UNSENT / "20261130T000000Z-1")
    run.begin(Destination("s3://b", "infra"))
    before = survey(sources(tmp_path), NOW)

    same = survey(sources(tmp_path), NOW + 1)
    (run.folder / "build.log").write_text("a line\n")
    grown = survey(sources(tmp_path), NOW + 2)
    ended = survey(replace(sources(tmp_path), pool_runs=lambda _by: PoolRuns((), None)), NOW + 3)

    assert before.progress == same.progress
    assert len({before.progress, grown.progress, ended.progress}) == 3


def test_a_receiver_says_how_much_it_has_to_do(tmp_path: Path) -> None:
    """Pushes that the receiver has stored and not started are counted; a receiver that is gone is an error."""
    world = ScriptedWorld(tmp_path / "world.sqlite")
    registered = world.register("acme/infra")
    world.hang_up(registered.deployment_id)
    with receiving(world.hub, tmp_path / "data") as receiver:
        receiver.deliver(github_sent(github_push("acme/infra"))).raise_for_status()

        found = ask_receiver(f"{receiver.url}/")

    assert found == ReceiverHealth(1, 0)
    with pytest.raises(DockerciseError, match="the receiver of pushes does not answer"):
        ask_receiver(f"{receiver.url}/")


REPORT = Report(at=NOW, phase=Phase.IDLE)


@pytest.mark.parametrize(
    ("last", "new", "due"),
    [
        (None, REPORT, True),
        (REPORT, replace(REPORT, at=NOW + LEAST_SECONDS), False),
        (REPORT, replace(REPORT, at=NOW + LEAST_SECONDS - 1, phase=Phase.WORKING), False),
        (REPORT, replace(REPORT, at=NOW + LEAST_SECONDS, phase=Phase.WORKING), True),
        (REPORT, replace(REPORT, at=NOW + MOST_SECONDS), True),
        (REPORT, replace(REPORT, at=NOW - 100), True),
    ],
)
def test_a_report_is_written_on_change_and_from_time_to_time(last: Report | None, new: Report, due: bool) -> None:
    """The first report, a changed one and one after five minutes are written, but none less than five seconds after another."""
    assert is_due(last, new) is due


def test_a_report_that_could_not_be_written_is_written_next_time() -> None:
    """If AWS does not answer, the next report is written, although it says the same."""
    written: list[Report] = []
    faults = [StorageError("SSM does not answer")]

    def save(report: Report) -> None:
        if faults:
            raise faults.pop()
        written.append(report)

    reporter = Reporter(save)
    with pytest.raises(StorageError):
        reporter.tell(REPORT)
    reporter.tell(REPORT)
    reporter.tell(REPORT)
    reporter.tell_now(REPORT)

    assert written == [REPORT, REPORT]


@pytest.mark.docker
def test_metrics_say_how_long_the_host_was_awake(aws: Aws, tmp_path: Path) -> None:
    """Each put has the minutes since the one before, and how full the volume is, with the name of the stack."""
    moments = iter([0.0, 300.0, 420.0])
    metrics = Metrics(aws.client("cloudwatch"), "dockercise-t", tmp_path, lambda: next(moments))

    metrics.put()
    metrics.put()

    found = {name: statistics(aws, name) for name in ("AwakeMinutes", "DiskUsedPercent")}
    assert (found["AwakeMinutes"]["Sum"], found["AwakeMinutes"]["SampleCount"]) == (7.0, 2.0)
    assert 0 < found["DiskUsedPercent"]["Maximum"] <= 100


def statistics(aws: Aws, name: str) -> dict[str, float]:
    """The statistics of a metric of the stack `dockercise-t` around now."""
    now = datetime.now(UTC)
    answer = aws.client("cloudwatch").get_metric_statistics(
        Namespace="dockercise",
        MetricName=name,
        Dimensions=[{"Name": "Stack", "Value": "dockercise-t"}],
        StartTime=now - timedelta(hours=12),
        EndTime=now + timedelta(hours=12),
        Period=86400,
        Statistics=["Sum", "Maximum", "SampleCount"],
    )
    (point,) = answer["Datapoints"]
    return {key: value for key, value in point.items() if isinstance(value, float)}
