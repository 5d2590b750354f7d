"""A repository is registered, and workers run its content at the commit of each run."""

from __future__ import annotations

import json
import subprocess

import pytest

from dockercise_prefect.orchestration.prefect.secret_blocks import save_secret
from tests.e2e.conftest import NewSite
from tests.support.aws.aws_image import ensure_aws_image
from tests.support.hosts.git_repository import git
from tests.support.prefect import prefect_records, workers
from tests.support.site import Site

pytestmark = pytest.mark.docker

PIPELINE = """\
hello: {img: busybox, run: cat /code/name.txt, triggers: name.txt}
shout: {img: busybox, run: 'echo "$HELLO" | tr a-z A-Z'}
other: {img: busybox, run: echo other, triggers: other/}
"""


ASKING = """\
open: {img: busybox, env: COLOUR, run: echo $COLOUR}
hidden: {img: busybox, env: PASSWORD, run: 'echo $PASSWORD; echo ${#PASSWORD}'}
"""


HISTORY = """\
meta: {{code: {{git: true}}, defaults: {{img: {image}, pull: never}}}}
describe: {{run: 'cd /code; git describe; git diff --exit-code'}}
branch: {{run: git -C /code symbolic-ref --short HEAD}}
remotes: {{run: git -C /code remote}}
"""


@pytest.fixture
def site(new_site: NewSite, busybox: str) -> Site:
    """The repository that is registered."""
    return new_site(PIPELINE, {"name.txt": "first\n"})


def test_a_run_takes_what_is_in_the_repository_at_its_own_commit(site: Site) -> None:
    """Without a commit, a run uses the branch's newest pipeline and code; with one, those of the commit; targets run a part."""
    first = site.head
    said = site.register()
    site.push({"name.txt": "second\n", "more.dockercise.yaml": "late: {img: busybox, run: echo late}\n"})

    newest = site.run()
    values_of_newest = site.values()
    older = site.run(commit=first, targets=["shout"])
    values_of_older = site.values()

    assert said.status == 0, said.err
    assert f"{site.name} · 3 stages in 1 file · main at {first[:12]}" in said.out
    assert (newest.type, older.type) == ("COMPLETED", "COMPLETED")
    assert values_of_newest == {"hello": "second", "shout": "SECOND", "other": "other", "late": "late"}
    assert values_of_older == {"hello": "first", "shout": "FIRST"}
    assert {f"pipeline:{site.name}", f"commit:{first[:12]}"} <= older.tags
    assert not list((site.folder / "data/repositories/checkouts").iterdir())


def test_a_retry_is_of_the_same_commit_and_keeps_its_name(site: Site) -> None:
    """A retry of a failed run uses the commit that failed, also after a push, and does not run again what passed."""
    site.push({"fails.dockercise.yaml": "fails: {img: busybox, run: exit 3}\n"})
    failed = site.head
    site.register()
    flow_run = workers.start_run(site.api, site.deployment)
    workers.work_once(site.name, site.environment, site.folder)
    first = prefect_records.flow_run(site.api, flow_run)
    site.push({"fails.dockercise.yaml": "fails: {img: busybox, run: exit 0}\n"})

    retry = [*workers.PREFECT, "flow-run", "retry", flow_run]
    subprocess.run(retry, check=True, env={**site.environment}, cwd=site.folder, capture_output=True)
    workers.work_once(site.name, site.environment, site.folder)
    again = prefect_records.flow_run(site.api, flow_run)

    said = prefect_records.logs(site.api, flow_run, "attempt 2")
    records = sorted(path.name for path in (site.folder / "data/results" / site.name).iterdir() if path.is_dir())
    assert (first.state, again.state) == ("Failed", "Failed")
    assert again.name == first.name == records[0]
    assert again.parameters["commit"] == failed
    assert [tag for tag in again.tags if tag.startswith("commit:")] == [f"commit:{failed[:12]}"]
    assert any(line.startswith(f"attempt 2 of {first.name} of commit {failed[:12]}; ") and records[1] in line for line in said)
    stages = json.loads((site.folder / "data/results" / site.name / records[1] / "summary.json").read_text())["stages"]
    reused = {name for name, stage in stages.items() if stage.get("reused_from") == first.name}
    assert reused == {"hello", "shout", "other"}


