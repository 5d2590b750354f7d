"""A schedule and a push start runs of a registered repository by themselves, and Prefect's UI shows them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Page

from dockercise_prefect.orchestration.prefect.secret_blocks import save_secret
from tests.e2e.conftest import NewSite
from tests.support.hosts.git_repository import git
from tests.support.hosts.github_server import ENTERPRISE, TOKEN, running_github
from tests.support.prefect import prefect_records, workers
from tests.support.prefect.prefect_pages import open_page
from tests.support.site import Site
from tests.webhook.payloads import Sent, github_push, github_sent

pytestmark = [pytest.mark.docker, pytest.mark.browser]

PIPELINE = """\
version: {img: busybox, run: cat /code/version.txt}
app:
  img: busybox
  run: echo "app $VERSION, $DOCKERCISE_EVENT of $DOCKERCISE_BRANCH$DOCKERCISE_TAG"
  triggers: app/
docs: {img: busybox, run: echo docs, triggers: docs/}
told: {img: busybox, run: echo "$DOCKERCISE_STATUS", when: always, after: [app, docs]}
"""

SECRET = "what GitHub and we know"
REPOSITORY = "Codertocat/Hello-World"


@pytest.fixture
def site(new_site: NewSite, busybox: str) -> Site:
    """A repository that receives pushes as if from GitHub."""
    files = {"version.txt": "one\n", "app/a": "", "docs/d": ""}
    site = new_site(PIPELINE, files)
    save_secret(f"{site.name}-hook", SECRET)
    return site


@contextmanager
def receiving(site: Site) -> Iterator[str]:
    """Run `dockercise webhook` as a process; gives its address."""
    command = [sys.executable, "-m", "dockercise_prefect", "webhook", "--port", "0"]
    process = subprocess.Popen(command, env=site.environment, cwd=site.folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        prefect_records.eventually(lambda: known_to(found[0]), bool)
        yield found[0]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0


def known_to(address: str) -> bool:
    """Whether a receiver has read the registrations."""
    with urllib.request.urlopen(f"{address}/health", timeout=60) as answer:  # noqa: S310  loopback
        return bool(json.loads(answer.read())["registrations"]["count"])


def deliver(address: str, sent: Sent) -> int:
    """Send a delivery; returns the status of the answer."""
    request = urllib.request.Request(address, sent.body, dict(sent.headers))  # noqa: S310  loopback
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  as above
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def runs_of(site: Site) -> list[dict[str, Any]]:
    """The flow runs of the deployment that have ended."""
    found = prefect_records.ask(site.api, f"deployments/name/{site.deployment}")
    body = {
        "deployments": {"id": {"any_": [found["id"]]}},
        "flow_runs": {"state": {"type": {"any_": [*prefect_records.FINAL]}}},
    }
    runs: list[dict[str, Any]] = prefect_records.ask(site.api, "flow_runs/filter", body)
    return runs


def ended_runs(site: Site, count: int) -> list[dict[str, Any]]:
    """The same, when there are so many."""
    return prefect_records.eventually(lambda: runs_of(site), lambda runs: len(runs) >= count, patience=150)


def test_a_schedule_starts_runs_by_itself(site: Site) -> None:
    """A cron of every minute and a worker start runs without any other command."""
    site.register("--cron", "* * * * *")

    with workers.working(site.name, site.environment, site.folder):
        runs = ended_runs(site, 1)

    assert {run["state"]["name"] for run in runs} == {"Completed"}
    assert all(run["auto_scheduled"] for run in runs)
    assert site.values() == {"version": "one", "app": "app one, schedule of main", "docs": "docs", "told": "passed"}


def test_a_push_starts_a_run_of_what_it_touched(site: Site, page: Page) -> None:
    """GitHub's own signed payload starts a run of that commit, shown in the UI: the touched target, its needs, and clean-up."""
    site.register("--webhook-secret", f"{site.name}-hook", "--pushed-as", f"https://github.com/{REPOSITORY}")
    before = site.head
    after = site.push({"app/a": "new\n", "version.txt": "two\n"})
    site.push({"docs/d": "later\n"})
    payload = github_push(REPOSITORY, branch="main", before=before, after=after, changed=["app/a", "version.txt"])

    with receiving(site) as address, workers.working(site.name, site.environment, site.folder):
        forged = deliver(address, github_sent(payload, secret="guessed"))
        accepted = deliver(address, github_sent(payload, secret=SECRET, identity="72d3162e-cc78-11e3-81ab-4c9367dc0958"))
        again = deliver(address, github_sent(payload, secret=SECRET, identity="72d3162e-cc78-11e3-81ab-4c9367dc0958"))
        elsewhere = deliver(address, github_sent(payload | {"ref": "refs/heads/other"}, secret=SECRET))
        (run,) = ended_runs(site, 1)

    assert (forged, accepted, again, elsewhere) == (401, 202, 200, 200)
    assert (run["state"]["name"], run["parameters"]["commit"], run["parameters"]["targets"]) == ("Completed", after, ["app"])
    assert site.values() == {"version": "two", "app": "app two, push of main", "told": "passed"}
    assert run["labels"]["dockercise.previous"] == before
    open_page(page, f"{site.api.removesuffix('/api')}/runs/flow-run/{run['id']}", page.get_by_text(run["name"]).first)
    for tag in (f"commit:{after[:12]}", "event:push", "branch:main"):
        page.get_by_text(tag).first.wait_for()


