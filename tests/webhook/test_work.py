"""The work behind the answers: runs are started, followed and reported, whatever fails meanwhile."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest

from dockercise_prefect.errors import DockerciseError, UsageError
from dockercise_prefect.hosts.statuses import CommitStatus, StatusLaterError, StatusRefusedError
from dockercise_prefect.webhook.receiver.database import Database
from dockercise_prefect.webhook.receiver.dispatcher import MOST_SURPRISES
from dockercise_prefect.webhook.receiver.hub import RunState
from dockercise_prefect.webhook.receiver.inbox import KEPT_SECONDS
from tests.webhook.payloads import SECRET, gitea_push, gitea_sent, github_push, github_sent
from tests.webhook.receiving import BRISK, Receiving, ScriptedStatuses, receiving
from tests.webhook.scripted_world import ScriptedWorld
from tests.webhook.world import eventually


def test_targets_that_the_push_touches(world: ScriptedWorld, receiver: Receiving) -> None:
    """A run has the targets that the hub names, or all if it names none; no run is made if the push touches nothing."""
    world.register("acme/infra")
    some, every, nothing = (github_push("acme/infra") for _ in range(3))
    world.touches(some["after"], ["test", "docs"])
    world.touches(nothing["after"], [])

    for payload in (nothing, some, every):
        receiver.deliver(github_sent(payload))
    eventually(lambda: len(world.runs()) == 2)

    assert [(run.commit, run.targets) for run in world.runs()] == [(some["after"], ("test", "docs")), (every["after"], None)]
    assert receiver.logged(f"acme/infra main {nothing['after'][:7]} registered/acme/infra: no stage matches the changed files")


def test_several_deployments_of_one_repository(world: ScriptedWorld, receiver: Receiving) -> None:
    """Each deployment of a repository that waits for the branch gets its own run."""
    one = world.register("acme/infra", name="one")
    two = world.register("acme/infra", name="two", secret="another", branches=["main"])
    three = world.register("acme/infra", name="three", branches=["release"])

    receiver.deliver(github_sent(github_push("acme/infra")))
    receiver.deliver(github_sent(github_push("acme/infra"), secret="another"))
    eventually(lambda: len(world.runs()) == 2)

    assert {run.deployment_id for run in world.runs()} == {one.deployment_id, two.deployment_id}
    assert three.deployment_id not in {run.deployment_id for run in world.runs()}


def test_tags_start_the_deployments_that_wait_for_them(world: ScriptedWorld, receiver: Receiving) -> None:
    """A tag starts one run of each deployment whose globs for tags include it, however often it is sent."""
    released = world.register("acme/infra", name="released", branches=["main"], tags=["v*", "!v*-rc*"])
    world.register("acme/infra", name="other", branches=["*"])
    tag, candidate = (github_push("acme/infra", ref=f"refs/tags/{name}", head_commit=None) for name in ("v1", "v1-rc1"))

    sent = [github_sent(tag, identity="1"), github_sent(tag, identity="1"), github_sent(candidate, identity="2")]
    answers = [receiver.result(one) for one in sent]
    eventually(lambda: len(world.runs()) == 1)

    assert answers == [(202, "queued"), (200, "repeated"), (200, "ignored")]
    assert [(run.deployment_id, run.commit) for run in world.runs()] == [(released.deployment_id, tag["after"])]
    eventually(lambda: receiver.logged(f"acme/infra refs/tags/v1 {tag['after'][:7]} registered/released: started all"))
    assert receiver.logged("no deployment waits for this tag")


def test_one_push_by_two_webhooks(world: ScriptedWorld, receiver: Receiving) -> None:
    """If one push comes by two webhooks with two secrets, each deployment runs it once."""
    one = world.register("acme/infra", name="one")
    two = world.register("acme/infra", name="two", secret="another")
    payload = github_push("acme/infra")

    answers = [receiver.result(github_sent(payload, secret=secret)) for secret in (SECRET, "another", SECRET, "another")]
    eventually(lambda: len(world.runs()) == 2)

    assert answers == [(202, "queued"), (202, "queued"), (200, "repeated"), (200, "repeated")]
    assert {run.deployment_id for run in world.runs()} == {one.deployment_id, two.deployment_id}


def test_a_deployment_that_was_registered_late(world: ScriptedWorld, receiver: Receiving) -> None:
    """A delivery that is sent again starts a run of a deployment that did not exist the first time, and of no other."""
    world.register("acme/infra", name="one")
    sent = github_sent(github_push("acme/infra"))
    receiver.deliver(sent)
    late = world.register("acme/infra", name="late")

    eventually(lambda: receiver.result(sent) == (202, "queued"))
    eventually(lambda: len(world.runs()) == 2)

    assert receiver.result(sent) == (200, "repeated")
    assert world.runs()[1].deployment_id == late.deployment_id


def test_pushes_of_a_repository_keep_their_order(world: ScriptedWorld, receiver: Receiving) -> None:
    """Runs of one deployment are started in the order of its pushes, also after the hub was down."""
    world.register("acme/infra")
    eventually(lambda: receiver.logged("1 deployment waits") or receiver.logged("0 deployments wait"))
    payloads = [github_push("acme/infra") for _ in range(12)]
    for number, payload in enumerate(payloads):
        if number == 4:
            world.hang_up()
        assert receiver.result(github_sent(payload)) == (202, "queued")
    world.answer()

    eventually(lambda: len(world.runs()) == 12)

    assert [run.commit for run in world.runs()] == [payload["after"] for payload in payloads]


def test_one_that_hangs_holds_no_other_up(world: ScriptedWorld, receiver: Receiving) -> None:
    """While the host of one repository is down, runs of other repositories start."""
    down = world.register("acme/down")
    world.register("acme/infra")
    world.hang_up(down.deployment_id)

    receiver.deliver(github_sent(github_push("acme/down")))
    receiver.deliver(github_sent(github_push("acme/infra")))
    eventually(lambda: len(world.runs()) == 1)
    world.answer(down.deployment_id)
    eventually(lambda: len(world.runs()) == 2)

    assert receiver.logged("registered/acme/down: waits: Prefect does not answer")


def test_an_answer_that_is_lost(world: ScriptedWorld, receiver: Receiving) -> None:
    """If a run was made and the answer was lost, the next attempt makes no second run."""
    world.register("acme/infra")
    world.lose_answers(3)

    receiver.deliver(github_sent(github_push("acme/infra")))
    eventually(lambda: receiver.logged("started all"))

    assert len(world.runs()) == 1
    assert world.calls("submit") == 4


def test_errors_that_nobody_foresaw(world: ScriptedWorld, receiver: Receiving) -> None:
    """An order that always fails in unknown ways is given up, and the orders behind it follow."""
    world.register("acme/infra")
    world.surprise(MOST_SURPRISES)

    receiver.deliver(github_sent(github_push("acme/infra")))
    receiver.deliver(github_sent(github_push("acme/infra")))
    eventually(lambda: len(world.runs()) == 1)

    assert receiver.logged("refused: dockercise failed: KeyError")


def test_a_deployment_that_was_removed(world: ScriptedWorld, receiver: Receiving) -> None:
    """If a deployment is removed, a push that waits for it starts nothing, and is not tried for ever."""
    registered = world.register("acme/infra")
    world.register("acme/other")
    world.hang_up(registered.deployment_id)
    receiver.deliver(github_sent(github_push("acme/infra")))

    world.remove(registered)
    eventually(lambda: receiver.logged("refused: the deployment is no longer registered"))

    assert world.runs() == []


def test_what_is_tried_is_given_up(world: ScriptedWorld, receiver: Receiving) -> None:
    """If the repository of a push denies access, the push is refused when trying again is useless; the next pushes follow."""
    registered = world.register("acme/infra", token="t")
    payload = github_push("acme/infra")
    world.hang_up(registered.deployment_id, patience=1)

    receiver.deliver(github_sent(payload))
    eventually(lambda: receiver.statuses.states(payload["after"]) == ["error"])
    world.answer(registered.deployment_id)
    receiver.deliver(github_sent(github_push("acme/infra")))

    eventually(lambda: len(world.runs()) == 1)
    assert receiver.logged("waits: Prefect does not answer")
    assert receiver.logged("refused: Prefect does not answer")


def test_statuses_of_a_run(world: ScriptedWorld, receiver: Receiving) -> None:
    """The host receives the status of a running run with its link, and at the end how the run ended."""
    world.register("acme/infra", name="prod", token="ghp_secret")
    payload = github_push("acme/infra")

    receiver.deliver(github_sent(payload))
    eventually(lambda: receiver.statuses.states(payload["after"]) == ["pending"])
    outstanding = receiver.client.get("/health").json()["statuses"]
    world.end(payload["after"], RunState.SUCCESS)
    eventually(lambda: receiver.statuses.states(payload["after"]) == ["pending", "success"])
    eventually(lambda: receiver.client.get("/health").json()["statuses"] == 0)

    assert outstanding >= 1  # of a run that has not ended
    where, token, status = receiver.statuses.sent[0]
    assert (where, token) == ("github https://github.com", "ghp_secret")
    assert status == CommitStatus(
        repository="acme/infra",
        commit=payload["after"],
        state=status.state,
        description="waits or runs",
        target_url=status.target_url,
        context="dockercise/prod",
    )
    assert (status.target_url or "").startswith("http://127.0.0.1:4200/runs/flow-run/")


@pytest.mark.parametrize(
    ("state", "told"),
    [(RunState.FAILURE, "failure"), (RunState.ERROR, "error"), (RunState.GONE, "error"), (RunState.SUCCESS, "success")],
)
def test_how_runs_end(world: ScriptedWorld, receiver: Receiving, state: RunState, told: str) -> None:
    """A failed run is a failure; a run that was removed or has no result is an error."""
    world.register("acme/infra", token="t")
    payload = github_push("acme/infra")

    receiver.deliver(github_sent(payload))
    eventually(lambda: len(world.runs()) == 1)
    world.end(payload["after"], state)

    eventually(lambda: receiver.statuses.states(payload["after"])[-1:] == [told])


def test_broken_yaml_is_told(world: ScriptedWorld, receiver: Receiving) -> None:
    """A push whose pipeline is broken starts nothing; the host shows the first finding, on one line of bounded length."""
    world.register("acme/infra", token="t")
    payload = github_push("acme/infra")
    world.touches(payload["after"], None, refusal="a.dockercise.yaml:1:1: DK021 " + "x" * 300 + "\n  hint: mend it")

    receiver.deliver(github_sent(payload))
    eventually(lambda: receiver.statuses.states(payload["after"]) == ["error"])

    (_, _, status) = receiver.statuses.sent[0]
    assert status.description.startswith("a.dockercise.yaml:1:1: DK021 xxx")
    assert len(status.description) == 140
    assert status.target_url is None
    assert world.runs() == []


def test_a_host_that_is_busy(world: ScriptedWorld, tmp_path: Path) -> None:
    """A status that the host does not accept now is sent again, also after an unexpected error."""
    host = ScriptedStatuses(faults=[StatusLaterError("busy"), TypeError("token=t"), StatusLaterError("busy")])
    world.register("acme/infra", token="t")
    payload = github_push("acme/infra")
    with receiving(world.hub, tmp_path / "data", statuses=host) as receiver:
        receiver.deliver(github_sent(payload))
        eventually(lambda: host.states(payload["after"]) == ["pending"])

        assert not receiver.logged("token=t")
    assert host.attempts == 4


@pytest.mark.parametrize("error", [StatusRefusedError, UsageError])
def test_a_host_that_refuses(world: ScriptedWorld, tmp_path: Path, error: type[DockerciseError]) -> None:
    """A status that the host refuses is dropped with a line in the log, and later ones are sent."""
    host = ScriptedStatuses(faults=[error("github.com refuses the token")])
    world.register("acme/infra", token="t")
    payload = github_push("acme/infra")
    with receiving(world.hub, tmp_path / "data", statuses=host) as receiver:
        receiver.deliver(github_sent(payload))
        eventually(lambda: receiver.logged("the status `pending` is lost: github.com refuses the token"))
        world.end(payload["after"], RunState.SUCCESS)
        eventually(lambda: host.states(payload["after"]) == ["success"])


@pytest.mark.parametrize(
    "page",
    [
        "https://evil.example.org/acme/infra",
        "http://git.example.org/acme/infra",
        "https://git.example.org:8443/acme/infra",
    ],
)
def test_tokens_go_where_the_registration_says(world: ScriptedWorld, receiver: Receiving, page: str) -> None:
    """Whatever page a payload names, statuses are sent to the registered site, by its scheme."""
    world.register("https://git.example.org/acme/infra", token="t")
    payload = gitea_push("acme/infra")
    payload["repository"]["html_url"] = page

    receiver.deliver(gitea_sent(payload))
    eventually(lambda: receiver.statuses.states(payload["after"]) == ["pending"])

    assert [where for where, _, _ in receiver.statuses.sent] == ["gitea https://git.example.org"]


def test_tokens_are_for_one_repository(world: ScriptedWorld, receiver: Receiving) -> None:
    """If the payload's name of the repository differs from the registered one, no status is sent."""
    world.register("https://git.example.org/acme/infra", token="t")
    payload = gitea_push("acme/infra")
    payload["repository"]["full_name"] = "acme/another"

    receiver.deliver(gitea_sent(payload))
    eventually(lambda: receiver.logged("started all"))
    world.end(payload["after"], RunState.SUCCESS)
    eventually(lambda: receiver.logged("passed"))

    assert receiver.statuses.attempts == 0


