"""Deployments in Prefect: every registration makes them complete again, whatever happened to them in the meantime."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client

from dockercise_prefect.compiler import Compiled
from dockercise_prefect.errors import UsageError
from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.orchestration.prefect.secret_blocks import find_secret
from dockercise_prefect.orchestration.registrations import deployments as prefect
from dockercise_prefect.orchestration.registrations.deployments import Deployed, DeploymentRequest, Unreadable
from dockercise_prefect.orchestration.registrations.register import Found, RegisterRequest, register
from dockercise_prefect.orchestration.registrations.registration import LABEL, Registration
from dockercise_prefect.orchestration.registrations.timetable import Timetable
from dockercise_prefect.pipeline import ImageReference, Pipeline, Stage
from dockercise_prefect.settings import read_settings
from dockercise_prefect.webhook.payload.push import Push
from dockercise_prefect.webhook.receiver.hub import PushRefusedError
from dockercise_prefect.webhook.receiver.prefect_hub import PrefectHub, registered_of
from tests.support.prefect.prefect_records import ask

pytestmark = pytest.mark.docker

PUSH = Push(
    kind=HostKind.GITHUB,
    repository="acme/shop",
    addresses=(),
    branch="main",
    before=None,
    after="1" * 40,
    forced=False,
    changed=None,
    sender="",
)


@pytest.fixture
def asked(prefect_api: str) -> Iterator[DeploymentRequest]:
    """The request for a deployment; the deployment is removed at the end."""
    name = f"shop-{uuid4().hex[:8]}"
    yield request(name)
    for one in prefect.registrations():
        if one.name.startswith(f"{name}/"):
            prefect.remove(one)


def request(flow: str, **others: Any) -> DeploymentRequest:
    """The request of a `register` command."""
    given: dict[str, Any] = {
        "flow": flow,
        "name": "shop",
        "registration": Registration(url=f"https://git.example.org/{flow}", ref="main"),
        "description": "",
        "version": None,
        "parameters": {},
        "parameter_schema": {"type": "object", "properties": {}},
        "timetable": Timetable(),
        "work_pool": "dockercise",
        "job_variables": {},
        "concurrency": None,
        "skip_overlapping": False,
        "paused": False,
    }
    return DeploymentRequest(**(given | others))


def edit(deployed: Deployed, label: str, prefect_api: str) -> None:
    """Give the deployment another label, as a user of Prefect's API may do."""
    there = ask(prefect_api, f"deployments/{deployed.id}")
    with get_client(sync_client=True) as client:
        body = {"name": there["name"], "flow_id": there["flow_id"], "labels": {LABEL: label}}
        client.request("POST", "/deployments/", json=body)


