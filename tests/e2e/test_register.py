"""A repository is registered, changed and removed, and wrong registrations are refused."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import NewSite
from tests.support.hosts.git_repository import make_bare_repository
from tests.support.prefect import prefect_records
from tests.support.site import Site

pytestmark = pytest.mark.docker

PIPELINE = """\
hello: {img: busybox, run: echo hello}
shout: {img: busybox, run: 'echo "$HELLO"'}
other: {img: busybox, run: echo other}
"""


@pytest.fixture
def site(new_site: NewSite, busybox: str) -> Site:
    """The repository that is registered."""
    return new_site(PIPELINE, {"name.txt": "first\n"})


def test_registering_again_changes_the_one_deployment(site: Site) -> None:
    """Schedules, parameters and limits get their new values; the list shows them, and removing deletes the deployment."""
    first = site.register("--cron", "0 3 * * *", "--timezone", "Europe/Berlin", "--target", "shout")
    before = prefect_records.ask(site.api, f"deployments/name/{site.deployment}")
    pushes = ["--push-branch", "main", "--push-branch", "release/*", "--push-tag", "v*"]
    second = site.register("--interval", "1h", "--concurrency", "1", "--on-overlap", "skip", "--paused", *pushes)
    after = prefect_records.ask(site.api, f"deployments/name/{site.deployment}")
    listed = site.command("register", "list")
    removed = site.command("register", "remove", site.name)
    gone = site.command("register", "remove", site.name)

    assert "registered" in first.out
    assert "schedules: cron `0 3 * * *` (Europe/Berlin)" in first.out
    assert f"changed {site.deployment}, paused" in second.out
    assert before["id"] == after["id"]
    assert (before["parameters"], after["parameters"]) == ({"targets": ["shout"]}, {})
    assert [schedule["schedule"]["interval"] for schedule in after["schedules"]] == [3600.0]
    assert after["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    assert f"{site.deployment} · paused\n  {site.source} · main · work pool {site.name} · schedules: every 1h" in listed.out
    assert "\n  pushes: branches main release/* · tags v*\n" in listed.out
    assert removed.out == f"removed {site.deployment}\n"
    assert (gone.status, "there is no registration" in gone.err) == (2, True)


def test_the_run_form_explains_its_parameters(site: Site) -> None:
    """Each parameter has a type and a sentence, and the stages are named."""
    site.register()

    deployment = prefect_records.ask(site.api, f"deployments/name/{site.deployment}")

    schema = deployment["parameter_openapi_schema"]["properties"]
    assert set(schema) == {"targets", "env", "commit", "results", "resume"}
    assert "Stages: hello, shout, other." in schema["targets"]["description"]
    assert all(parameter["description"] for parameter in schema.values())
    assert "`hello`, `shout`, `other`" in deployment["description"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["https://user:pass@localhost/x"], "would be logged"),
        (["nowhere"], "there is no folder"),
        (["{source}", "--ref", "nowhere"], "has no branch or tag `nowhere`"),
        (["{source}", "--ref=--upload-pack=x"], "cannot be the name of a branch"),
        (["{source}", "--cron", "often"], "--cron: `often`"),
        (["{source}", "--cron", "* * * * *", "--timezone", "Berlin"], "--timezone: `Berlin`"),
        (["{source}", "--interval", "soon"], "not a duration"),
        (["{source}", "--rrule", "soon"], "--rrule: `soon`"),
        (["{source}", "--target", "helo"], "did you mean `hello`?"),
        (["{source}", "--work-pool", "nowhere"], "there is no work pool nowhere"),
        (["{source}", "--credentials", "nowhere"], "there is no Secret block `nowhere`"),
        (["{source}", "--secret", "PASSWORD"], "does not name a Secret block"),
        (["{source}", "--secret", "DOCKERCISE_BRANCH=x"], "the run itself sets DOCKERCISE_BRANCH"),
        (["{source}", "--push-tag", "!v*"], "--push-tag: `!v*` excludes"),
        (["{source}", "--name", "a/b"], "cannot be the name of a deployment"),
    ],
)
def test_what_cannot_be_registered_is_said(site: Site, arguments: list[str], said: str) -> None:
    """Each mistake is reported, with exit status 2 or 3, and nothing is registered."""
    answer = site.command("register", *(argument.format(source=site.source) for argument in arguments))

    assert answer.status in {2, 3}
    assert said in answer.err
    assert site.source not in site.command("register", "list").out


def test_a_part_of_a_repository_is_not_taken_for_a_plain_folder(site: Site) -> None:
    """A folder in a repository is refused, since its runs would use uncommitted files; the whole repository has commits."""
    (site.work / "part").mkdir()
    (site.work / "part/p.dockercise.yaml").write_text("a: {img: busybox, run: echo a}\n")

    said = site.command("register", str(site.work / "part"), "--work-pool", site.name)

    assert said.status == 2
    assert f"is a folder of the git repository {site.work}" in said.err
    assert f"`dockercise register {site.work}`" in said.err


def test_a_deployment_of_another_repository_is_not_taken_over(site: Site) -> None:
    """Two repositories whose pipelines have the same name need deployments with different names."""
    site.register()
    other = make_bare_repository(site.folder / f"other/{site.name}.git", site.work)

    refused = site.command("register", other.as_uri(), "--work-pool", site.name)
    taken = site.command("register", other.as_uri(), "--work-pool", site.name, "--name", "mine")

    assert refused.status == 2
    assert f"there is already a deployment {site.deployment}, of {site.source}" in refused.err
    assert f"registered {site.name}/mine" in taken.out


def test_what_a_repository_that_is_not_trusted_brings_is_not_fetched(site: Site) -> None:
    """With submodules and LFS, an untrusted repository could choose addresses that the worker contacts with its credentials."""
    said = site.register("--untrusted", "--submodules")

    assert said.status == 2
    assert "with your credentials" in said.err