def test_statuses_after_a_new_start(world: ScriptedWorld, tmp_path: Path) -> None:
    """A restarted receiver follows the runs that the previous process started."""
    world.register("acme/infra", token="t")
    payload = github_push("acme/infra")
    with receiving(world.hub, tmp_path / "data") as receiver:
        receiver.deliver(github_sent(payload))
        eventually(lambda: receiver.statuses.states(payload["after"]) == ["pending"])
    world.end(payload["after"], RunState.FAILURE)

    with receiving(world.hub, tmp_path / "data") as again:
        eventually(lambda: again.statuses.states(payload["after"]) == ["failure"])


def test_started_while_prefect_is_down(world: ScriptedWorld, tmp_path: Path) -> None:
    """A receiver that starts while Prefect is down knows registrations and secrets, accepts, refuses, and starts runs later."""
    world.register("acme/infra")
    with receiving(world.hub, tmp_path / "data") as receiver:
        eventually(lambda: receiver.logged("1 deployment waits"))
    world.hang_up()

    with receiving(world.hub, tmp_path / "data") as again:
        assert again.result(github_sent(github_push("acme/infra"))) == (202, "queued")
        assert again.result(github_sent(github_push("acme/infra"), secret="guessed")) == (401, "forged")
        assert world.runs() == []
        world.answer()
        eventually(lambda: len(world.runs()) == 1)


