"""Which stages a push touches, according to git and the pipeline at its commit."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from dockercise_prefect.bounded_process import TooMuchWorkError
from dockercise_prefect.errors import CommitMissingError, RepositoryRefusedError, UsageError
from dockercise_prefect.orchestration.registrations.checkout import open_mirror
from dockercise_prefect.orchestration.registrations.commits import BOUNDS, changed_apart
from dockercise_prefect.orchestration.registrations.deployments import Deployed
from dockercise_prefect.orchestration.registrations.pushes import EVERYTHING, Arrival, submit, touched
from dockercise_prefect.orchestration.registrations.registration import Registration
from dockercise_prefect.pipeline.selection import run_of
from dockercise_prefect.settings import Settings, read_settings
from dockercise_prefect.webhook.receiver.prefect_hub import registered_of
from tests.compiler.sources import compiled
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.hosts.git_repository import commit_all, git, make_repository
from tests.webhook.world import eventually

PIPELINE = """\
app: {img: busybox, run: echo app, triggers: app/}
docs: {img: busybox, run: echo docs, triggers: [docs/, '*.md']}
all: {img: busybox, run: echo all}
"""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The repository."""
    return make_repository(tmp_path / "work", {"p.dockercise.yaml": PIPELINE, "app/a": "", "docs/d": ""}, branch="main")


