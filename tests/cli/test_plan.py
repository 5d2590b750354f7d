"""`plan`: the effect of a change, and the stages that would run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compiler.sources import compiled
from tests.orchestration.reuse.kept_runs import RUN_ID, KeptRun
from tests.support.command import Command
from tests.support.hosts.git_repository import add_submodule, commit_all, git, make_repository

PIPELINE = (
    "make: {img: x, run: make, triggers: src/**}\ntest: {img: x, run: test, vol: make, triggers: tests/**}\nold: {img: x}\n"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a pipeline and without changes."""
    return make_repository(tmp_path / "shop", {"a.dockercise.yaml": PIPELINE, "src/a.c": "a", "tests/t": "t"})


def test_text_says_what_changed_and_what_would_run(command: Command, root: Path) -> None:
    """The text names the commit, each stage that differs, the changed files, and the stages that would run with the reason."""
    (root / "a.dockercise.yaml").write_text(PIPELINE.replace("run: make", "run: make all").replace("old:", "new:"))
    (root / "tests/t").write_text("T")

    outcome = command("plan", str(root), "--since", "HEAD")

    assert outcome.status == 0
    assert outcome.out == (
        f"since HEAD ({git(root, 'rev-parse', 'HEAD')[:12]})\n\n"
        "stages\n  + new, added\n  ~ make, changed in run\n    test, affected by make\n  - old, removed\n\n"
        "changed files\n  a.dockercise.yaml\n  tests/t\n\n"
        "would run\n  make: needed by test\n  test: tests/t matches tests/**\n"
    )


def test_json_is_stable(command: Command, root: Path) -> None:
    """The JSON has its keys in order and holds everything that the text shows."""
    (root / "src/b.c").write_text("b")

    printed = json.loads(command("plan", "-C", str(root), "--since", "master", "--format", "json").out)

    assert printed == {
        "since": {"revision": "master", "commit": git(root, "rev-parse", "HEAD")},
        "note": None,
        "added": [],
        "changed": {},
        "affected": {},
        "removed": [],
        "changed_files": ["src/b.c"],
        "targets": {"make": [{"glob": "src/**", "path": "src/b.c"}]},
        "would_run": {"make": "src/b.c matches src/**"},
        "would_skip": {},
        "reuse": {},
    }
    assert list(printed)[:2] == ["since", "note"]


def test_nothing_would_run(command: Command, root: Path) -> None:
    """If no trigger matches, this is shown, and it is not a failure."""
    outcome = command("plan", str(root), "--since", "HEAD")

    assert outcome.status == 0
    assert "no stage changed\n\nno file changed\n\nnothing would run: no trigger matches a changed file\n" in outcome.out


def test_without_triggers_everything_would_run(command: Command, root: Path) -> None:
    """If no stage has triggers, every stage would run, and that is the reason."""
    (root / "a.dockercise.yaml").write_text("b: {img: x}\na: {img: x}\n")

    assert "would run, because no stage has triggers\n  b, a\n" in command("plan", str(root), "--since", "HEAD").out


@pytest.mark.parametrize(
    ("past", "note"),
    [
        ("a: {after: nowhere}\n", "does not compile, so every stage counts as added: a.dockercise.yaml:1:"),
        (None, "there was no"),
    ],
)
def test_a_past_without_a_pipeline(command: Command, tmp_path: Path, past: str | None, note: str) -> None:
    """If the past has no pipeline or a wrong one, every stage counts as added, and a note shows the reason."""
    root = make_repository(tmp_path / "new", {"README": "", **({"a.dockercise.yaml": past} if past else {})})
    (root / "a.dockercise.yaml").write_text(PIPELINE)

    outcome = command("plan", str(root), "--since", "HEAD")

    assert outcome.status == 0
    assert f"note: at HEAD {'the pipeline ' if past else ''}{note}" in outcome.out
    assert "  + old, added\n" in outcome.out


def test_a_wrong_pipeline_today(command: Command, root: Path) -> None:
    """Errors in the present pipeline are reported as usual."""
    (root / "a.dockercise.yaml").write_text("a: {after: nowhere}\n")

    outcome = command("plan", str(root), "--since", "HEAD")

    assert (outcome.status, outcome.out) == (2, "")
    assert "DK031" in outcome.err


