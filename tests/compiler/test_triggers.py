"""Which stages become targets through changed files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.compiler.triggers import Match, triggered
from dockercise_prefect.errors import Place
from dockercise_prefect.pipeline import Pipeline, Stage
from tests.compiler.sources import findings

PARTS = ["src", "docs", "a.md", "top.txt", "b b", "ü"]
paths = st.lists(st.sampled_from(PARTS), min_size=1, max_size=3).map("/".join)
globs = st.lists(
    st.sampled_from(
        [
            "src/**",
            "*.md",
            "/top.txt",
            "!docs/a.md",
            "docs",
            "docs/",
            "**/a.md",
            "src/*",
            "*",
            "!src/src",
            "t?p.txt",
            "[a-s]*",
            "ü",
        ]
    ),
    min_size=1,
    max_size=4,
)


def _taken(patterns: list[str], *changed: str) -> list[tuple[str, str]]:
    pipeline = Pipeline("p", [Stage(name="s", triggers=tuple(patterns))])
    return [(match.path, match.glob) for match in triggered(pipeline, changed).get("s", ())]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty git repository, for which each example writes the ignore file."""
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    return folder


@given(patterns=globs, changed=st.lists(paths, unique=True, min_size=1, max_size=6))
def test_globs_are_those_of_git(repository: Path, patterns: list[str], changed: list[str]) -> None:
    """Without `!`, a path matches exactly when git would ignore it by the same lines."""
    lines = [pattern for pattern in patterns if not pattern.startswith("!")] or ["*"]
    (repository / ".gitignore").write_text("\n".join(lines) + "\n")
    env = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}
    asked = subprocess.run(
        ["git", "-C", str(repository), "check-ignore", "--no-index", "-z", "--stdin"],
        input="\0".join(changed).encode(),
        capture_output=True,
        env=env,
        check=False,
    )

    taken = {path for path, _ in _taken(lines, *changed)}

    assert taken == {path for path in asked.stdout.decode().split("\0") if path}


def test_a_match_names_its_glob() -> None:
    """Each changed file has the glob that matched it, and files are in order."""
    assert _taken(["src/**", "*.md"], "x/b.md", "src/a/c.py", "other") == [("src/a/c.py", "src/**"), ("x/b.md", "*.md")]


def test_an_exception_takes_away() -> None:
    """`!` excludes what an earlier glob matched, and a later glob can match it again."""
    assert _taken(["*.md", "!draft.md"], "draft.md", "a.md") == [("a.md", "*.md")]
    assert _taken(["!draft.md", "*.md"], "draft.md") == [("draft.md", "*.md")]


def test_a_slash_means_the_root() -> None:
    """A glob with a slash before its end begins at the root; one without matches at any depth."""
    assert _taken(["/top.txt"], "a/top.txt", "top.txt") == [("top.txt", "/top.txt")]
    assert _taken(["top.txt"], "a/top.txt") == [("a/top.txt", "top.txt")]


def test_only_triggered_stages_are_named() -> None:
    """Stages come in the pipeline's order; those without triggers, or without a match, are left out."""
    pipeline = Pipeline("p", [Stage(name="b", triggers=("*",)), Stage(name="a", triggers=("x",)), Stage(name="c")])

    assert triggered(pipeline, ["y"]) == {"b": (Match("*", "y"),)}


@pytest.mark.parametrize("pattern", ["!", "a\\", "\\", "[z-a]", "[[:foo:]]", "[[:digit:]-z]", "a" * 70_000, "*a" * 500_000])
def test_what_is_no_glob_is_found_when_compiling(pattern: str) -> None:
    """A pattern that git does not understand, or that is too long, is an error at its place."""
    found = findings(a=f"a: {{img: x, triggers: [src/**, '{pattern}']}}\n")

    assert [(finding.code, finding.place) for finding in found] == [("DK024", Place("a.dockercise.yaml", 1, 32))]


@pytest.mark.parametrize("globs", [["?" * 900] * 17, [f"{index}?*?*" for index in range(1_001)]])
def test_globs_that_are_too_many_together_are_found_when_compiling(globs: list[str]) -> None:
    """If no single pattern is wrong, the finding is at the list."""
    found = findings(a=f"a: {{img: x, triggers: {globs}}}\n")

    assert [(finding.code, finding.place) for finding in found] == [("DK024", Place("a.dockercise.yaml", 1, 23))]
