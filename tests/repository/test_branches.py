"""The branches that globs match."""

from __future__ import annotations

import pytest

from dockercise_prefect.errors import UsageError
from dockercise_prefect.pipeline.name_globs import takes_name
from dockercise_prefect.repository.branches import check_globs, exactly


@pytest.mark.parametrize(
    ("globs", "branch", "taken"),
    [
        (["main"], "main", True),
        (["main"], "Main", False),
        (["release/*"], "release/1/2", True),
        (["*", "!main"], "main", False),
        (["*", "!main"], "dev", True),
        (["*", "!wip/*", "wip/mine"], "wip/mine", True),
        (["*", "!wip/*", "wip/mine"], "wip/other", False),
        ([r"\!odd"], "!odd", True),
        ([], "main", False),
    ],
)
def test_the_last_glob_that_matches_decides(globs: list[str], branch: str, taken: bool) -> None:
    """A glob includes a branch, and a later glob with `!` excludes it again."""
    assert takes_name(globs, branch) is taken


@pytest.mark.parametrize("branch", ["main", "fea*ure/[x]", "a?b", "!odd", "[!a]"])
def test_a_branch_is_named_exactly(branch: str) -> None:
    """The glob of a branch's name matches that branch and no similar one."""
    assert takes_name([exactly(branch)], branch)
    assert not takes_name([exactly(branch)], f"{branch}x")
    assert not takes_name([exactly(branch)], branch.replace("*", "t").replace("?", "x").removeprefix("!") + " ")


@pytest.mark.parametrize("globs", [["!main"], ["!main", "*"], [""], ["*", "!"]])
def test_globs_that_begin_with_nothing_are_refused(globs: list[str]) -> None:
    """A first glob with `!`, or an empty glob, is an error of the command."""
    with pytest.raises(UsageError, match="--push-branch"):
        check_globs(globs, "--push-branch", "branch")
    with pytest.raises(UsageError, match="--push-tag"):
        check_globs(globs, "--push-tag", "tag")