@pytest.mark.parametrize("name", ["nowhere", "--since"])
def test_unknown_revision(command: Command, root: Path, name: str) -> None:
    """A revision that does not exist is status 2 with a hint."""
    outcome = command("plan", str(root), f"--since={name}")

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(f"`{name}` is not a revision of this repository\n  hint: ")


def test_names_that_no_text_can_hold(command: Command, root: Path) -> None:
    """A file whose name is not UTF-8 is shown, in text and in JSON."""
    with (root / "src" / b"\xff\n".decode("utf-8", "surrogateescape")).open("w"):
        pass

    outcome = command("plan", str(root), "--since", "HEAD", "--format", "json")

    assert outcome.status == 0
    assert json.loads(outcome.out)["targets"]["make"][0]["path"] == "src/\\xff\\n"


def test_a_linked_pipeline_is_not_new(command: Command, tmp_path: Path) -> None:
    """A stage whose file is reached by a committed link is the same as in the past."""
    root = make_repository(tmp_path / "l", {"real/base.yaml": PIPELINE})
    (root / "pl").mkdir()
    (root / "pl/s.dockercise.yaml").symlink_to("../real/base.yaml")
    commit_all(root)

    outcome = command("plan", "-C", str(root), "--since", "HEAD")

    assert outcome.status == 0
    assert "\n\nno stage changed\n\nno file changed\n\n" in outcome.out


def test_a_change_in_a_submodule(command: Command, root: Path, tmp_path: Path) -> None:
    """A submodule's stages are the same as in the past, and its changed files make targets of stages."""
    inner = make_repository(tmp_path / "inner", {"s.dockercise.yaml": "s: {img: x, triggers: '*.c'}\n", "f.c": "f\n"})
    add_submodule(root, inner, "sm")
    (root / "sm/f.c").write_text("new\n")

    outcome = command("plan", "-C", str(root), "--since", "HEAD")

    assert outcome.out.partition("\n\n")[2] == (
        "no stage changed\n\nchanged files\n  sm/f.c\n\nwould run\n  s: sm/f.c matches *.c\n"
    )


def test_a_submodule_that_cannot_be_read(command: Command, root: Path, tmp_path: Path) -> None:
    """A submodule without a past is named once in the note; if there is also no pipeline, after the reason for that."""
    add_submodule(root, make_repository(tmp_path / "inner", {"f.c": "f\n"}), "sm")
    git(root, "submodule", "--quiet", "deinit", "--all", "--force")
    left_out = "the submodule sm is left out: it is not checked out; `git submodule update --init` fetches it"

    note = json.loads(command("plan", str(root), "--since", "HEAD", "--format", "json").out)["note"]
    git(root, "mv", "a.dockercise.yaml", "a.yaml")
    commit_all(root)
    git(root, "mv", "a.yaml", "a.dockercise.yaml")
    note_without_pipeline = json.loads(command("plan", str(root), "--since", "HEAD", "--format", "json").out)["note"]

    assert note == left_out
    assert note_without_pipeline == f"at HEAD there was no pipeline here, so every stage counts as added. {left_out}"


def test_conditions_are_shown(command: Command, root: Path) -> None:
    """Stages whose conditions would not hold for a push of the change on this branch are listed with the reason."""
    more = (
        "deploy: {img: x, run: d, after: make, triggers: '**', when: {branch: prod}}\n"
        "docs: {img: x, run: d, triggers: '**', when: {event: push, changed: 'docs/**'}}\n"
        "lint: {img: x, run: l, triggers: '**', when: {event: push, branch: master}}\n"
    )
    (root / "a.dockercise.yaml").write_text(PIPELINE + more)

    outcome = command("plan", str(root), "--since", "HEAD")

    assert outcome.out.endswith(
        "would run\n  lint: a.dockercise.yaml matches **\n\n"
        "would be skipped\n  make: only deploy needs it\n"
        "  deploy: the branch is master, and must match prod\n"
        "  docs: the push changed no file that matches docs/**\n"
    )