@pytest.fixture
def deployed(work: Path) -> Deployed:
    """The repository's deployment as Prefect would return it; pushes go to another branch, so that they need no Prefect."""
    return Deployed(
        id="1",
        name="work/work",
        registration=Registration(url=str(work), ref="main"),
        parameters={},
        work_pool="dockercise",
        schedules="none",
        paused=False,
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a separate data folder."""
    return read_settings(data=str(tmp_path / "data"))


def change(work: Path, *paths: str, text: str = "changed\n") -> Arrival:
    """Commit changes of files, as a push to another branch."""
    before = git(work, "rev-parse", "HEAD")
    for path in paths:
        (work / path).write_text(text)
    commit_all(work)
    return Arrival(branch="other", before=before, after=git(work, "rev-parse", "HEAD"), changed=None)


@pytest.mark.parametrize(
    ("paths", "targets"),
    [(["app/a"], ("app",)), (["README.md"], ("docs",)), (["app/a", "docs/d"], ("app", "docs")), (["other"], ())],
)
def test_changed_files_choose_the_stages(
    work: Path, deployed: Deployed, settings: Settings, paths: list[str], targets: tuple[str, ...]
) -> None:
    """Stages with a matching trigger are the targets, in the pipeline's order; if no trigger matches, nothing runs."""
    assert touched(deployed, change(work, *paths), settings) == targets


def test_a_deployment_of_some_targets_runs_no_others(work: Path, deployed: Deployed, settings: Settings) -> None:
    """Triggers of stages that the deployment does not run start nothing."""
    only_docs = replace(deployed, parameters={"targets": ["docs"]})

    assert touched(only_docs, change(work, "app/a"), settings) == ()
    assert touched(only_docs, change(work, "docs/d"), settings) == ("docs",)


def test_clean_up_stages_join_the_run_and_are_no_targets(work: Path, deployed: Deployed, settings: Settings) -> None:
    """A push does not make a clean-up stage a target, so no other stage runs because of it. The run of the targets has it."""
    told = "told: {img: busybox, run: echo, when: failure, after: [app, docs]}\n"
    change(work, "p.dockercise.yaml", text=PIPELINE + told)

    targets = touched(deployed, change(work, "app/a"), settings)

    assert targets == ("app",)
    assert list(run_of(compiled(a=PIPELINE + told), targets or ()).by_name) == ["app", "told"]
    assert touched(deployed, change(work, "other"), settings) == ()


def test_a_deployment_of_some_targets_does_not_target_clean_up(work: Path, deployed: Deployed, settings: Settings) -> None:
    """A clean-up stage with triggers that joins the deployment's run is not its target, or it would bring `docs` into it."""
    told = "told: {img: busybox, run: echo, when: failure, after: [app, docs], triggers: app/}\n"
    change(work, "p.dockercise.yaml", text=PIPELINE + told)

    assert touched(replace(deployed, parameters={"targets": ["app"]}), change(work, "app/a"), settings) == ("app",)


def test_without_triggers_everything_runs(work: Path, deployed: Deployed, settings: Settings) -> None:
    """Without triggers, nothing shows which files belong to which stage, so everything runs."""
    arrival = change(work, "p.dockercise.yaml", text="all: {img: busybox, run: echo all}\n")

    assert touched(deployed, arrival, settings) is EVERYTHING


def test_what_the_host_lists_counts_where_git_cannot_say(work: Path, deployed: Deployed, settings: Settings) -> None:
    """If git does not know the commit before a push, the host's list of files counts; without a list, everything runs."""
    arrival = change(work, "app/a")

    forced = replace(arrival, before="1" * 40, changed=["docs/d"])
    new = replace(arrival, before=None, changed=["docs/d"])
    unknown = replace(arrival, before=None)

    assert touched(deployed, forced, settings) == ("docs",)
    assert touched(deployed, new, settings) == ("docs",)
    assert touched(deployed, unknown, settings) is EVERYTHING


def test_a_commit_without_a_pipeline_runs_nothing(work: Path, deployed: Deployed, settings: Settings) -> None:
    """A branch may have no pipeline, so nothing runs."""
    git(work, "rm", "--quiet", "p.dockercise.yaml")

    assert touched(deployed, change(work), settings) == ()


def test_a_pipeline_that_does_not_compile_is_run_and_fails(work: Path, deployed: Deployed, settings: Settings) -> None:
    """The run shows the error in Prefect and in its record, where people look for it."""
    broken = change(work, "p.dockercise.yaml", text="a: {img: busybox, runs: x}\n")

    assert touched(deployed, broken, settings) is EVERYTHING


def test_a_commit_that_is_gone_cannot_run(work: Path, deployed: Deployed, settings: Settings) -> None:
    """A commit that a forced push removed, for example, cannot run."""
    arrival = change(work, "app/a")

    with pytest.raises(CommitMissingError):
        touched(deployed, replace(arrival, after="1" * 40), settings)


def test_a_commit_that_cannot_be_written_is_read(work: Path, deployed: Deployed, settings: Settings) -> None:
    """A name that no file system accepts does not prevent the reading of the pipeline next to it."""
    arrival = change(work, "app/a")
    empty = git(work, "hash-object", "-w", "--stdin", given="")
    git(work, "update-index", "--add", "--cacheinfo", f"100644,{empty},app/{'x' * 300}")
    git(work, "commit", "--quiet", "--message", "A long name")
    after = git(work, "rev-parse", "HEAD")

    assert touched(deployed, replace(arrival, after=after), settings) == ("app",)


def test_a_tree_without_end(work: Path, deployed: Deployed, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small commit of a billion files is refused as too much to read, and this process goes on."""
    monkeypatch.setattr("dockercise_prefect.orchestration.registrations.commits.BOUNDS", replace(BOUNDS, cpu=3))
    blob = git(work, "hash-object", "-w", "--stdin", given="x")
    tree = git(work, "mktree", given="".join(f"100644 blob {blob}\tf{number}\n" for number in range(64)))
    for _ in range(5):
        tree = git(work, "mktree", given="".join(f"040000 tree {tree}\td{number}\n" for number in range(64)))
    commit = git(work, "commit-tree", tree, "-m", "A bomb")
    git(work, "branch", "bomb", commit)

    with pytest.raises((TooMuchWorkError, UsageError), match=r"the commit (is too big to|cannot be) read"):
        touched(deployed, Arrival(branch="bomb", before=None, after=commit, changed=None), settings)


def test_yaml_that_takes_too_much(work: Path, deployed: Deployed, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline that takes more processor time than allowed is refused, with a message that gives this reason."""
    monkeypatch.setattr("dockercise_prefect.orchestration.registrations.commits.BOUNDS", replace(BOUNDS, cpu=1))
    arrival = change(work, "p.dockercise.yaml", text="".join(f"s{number}: {{img: b, run: x}}\n" for number in range(100_000)))

    with pytest.raises(TooMuchWorkError, match="it took more than 1 seconds of processor time"):
        touched(deployed, arrival, settings)


def test_what_changed_is_listed_by_both_names(work: Path, deployed: Deployed, settings: Settings) -> None:
    """A renamed file counts as removed and as new, whatever bytes are in its name."""
    before = git(work, "rev-parse", "HEAD")
    git(work, "mv", "app/a", "docs/ä ☃.md")
    commit_all(work)
    mirror = open_mirror(deployed.registration, settings.data)
    after = git(work, "rev-parse", "HEAD")
    mirror.fetch(before)
    mirror.fetch(after)

    assert changed_apart(mirror.folder, before, after) == ["app/a", "docs/ä ☃.md"]


def test_settings_of_the_user_hide_no_commit(
    work: Path, deployed: Deployed, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commits can be read from a bare repository even if the user's git settings allow only those that are named."""
    (tmp_path / "settings").write_text("[safe]\n\tbareRepository = explicit\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))

    assert touched(deployed, change(work, "app/a"), settings) == ("app",)


def test_a_host_that_refuses_is_told_from_one_that_is_down(tmp_path: Path, deployed: Deployed, settings: Settings) -> None:
    """If there is no repository, waiting is of little use, so the error has a kind of its own."""
    gone = replace(deployed, registration=Registration(url=str(tmp_path / "gone"), ref="main"))

    with pytest.raises(RepositoryRefusedError, match="cannot read"):
        touched(gone, Arrival(branch="main", before=None, after="1" * 40, changed=None), settings)


@pytest.mark.parametrize(
    ("branches", "waits_for"), [((), ("fea[*]ure/[[]x]",)), (("release/*", "main"), ("release/*", "main"))]
)
def test_a_registration_waits_for_its_own_branch_unless_it_names_others(
    deployed: Deployed, branches: tuple[str, ...], waits_for: tuple[str, ...]
) -> None:
    """The registered branch is matched literally and not as a glob."""
    registration = replace(deployed.registration, ref="fea*ure/[x]", branches=branches)

    assert registered_of(replace(deployed, registration=registration)).branches == waits_for


def posts(proxy: FaultProxy) -> int:
    """The number of POST requests that have arrived so far."""
    return [method for method, _ in proxy.seen].count("POST")


@pytest.mark.docker
def test_prefect_is_told_of_one_push_after_another(deployed: Deployed, prefect_api: str) -> None:
    """While Prefect handles one push, no other is sent; at the end all of them have been sent."""
    gone = replace(deployed, id=str(uuid4()))
    arrival = Arrival(branch="main", before=None, after="1" * 40, changed=None)
    with fault_proxy(prefect_api.removesuffix("/api")) as proxy, ThreadPoolExecutor(4) as pool:
        proxy.judge = lambda _number, method, _path: "slow" if method == "POST" else None

        with temporary_settings({PREFECT_API_URL: f"{proxy.url}/api"}):
            asked = [pool.submit(copy_context().run, submit, gone, arrival, None, str(key)) for key in range(4)]

        eventually(lambda: posts(proxy) > 0)
        time.sleep(1)
        at_once = posts(proxy)
        proxy.heal()
        told = [one.exception() for one in asked]

    assert at_once == 1
    assert {type(error) for error in told} == {UsageError}
    assert posts(proxy) == 4
