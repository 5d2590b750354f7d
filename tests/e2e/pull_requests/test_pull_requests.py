"""Pull requests as the host sends them start runs of a registered repository; those of forks are not trusted."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from dockercise_prefect.orchestration.prefect.secret_blocks import save_secret
from tests.e2e.conftest import NewSite
from tests.e2e.test_pushes import deliver, receiving
from tests.support.hosts.git_repository import git
from tests.support.hosts.github_server import ENTERPRISE, TOKEN, running_github
from tests.support.prefect import prefect_records, workers
from tests.support.site import Site
from tests.test_user_pages import ROOT, blocks
from tests.webhook.payloads import github_sent
from tests.webhook.pull_request_payloads import github_pull_request

pytestmark = pytest.mark.docker

PIPELINE = """\
told:
  img: busybox
  env: "COLOUR?"
  run: |
    echo "$DOCKERCISE_EVENT $DOCKERCISE_PULL_REQUEST: $DOCKERCISE_SOURCE_BRANCH into $DOCKERCISE_TARGET_BRANCH,"
    echo "branch '$DOCKERCISE_BRANCH', $DOCKERCISE_MESSAGE, ${COLOUR:-no colour}, $(ls /code/app)"
has-secret: {img: busybox, env: "PASSWORD?", run: 'test "$PASSWORD"'}
with-secret: {img: busybox, run: echo yes, if: has-secret}
checked: {img: busybox, run: echo checked, when: {event: pull_request, branch: main, changed: app/}}
docs: {img: busybox, run: echo docs, when: {event: pull_request, changed: docs/}}
deploy: {img: busybox, run: echo deployed, when: {branch: main}}
"""

PAGE = (ROOT / "docs/pull-requests.md").read_text()
(SHOWN,) = [block for block in blocks(PAGE, "console") if "webhook approve" in block]
CONSOLE = [line for line in SHOWN.splitlines() if not line.startswith("$")]
"""What `webhook approve` prints, as the page shows it."""

SKIPPED = {"docs": "skipped", "deploy": "skipped"}
SECRET = "what GitHub and we know"
REPOSITORY = "Codertocat/Hello-World"
FORK = "eve/Hello-World"


@pytest.fixture
def site(new_site: NewSite, busybox: str) -> Site:
    """A repository with a file in `app`, a secret, and a webhook."""
    site = new_site(PIPELINE, {"app/one": "", "docs/d": ""})
    save_secret(f"{site.name}-hook", SECRET)
    save_secret(f"{site.name}-password", "hunter2hunter2")
    return site


def register(site: Site, *arguments: str, address: str = f"https://github.com/{REPOSITORY}") -> None:
    said = site.register(
        *("--webhook-secret", f"{site.name}-hook", "--pushed-as", address),
        *("--secret", f"PASSWORD={site.name}-password", "--env", "COLOUR=blue", *arguments),
    )
    assert said.status == 0, said


def offer(site: Site, path: str, message: str = "Offer it") -> str:
    """Commit a file to the branch `topic`, and let the host merge it, as GitHub does; returns the newest commit."""
    git(site.work, "switch", "--quiet", "--force-create", "topic", "main")
    (site.work / path).write_text(message)
    git(site.work, "add", ".")
    git(site.work, "commit", "--quiet", "--message", message)
    head = site.head
    git(site.work, "switch", "--quiet", "--detach", "main")
    git(site.work, "merge", "--quiet", "--no-ff", "--message", "Merge", "topic")
    git(site.work, "push", "--quiet", "--force", "origin", "topic:refs/pull/7/head", "HEAD:refs/pull/7/merge")
    git(site.work, "switch", "--quiet", "main")
    return head


def runs_of(site: Site) -> list[dict[str, Any]]:
    """The flow runs of the deployment, oldest first."""
    found = prefect_records.ask(site.api, f"deployments/name/{site.deployment}")
    body = {"deployments": {"id": {"any_": [found["id"]]}}, "sort": "EXPECTED_START_TIME_ASC"}
    runs: list[dict[str, Any]] = prefect_records.ask(site.api, "flow_runs/filter", body)
    return runs


def values(site: Site) -> dict[str, str]:
    """The stages that have a value."""
    return {name: value for name, value in site.values().items() if value}


def statuses(site: Site) -> dict[str, str]:
    """How each stage of the newest run ended."""
    newest = max(filter(Path.is_dir, (site.folder / "data/results" / site.name).iterdir()))
    summary = json.loads((newest / "summary.json").read_text())
    return {name: stage["status"] for name, stage in summary["stages"].items()}


def told_alike(printed: str, site: Site, head: str) -> list[str]:
    """Lines with the names, the commit and the addresses of the page."""
    page = site.api.removesuffix("/api")
    text = printed.replace(site.deployment, "infra").replace(head[:12], "6113728f27ae").replace(page, "http://127.0.0.1:4200")
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "0b99b510-7c1b-4f43-8d0b-3e0f6b8a5a52", text).splitlines()


def states(site: Site) -> list[str]:
    return [run["state"]["name"] for run in runs_of(site)]


def eventually(site: Site, wanted: list[str]) -> list[dict[str, Any]]:
    """The runs, when their states are these."""
    prefect_records.eventually(lambda: states(site), lambda found: found == wanted, patience=90)
    return runs_of(site)


def sent(action: str, head: str, **others: Any) -> Any:
    return github_sent(github_pull_request(REPOSITORY, action=action, head=head, **others), secret=SECRET, event="pull_request")


def test_a_pull_request_of_the_repository(site: Site) -> None:
    """What the host merged runs, with the secrets of the registration, and the newest commit gets the statuses."""
    save_secret(f"{site.name}-token", TOKEN)
    with running_github(ENTERPRISE) as github:
        repository = github.host(REPOSITORY)
        place = github.api.removesuffix("/api/v3")
        register(site, "--statuses", f"{site.name}-token", "--pull-requests", "own", address=f"{place}/{REPOSITORY}")
        head = offer(site, "app/two")
        payload = github_pull_request(REPOSITORY, head=head)
        there = json.loads(json.dumps(payload).replace("https://github.com", place))
        fork = github_pull_request(REPOSITORY, number=8, head=head, source=FORK)
        elsewhere = json.loads(json.dumps(fork).replace("https://github.com", place))

        with receiving(site) as address, workers.working(site.name, site.environment, site.folder):
            accepted = deliver(address, github_sent(there, secret=SECRET, event="pull_request"))
            ignored = deliver(address, github_sent(elsewhere, secret=SECRET, event="pull_request"))
            eventually(site, ["Completed"])
            prefect_records.eventually(lambda: repository.statuses, lambda told: len(told) == 2, patience=90)

    assert (accepted, ignored) == (202, 200)
    assert values(site) == {
        "told": "pull_request 7: topic into main,\nbranch '', Offer it, blue, one\ntwo",
        "checked": "checked",
    }
    assert statuses(site) == {**SKIPPED, "told": "passed", "has-secret": "passed", "with-secret": "passed", "checked": "passed"}
    assert [(one["sha"], one["state"]) for one in repository.statuses] == [(head, "pending"), (head, "success")]
    assert {one["context"] for one in repository.statuses} == {f"dockercise/{site.name}/pull-request"}


def test_a_fork_waits_for_a_yes_and_gets_no_secret(site: Site) -> None:
    """A fork's run begins when a maintainer says yes to its commit. It has no secret, and may not use the engine's machine."""
    register(site, "--pull-requests", "all")
    head = offer(site, "app/two")
    name = site.deployment

    with receiving(site) as address, workers.working(site.name, site.environment, site.folder):
        assert deliver(address, sent("opened", head, source=FORK)) == 202
        (run,) = eventually(site, ["Suspended"])
        listed = site.command("webhook", "approve", name)
        wrong = site.command("webhook", "approve", name, "7", "a" * 40)
        right = site.command("webhook", "approve", name, "7", head[:12])
        (ended,) = eventually(site, ["Completed"])
        again = site.command("webhook", "approve", name, "7", head[:12])

    assert [(one["parameters"].get("commit"), one["parameters"]["env"]) for one in (run, ended)] == [(None, None)] * 2
    assert {"fork", "event:pull_request", "pull-request:7"} <= {*run["tags"]}
    assert told_alike(f"{listed.out}{right.out}", site, head) == CONSOLE
    assert (wrong.status, right.status, again.status) == (2, 0, 2)
    assert "is not the commit that you have named" in wrong.err
    assert values(site) == {
        "told": "pull_request 7: topic into main,\nbranch '', Offer it, no colour, one\ntwo",
        "checked": "checked",
    }
    assert statuses(site) == {
        **SKIPPED,
        "told": "passed",
        "has-secret": "tolerated",
        "with-secret": "skipped",
        "checked": "passed",
    }


def test_a_fork_that_wants_the_machine(site: Site) -> None:
    """What an untrusted pipeline may not do is refused in a fork's run, although the registration is trusted."""
    refused = site.register("--no-fork-approval")
    register(site, "--pull-requests", "all", "--no-fork-approval")
    listed = site.command("register", "list")
    head = offer(site, "more.dockercise.yaml", "reader: {img: busybox, run: id, vol: '/var/run:/host'}")

    with receiving(site) as address, workers.working(site.name, site.environment, site.folder):
        assert deliver(address, sent("opened", head, source=FORK)) == 202
        (run,) = eventually(site, ["Failed"])

    assert (refused.status, "add `--pull-requests all`" in refused.err) == (2, True)
    assert "  pull requests: of this repository and of forks, without a yes" in listed.out.splitlines()
    assert "DK070 not trusted: reader mounts" in run["state"]["message"]


