"""The code of a run as a checkout of git, in containers that have git."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.errors import UsageError
from dockercise_prefect.pipeline import CodeHistory, built_from, code
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.files.code_history import VARIABLES
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine
from tests.runtime.workspaces import Seen, run_all, sh, workspace
from tests.support.aws.aws_image import ensure_aws_image
from tests.support.hosts.git_repository import commit_all, git, make_repository


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with two commits, of which the first has an annotated tag; nothing is uncommitted."""
    folder = make_repository(tmp_path / "root", {"app/f": "1", "run.sh": "true", ".dockerciseignore": "secret\n"}, "feature")
    git(folder, "tag", "--annotate", "--message", "Release", "v1.0")
    (folder / "secret").write_text("text", encoding="utf-8")
    (folder / "run.sh").chmod(0o775)
    commit_all(folder)
    return folder


@pytest.mark.docker
def test_git_works_in_a_container_whoever_runs_it(docker_engine: DockerEngine, run_id: str, root: Path) -> None:
    """As root and as another user, in `/code` and in a copy of it, git describes the commit and finds nothing uncommitted."""
    asks = ["git describe --dirty", "git symbolic-ref --short HEAD", "git diff --exit-code", "git status --porcelain"]
    script = "; ".join([*asks, "git rev-list HEAD | wc -l"])
    image = ensure_aws_image()
    stages = [
        sh("a", f"cd /code; {script}", image=image, volumes=[code]),
        sh("b", f"cd /code; {script}", image=image, volumes=[code], user="1000:1000"),
        sh("c", script, image=image, on=code),
        sh("d", f"{script}; git -c user.name=x -c user.email=x commit -qam y --allow-empty", image=image, on=code, user="1000"),
    ]

    ran = run_all(docker_engine, *stages, root=root, run_id=run_id, history=CodeHistory())

    name = git(root, "describe")
    assert {stage: result.message for stage, result in ran.results.items() if result.exit_code} == {}
    assert [ran.value(stage.name).decode() for stage in stages] == [f"{name}\nfeature\n2"] * 4


@pytest.mark.docker
def test_what_is_uncommitted_stays_so(docker_engine: DockerEngine, run_id: str, root: Path) -> None:
    """Changed, new and deleted files are shown by git as at the root; what the code leaves out is not shown as deleted."""
    (root / "app/f").write_text("changed", encoding="utf-8")
    (root / "new").write_text("new", encoding="utf-8")
    (root / "run.sh").unlink()
    git(root, "add", "app/f")
    look = sh("a", "cd /code; ls -A; git status --porcelain", image=ensure_aws_image(), volumes=[code])

    ran = run_all(docker_engine, look, root=root, run_id=run_id, history=CodeHistory())

    assert ran.value("a").decode().split("\n") == [".dockerciseignore", ".git", "app", "new", " M app/f", " D run.sh", "?? new"]


@pytest.mark.docker
def test_a_build_gets_the_history_too(docker_engine: DockerEngine, run_id: str, root: Path) -> None:
    """A Dockerfile can copy `.git`, unless its `.dockerignore` excludes it."""
    (root / "Dockerfile").write_text(f"FROM {BUSYBOX}\nCOPY . /src\n", encoding="utf-8")
    look = sh("a", "cat /src/.git/HEAD", image=None, build=built_from(code))

    ran = run_all(docker_engine, look, root=root, run_id=run_id, history=CodeHistory())

    assert ran.value("a") == b"ref: refs/heads/feature"


def test_the_history_is_only_as_deep_as_asked_for(scripted: ScriptedEngine, root: Path) -> None:
    """`depth` limits the history; without `meta.code` there is no `.git` and no variable of git."""
    seen, other = Seen("/code/.git/shallow"), Seen("/code/.git/HEAD")
    scripted.script("look", Behaviour(action=seen))
    scripted.script("other", Behaviour(action=other))

    run_all(scripted, sh("a", "look", volumes=[code]), root=root, history=CodeHistory(1))
    with_history = scripted.specs[-1].env
    run_all(scripted, sh("a", "other", volumes=[code]), root=root)

    assert seen.files == {"/code/.git/shallow": f"{git(root, 'rev-parse', 'HEAD')}\n".encode()}
    assert other.files == {"/code/.git/HEAD": None}
    assert VARIABLES.items() <= with_history.items()
    assert scripted.specs[-1].env.keys().isdisjoint(VARIABLES)


def test_stages_that_need_no_code_get_no_variables(scripted: ScriptedEngine, root: Path) -> None:
    """Only stages that see the code get the variables of git; a stage's own ones of these names replace them."""
    own = {"GIT_CONFIG_COUNT": "0"}

    run_all(scripted, sh("a", "x", volumes=[code], env=own), sh("b", "y"), root=root, history=CodeHistory())

    of_git = [{name: spec.env[name] for name in VARIABLES.keys() & spec.env.keys()} for spec in scripted.specs if spec.env]
    assert of_git == [own, {}]


def test_the_digest_of_the_code_is_that_of_its_files(scripted: ScriptedEngine, root: Path) -> None:
    """The same files have the same digest with and without a history, because git packs the same commits anew."""
    digests = set()
    for history in (None, CodeHistory(), CodeHistory(1)):
        with workspace(scripted, sh("a", "x", volumes=[code]), root=root, history=history) as ran:
            digests.add(ran.workspace.code_digest)

    assert len(digests) == 1


def test_code_that_is_no_repository_is_refused_before_the_first_stage(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """Without a repository, nothing starts, and the error says what to do."""
    with (
        pytest.raises(UsageError, match="must be a git repository") as refused,
        workspace(scripted, sh("a", "x", volumes=[code]), root=tmp_path, history=CodeHistory()),
    ):
        pass

    assert "`git init`" in (refused.value.hint or "")
    assert scripted.runs == []