def test_a_secret_that_is_changed(world: ScriptedWorld, receiver: Receiving) -> None:
    """A new secret replaces the old one when registrations are next read; a deleted block ends access."""
    registered = world.register("acme/infra")
    receiver.deliver(github_sent(github_push("acme/infra")))
    assert registered.secret is not None

    world.keep(registered.secret, "new")
    eventually(lambda: receiver.result(github_sent(github_push("acme/infra"), secret="new")) == (202, "queued"))
    old = receiver.result(github_sent(github_push("acme/infra")))
    world.keep(registered.secret, "")
    eventually(lambda: receiver.result(github_sent(github_push("acme/infra"), secret="new")) == (401, "forged"))

    assert old == (401, "forged")


def test_runs_that_never_end_are_let_go(world: ScriptedWorld, tmp_path: Path) -> None:
    """A run that has not ended in a month is not followed any more."""
    world.register("acme/infra", token="t")
    payload = github_push("acme/infra")
    with receiving(world.hub, tmp_path / "data") as receiver:
        receiver.deliver(github_sent(payload))
        eventually(lambda: receiver.statuses.states(payload["after"]) == ["pending"])
    with closing(Database(tmp_path / "data/webhook/deliveries.sqlite")) as database, database.transaction() as connection:
        connection.execute("UPDATE orders SET submitted = ?", (time.time() - KEPT_SECONDS,))

    with receiving(world.hub, tmp_path / "data", pace=BRISK) as again:
        eventually(lambda: again.statuses.states(payload["after"]) == ["error"])
        assert again.logged("has not ended in a month")