CACHED = (
    "make: {img: x, run: make, vol: 'code/src:/src', cache: true}\n"
    "test: {img: x, run: test, vol: make, cache: true}\n"
    "last: {img: x, when: {branch: prod}}\n"
)


@pytest.fixture
def passed(root: Path, tmp_path: Path) -> Path:
    """The place of results of a run in which all stages passed."""
    KeptRun(compiled(a=f"meta: {{name: shop}}\n{CACHED}"), root, tmp_path / "results").passes()
    (root / "a.dockercise.yaml").write_text(CACHED)
    return tmp_path / "results"


def test_without_a_revision_it_says_what_would_be_reused(command: Command, root: Path, passed: Path) -> None:
    """Each stage with `cache` has a line, also those that nobody can decide yet; a stage that is skipped says why."""
    same = command("plan", str(root), "--results", str(passed))
    (root / "src/b.c").write_text("b")
    changed = command("plan", str(root), "--results", str(passed))

    skipped = "would be skipped\n  last: the branch is master, and must match prod\n\n"
    reused = f"reused from {RUN_ID}, if the image x has not moved\n"
    assert (same.status, same.out) == (0, f"{skipped}stages with `cache`\n  make: {reused}  test: {reused}")
    assert changed.out == (
        f"{skipped}stages with `cache`\n  make: runs, because file src/b.c of the code is new\n"
        "  test: decided when make has run\n"
    )


def test_the_json_of_reuse_is_stable(command: Command, root: Path, passed: Path) -> None:
    """Without a revision, the keys of a comparison are there and empty."""
    (root / "src/b.c").write_text("b")

    printed = json.loads(command("plan", str(root), "--results", str(passed), "--format", "json").out)

    nothing: dict[str, object] = {"reused_from": None, "provided": [], "after": [], "because": None}
    assert printed == {
        "since": None,
        "note": None,
        "added": [],
        "changed": {},
        "affected": {},
        "removed": [],
        "changed_files": [],
        "targets": {},
        "would_run": {"make": "every stage runs", "test": "every stage runs"},
        "would_skip": {"last": "the branch is master, and must match prod"},
        "reuse": {
            "make": {**nothing, "because": "file src/b.c of the code is new"},
            "test": {**nothing, "after": ["make"]},
        },
    }


def test_a_push_is_compared_too(command: Command, root: Path, passed: Path) -> None:
    """With a revision, only the stages that a push of the change would run are looked at."""
    text = CACHED.replace("cache: true}\ntest", "cache: true, triggers: src/**}\ntest")
    (root / "a.dockercise.yaml").write_text(text)
    (root / "src/b.c").write_text("b")

    outcome = command("plan", str(root), "--since", "HEAD", "--results", str(passed))

    assert outcome.out.endswith(
        "would run\n  make: src/b.c matches src/**\n\n"
        "stages with `cache`\n  make: runs, because file src/b.c of the code is new\n"
    )


def test_a_place_that_cannot_be_read_is_noted(command: Command, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the plan is shown all the same."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(root))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (root / "a.dockercise.yaml").write_text(CACHED)

    outcome = command("plan", str(root), "--results", "s3://results-of-nobody/x")

    assert outcome.status == 0
    assert outcome.out.startswith("note: nobody knows what would be reused, because what earlier runs left cannot be read: ")


def test_a_plan_without_cache(command: Command, root: Path) -> None:
    """If no stage has `cache`, that is said."""
    assert command("plan", str(root)).out == "no stage has `cache`, so every stage runs that is not skipped\n"


def test_it_does_not_import_prefect(root: Path, passed: Path) -> None:
    """A plan with stages that would be reused is as fast as one without: it needs neither Prefect nor an engine."""
    code = (
        "import sys; from click.testing import CliRunner; from dockercise_prefect.cli import dockercise; "
        "found = CliRunner().invoke(dockercise, sys.argv[1:]); print(found.output); "
        "print([name for name in ('prefect', 'docker', 'boto3') if name in sys.modules])"
    )
    arguments = ["plan", str(root), "--results", str(passed)]

    printed = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True).stdout

    assert "reused from" in printed
    assert printed.splitlines()[-1] == "[]"