def test_a_run_can_resume_another_one(site: Site) -> None:
    """With the parameter `resume`, a run of a later commit takes what passed in an earlier run, and runs the rest."""
    site.push({"fails.dockercise.yaml": "fails: {img: busybox, run: exit 3, after: shout}\n"})
    site.register()
    failed = site.run()
    site.push({"fails.dockercise.yaml": "fails: {img: busybox, run: echo mended, after: shout}\n"})

    passed = site.run(resume="last")
    wrong = site.run(resume="2025")

    newest = max(path for path in (site.folder / "data/results" / site.name).iterdir() if path.is_dir())
    stages = json.loads((newest / "summary.json").read_text())["stages"]
    assert (failed.state, passed.state, wrong.state) == ("Failed", "Completed", "Failed")
    assert {name: stage["status"] for name, stage in stages.items()} == {
        "hello": "passed",  # it looks at all of the code, which has another file
        "shout": "cached",  # what hello printed is the same as before
        "other": "cached",
        "fails": "passed",
    }
    assert site.values()["fails"] == "mended"
    assert f"there is no run of {site.name} whose id is or begins with `2025`" in str(wrong.message)


def test_a_run_by_hand_knows_its_branch_and_so_does_its_retry(site: Site) -> None:
    """A run of the newest commit has the registered branch, also in a retry after a push; one of an older commit has none."""
    tells = "tells: {img: busybox, run: 'echo \"$DOCKERCISE_EVENT of $DOCKERCISE_BRANCH: $DOCKERCISE_MESSAGE\"'}\n"
    site.push({"tells.dockercise.yaml": tells, "name.txt": "second\n"})
    site.register()
    flow_run = workers.start_run(site.api, site.deployment, targets=["tells"])
    workers.work_once(site.name, site.environment, site.folder)
    first = site.values()
    older = site.head
    site.push({"name.txt": "third\n"})

    retry = [*workers.PREFECT, "flow-run", "retry", flow_run]
    subprocess.run(retry, check=True, env={**site.environment}, cwd=site.folder, capture_output=True)
    workers.work_once(site.name, site.environment, site.folder)
    again = site.values()
    of_another_commit = site.run(commit=older, targets=["tells"])

    assert first == again == {"tells": "manual of main: Go on"}
    assert of_another_commit.type == "COMPLETED"
    assert site.values() == {"tells": "manual of : Go on"}


def test_a_run_can_have_the_history_of_its_code(new_site: NewSite) -> None:
    """With `meta.code`, the code of a registered repository is a checkout with history and tags, on the run's branch."""
    site = new_site(HISTORY.format(image=ensure_aws_image()), {})
    git(site.work, "tag", "--annotate", "--message", "Release", "v1.0")
    git(site.work, "push", "--quiet", "origin", "v1.0")
    site.push({"name.txt": "second\n"})
    site.register()

    ended = site.run()

    assert ended.type == "COMPLETED", ended.message
    assert site.values() == {"describe": git(site.work, "describe"), "branch": "main", "remotes": ""}


def test_a_repository_that_does_not_compile_is_not_registered(site: Site) -> None:
    """A broken pipeline is reported with its place; an existing deployment stays, and a run of the broken commit reports it.

    The record of that run has the same report.
    """
    good = site.head
    site.register("--cron", "0 3 * * *")
    site.push({"broken.dockercise.yaml": "a: {img: busybox, volume: b}\n"})

    said = site.register()
    broken = site.run()
    record = json.loads(site.command("show", "last", "--pipeline", site.name, "--json").out)
    still = site.run(commit=good)

    assert said.status == 2
    assert "broken.dockercise.yaml:1:19: DK021" in said.err
    assert "nothing registered" in said.err
    assert len(prefect_records.ask(site.api, f"deployments/name/{site.deployment}")["schedules"]) == 1
    assert broken.type == "FAILED"
    assert broken.message is not None
    assert broken.message.startswith("error: broken.dockercise.yaml:1:19: DK021")
    assert record["status"] == "error"
    assert "broken.dockercise.yaml:1:19: DK021" in record["error"]
    assert record["stages"] == {}
    assert still.type == "COMPLETED"