def test_a_new_push_asks_again_and_a_close_ends_it(site: Site) -> None:
    """A newer commit cancels the run of the older one and waits for its own yes; a closed pull request waits no more."""
    register(site, "--pull-requests", "all")
    first = offer(site, "app/two")

    with receiving(site) as address:
        deliver(address, sent("opened", first, source=FORK))
        eventually(site, ["Suspended"])
        second = offer(site, "app/three")
        deliver(address, sent("synchronize", second, source=FORK))
        eventually(site, ["Cancelled", "Suspended"])
        stale = site.command("webhook", "approve", site.deployment, "7", first[:12])
        deliver(address, sent("closed", second, source=FORK))
        eventually(site, ["Cancelled", "Cancelled"])

    assert stale.status == 2


def test_no_runs(site: Site) -> None:
    """`[skip ci]` in the newest commit, and conflicts, start nothing."""
    register(site, "--pull-requests", "own")
    skipped = offer(site, "app/two", "Try [skip ci]")

    with receiving(site) as address:
        deliver(address, sent("opened", skipped))
        deliver(address, sent("opened", skipped, number=8, mergeable=False))
        wanted = offer(site, "app/three", "Go on")
        deliver(address, sent("synchronize", wanted))
        (run,) = eventually(site, ["Scheduled"])

    assert run["labels"]["dockercise.head"] == wanted