def test_what_comes_between_two_pages_repeats_nothing(asked: DeploymentRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are sorted by name, so one more deployment at their beginning moves all others."""
    for name in ("b", "c", "d"):
        prefect.save(request(asked.flow, name=name))
    read, pages = SyncPrefectClient.read_deployments, []

    def one_comes_between(client: SyncPrefectClient, **options: Any) -> Any:
        pages.append(page := read(client, **options))
        if len(pages) == 1:
            prefect.save(request(asked.flow, name="a"))
        return page

    monkeypatch.setattr(prefect, "PAGE", 2)
    monkeypatch.setattr(SyncPrefectClient, "read_deployments", one_comes_between)
    names = [one.name for one in prefect.registrations()]

    assert len(pages) > 1
    assert len(names) == len(set(names))
    assert {f"{asked.flow}/{name}" for name in ("b", "c", "d")} <= set(names)


def test_what_is_left_out_is_taken_away(asked: DeploymentRequest, prefect_api: str) -> None:
    """Earlier limits, schedules, variables of the pool and pauses are removed by the next registration."""
    before = request(
        asked.flow,
        concurrency=1,
        skip_overlapping=True,
        paused=True,
        timetable=Timetable(crons=("0 3 * * *", "0 4 * * *"), timezone="Europe/Berlin"),
        job_variables={"env": {"A": "b"}},
        parameters={"targets": ["a"]},
    )
    first, _ = prefect.save(before)
    was = ask(prefect_api, f"deployments/{first.id}")

    second, new = prefect.save(asked)

    now = ask(prefect_api, f"deployments/{second.id}")
    kept = ("paused", "parameters", "job_variables", "global_concurrency_limit", "schedules")
    assert (first.id, new) == (second.id, False)
    assert (was["global_concurrency_limit"]["limit"], len(was["schedules"])) == (1, 2)
    assert [now[name] for name in kept] == [False, {}, {}, None, []]


def test_two_people_may_register_at_once(asked: DeploymentRequest) -> None:
    """All of them get the same deployment, and none gets an error."""
    contexts = [copy_context() for _ in range(4)]  # they show which server is meant

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda context: context.run(prefect.save, asked)[0].id, contexts))

    assert len(set(made)) == 1


@pytest.mark.parametrize(
    "label", ["no JSON", '{"url": "x", "of_tomorrow": 1}', '{"url": 5}', '{"url": "x", "branches": "main"}']
)
def test_one_label_that_cannot_be_read_hides_no_other(asked: DeploymentRequest, prefect_api: str, label: str) -> None:
    """The others are listed and receive their pushes; the faulty one is shown by its name, and can be removed."""
    broken, _ = prefect.save(asked)
    good, _ = prefect.save(request(asked.flow, name="good"))
    edit(broken, label, prefect_api)

    listed = [one.name for one in prefect.deployments()]
    pushed = [one.name for one in PrefectHub(read_settings()).registrations()]
    found = prefect.find_registration(broken.name)
    prefect.remove(found)

    assert good.name in listed
    assert good.name in pushed
    assert broken.name not in listed + pushed
    assert isinstance(found, Unreadable)
    assert found.why.hint
    assert broken.name not in [one.name for one in prefect.registrations()]


def test_a_deployment_that_is_gone_is_no_outage(asked: DeploymentRequest) -> None:
    """A push that waits for it is refused and not repeated for ever; to remove it again does nothing."""
    deployed, _ = prefect.save(asked)
    prefect.remove(deployed)
    prefect.remove(deployed)

    with pytest.raises(PushRefusedError, match="does not exist any more"):
        PrefectHub(read_settings()).submit(registered_of(deployed), PUSH, None, "key")
    with pytest.raises(UsageError, match="does not exist any more"):
        prefect.deployment_of(deployed.id)


def test_a_label_of_a_newer_version_refuses_a_push(asked: DeploymentRequest, prefect_api: str) -> None:
    """The label may have a setting that this version must not ignore."""
    deployed, _ = prefect.save(asked)
    edit(deployed, json.dumps({"url": "x", "of_tomorrow": True}), prefect_api)

    with pytest.raises(PushRefusedError, match="of_tomorrow"):
        PrefectHub(read_settings()).submit(registered_of(deployed), PUSH, None, "key")


def test_a_push_tells_a_deployment_of_an_earlier_version_more(asked: DeploymentRequest, prefect_api: str) -> None:
    """What a run knows of its push is in labels and not in parameters: an older schema accepts the run, once for a key."""
    parameters = {name: {"type": "string"} for name in ("targets", "env", "commit", "results")}
    schema = {"type": "object", "properties": parameters, "additionalProperties": False}
    deployed, _ = prefect.save(replace(asked, parameter_schema=schema))
    push = replace(PUSH, branch="release/1", before="2" * 40)

    started = [PrefectHub(read_settings()).submit(registered_of(deployed), push, None, f"key-{deployed.id}") for _ in range(2)]

    run = ask(prefect_api, f"flow_runs/{started[0].flow_run_id}")
    assert started[0] == started[1]
    assert run["parameters"] == {"commit": "1" * 40}
    assert {name: text for name, text in run["labels"].items() if name.startswith("dockercise.") and name != LABEL} == {
        "dockercise.event": "push",
        "dockercise.branch": "release/1",
        "dockercise.previous": "2" * 40,
    }
    assert {f"commit:{'1' * 12}", "event:push", "branch:release/1"} <= {*run["tags"]}


@pytest.mark.parametrize("name", ["a&b", "a/b", "a%b"])
def test_a_name_that_prefect_does_not_take_is_said(asked: DeploymentRequest, name: str) -> None:
    """A folder may have such a name; its deployment needs another one."""
    with pytest.raises(UsageError, match="cannot be the name of a deployment") as refused:
        prefect.save(request(asked.flow, name=name))

    assert "--name" in str(refused.value.hint)


def test_what_prefect_refuses_is_the_request_and_no_outage(asked: DeploymentRequest) -> None:
    """Prefect refuses a job variable of another type than the work pool's, which is an error of the request."""
    with pytest.raises(UsageError, match="does not accept the deployment"):
        prefect.save(request(asked.flow, job_variables={"stream_output": "perhaps"}))


@pytest.mark.parametrize("block", ["..", ".", "", "../x", "a?b", "a b", "a#b", "a/b"])
def test_what_is_no_name_of_a_block_is_none(prefect_api: str, block: str) -> None:
    """Such a name cannot lead to another part of Prefect's API."""
    assert find_secret(block) is None


def test_a_schedule_is_not_lost_by_registering_again(asked: DeploymentRequest) -> None:
    """A registration that would remove a schedule is refused unless that is requested; the error names the schedule."""
    prefect.save(request(asked.flow, timetable=Timetable(crons=("0 3 * * *",))))
    compiled = Compiled(Pipeline(asked.flow, [Stage(name="s", image=ImageReference("x"))]), (), 1)
    found = Found(asked.registration, compiled, None)
    again = RegisterRequest(registration=asked.registration, name=asked.name)

    with pytest.raises(UsageError, match=r"cron `0 3 \* \* \*`") as refused:
        register(again, found)
    deployed, new = register(replace(again, unscheduled=True), found)

    assert "--no-cron" in (refused.value.hint or "")
    assert (deployed.schedules, new) == ("none", False)