def test_variables_and_results_travel_with_the_deployment(site: Site) -> None:
    """`--env` gives a variable, `--secret` one from a block, masked; `--results` sets the place of the record."""
    save_secret(f"{site.name}-password", "hunter2-hunter2")
    site.push({"more.dockercise.yaml": ASKING})
    record = site.folder / "elsewhere"

    said = site.register(
        "--env",
        "COLOUR=blue",
        "--secret",
        f"PASSWORD={site.name}-password",
        "--results",
        str(record),
    )
    ended = site.run()

    assert (said.status, ended.type) == (0, "COMPLETED"), said.err
    folder = next(path for path in (record / site.name).iterdir() if path.is_dir())
    assert json.loads((folder / "open.json").read_text())["value"] == "blue"
    assert (folder / "hidden.log").read_text() == "***\n15\n"


def test_a_run_that_cannot_begin_says_why(site: Site) -> None:
    """The flow run fails with a sentence and no traceback."""
    said: dict[str, dict[str, object]] = {
        "`abc` is not a commit id": {"commit": "abc"},
        "has no commit 1111": {"commit": "1" * 40},
        "the target `nowhere` is not a stage": {"targets": ["nowhere"]},
    }
    site.register()

    flow_runs = [workers.start_run(site.api, site.deployment, **parameters) for parameters in said.values()]
    workers.work_once(site.name, site.environment, site.folder)

    for message, flow_run in zip(said, flow_runs, strict=True):
        ended = prefect_records.flow_run(site.api, flow_run)
        assert ended.type == "FAILED"
        assert message in (ended.message or "")
        log = prefect_records.logs(site.api, flow_run, "Finished in state")
        assert not [line for line in log if "Traceback" in line]


def test_a_folder_without_a_repository_runs_as_it_is(site: Site) -> None:
    """Its runs use its content when they begin."""
    folder = site.folder / site.name
    folder.mkdir()
    (folder / "a.dockercise.yaml").write_text("a: {img: busybox, run: cat /code/text}\n")
    (folder / "text").write_text("before")
    said = site.command("register", str(folder), "--work-pool", site.name)
    (folder / "text").write_text("after")

    ended = site.run()

    assert (said.status, ended.type) == (0, "COMPLETED"), said.err
    assert site.values() == {"a": "after"}


def test_a_repository_that_is_not_trusted_is_held_to_its_limits(site: Site) -> None:
    """Forbidden things are refused with a place, registered or run; no variable of the worker reaches the pipeline."""
    asks = "limits: {img: busybox, env: 'PREFECT_API_URL?', run: 'echo ${PREFECT_API_URL:-none}'}\n"
    site.push({"more.dockercise.yaml": asks})
    said = site.register("--untrusted")
    fine = site.run()
    values = site.values()
    site.push({"worse.dockercise.yaml": "worse: {img: busybox, network: host, vol: '/etc:/host', run: cat /host/shadow}\n"})

    again = site.register("--untrusted", "--name", "again")
    refused = site.run()

    assert (said.status, fine.type) == (0, "COMPLETED"), said.err
    assert values["limits"] == "none"
    assert again.status == 2
    assert "worse.dockercise.yaml:1:1: DK07" in again.err
    assert "2 findings in 1 file, nothing registered" in again.err
    assert refused.type == "FAILED"
    assert "worse.dockercise.yaml:1:1: DK07" in (refused.message or "")