def test_a_tag_starts_a_run_of_everything(site: Site) -> None:
    """A pushed tag that `--push-tag` includes starts one run of its commit, which knows the tag and no branch."""
    said = site.register(
        "--webhook-secret", f"{site.name}-hook", "--pushed-as", f"https://github.com/{REPOSITORY}", "--push-tag", "v*"
    )
    git(site.work, "tag", "--annotate", "--message", "Release", "v1.0")
    git(site.work, "push", "--quiet", "origin", "v1.0")
    of_tag = git(site.work, "rev-parse", "v1.0")
    payload = github_push(REPOSITORY, before="0" * 40, after=of_tag, ref="refs/tags/v1.0", head_commit=None, commits=[])

    with receiving(site) as address, workers.working(site.name, site.environment, site.folder):
        other = deliver(address, github_sent(payload | {"ref": "refs/tags/nightly"}, secret=SECRET))
        deleted = deliver(address, github_sent(payload | {"after": "0" * 40}, secret=SECRET))
        accepted = deliver(address, github_sent(payload, secret=SECRET))
        (run,) = ended_runs(site, 1)

    assert (said.status, other, deleted, accepted) == (0, 200, 200, 202)
    assert (run["state"]["name"], run["parameters"]["commit"]) == ("Completed", site.head)
    assert {"event:tag", "tag:v1.0"} <= {*run["tags"]}
    assert site.values() == {"version": "one", "app": "app one, tag of v1.0", "docs": "docs", "told": "passed"}


def test_pushes_that_touch_nothing_start_nothing(site: Site) -> None:
    """A file that no trigger matches, or a deleted branch, starts nothing; a commit that does not compile is reported."""
    site.register("--webhook-secret", f"{site.name}-hook", "--pushed-as", f"https://github.com/{REPOSITORY}")
    before = site.head
    untouched = site.push({"README.md": "new\n"})
    touched = site.push({"docs/d": "new\n"})

    with receiving(site) as address, workers.working(site.name, site.environment, site.folder):
        for start, end in ((before, untouched), (untouched, "0" * 40), (untouched, touched)):
            payload = github_push(REPOSITORY, branch="main", before=start, after=end, deleted=end == "0" * 40)
            assert deliver(address, github_sent(payload, secret=SECRET)) in {200, 202}
        runs = ended_runs(site, 1)

    assert [run["parameters"]["commit"] for run in runs] == [touched]


def test_the_host_is_told_how_a_commit_did(site: Site) -> None:
    """The commit has a link to its run while it goes on, and then its result; the token is sent nowhere else."""
    save_secret(f"{site.name}-token", TOKEN)
    with running_github(ENTERPRISE) as github:
        repository = github.host(REPOSITORY)
        place = github.api.removesuffix("/api/v3")
        options = ["--webhook-secret", f"{site.name}-hook", "--statuses", f"{site.name}-token"]
        site.register("--pushed-as", f"{place}/{REPOSITORY}", *options)
        before = site.head
        passing = site.push({"app/a": "new\n"})
        failing = site.push({"more.dockercise.yaml": "app-tests: {img: busybox, run: exit 3, triggers: app/}\n", "app/a": "\n"})
        broken = site.push({"more.dockercise.yaml": "app-tests: {img: busybox, runs: exit 3}\n"})

        with receiving(site) as address, workers.working(site.name, site.environment, site.folder):
            for start, end in ((before, passing), (passing, failing), (failing, broken)):
                payload = github_push(REPOSITORY, branch="main", before=start, after=end)
                there = json.loads(json.dumps(payload).replace("https://github.com", place))
                assert deliver(address, github_sent(there, secret=SECRET)) == 202
            prefect_records.eventually(lambda: repository.statuses, lambda statuses: len(statuses) == 6, patience=150)

    told = {commit: [one for one in repository.statuses if one["sha"] == commit] for commit in (passing, failing, broken)}
    assert [one["state"] for one in told[passing]] == ["pending", "success"]
    assert [one["state"] for one in told[failing]] == ["pending", "failure"]
    assert [one["state"] for one in told[broken]] == ["pending", "failure"]
    assert all(
        f"{site.api.removesuffix('/api')}/runs/flow-run/" in one["target_url"] for one in [*told[passing], *told[broken]]
    )
    assert github.wrong == []
    database = (site.folder / "data").rglob("*")
    assert not [path for path in database if path.is_file() and TOKEN.encode() in path.read_bytes()]
