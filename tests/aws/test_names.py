"""Names of a stack and of its repositories."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.aws.names import StackNames, repository_name
from dockercise_prefect.errors import UsageError


@pytest.mark.parametrize("name", ["dockercise", "dockercise-team", "dockercise-2-b", "dockercise-" + "x" * 29])
def test_stack_names_that_the_policies_cover_are_allowed(name: str) -> None:
    """A name that begins with `dockercise` is the name of a stack, and of its parameters."""
    assert StackNames(name).parameter("secrets", "acme") == f"/dockercise/{name}/secrets/acme"


@pytest.mark.parametrize(
    "name", ["", "team", "dockercises", "Dockercise", "dockercise_x", "dockercise/x", "dockercise-" + "x" * 30]
)
def test_other_stack_names_are_refused(name: str) -> None:
    """A name that the policies do not cover, or that is too long, is refused with the rule."""
    with pytest.raises(UsageError, match=r"cannot be the name of a stack\n  hint: use `dockercise`"):
        StackNames(name)


def test_forms_of_one_address_have_one_name() -> None:
    """The https and the ssh address of a repository give the same name, with its owner and its own name."""
    names = {repository_name(one) for one in ("https://github.com/Acme/Infra.git", "git@github.com:acme/infra")}

    assert len(names) == 1
    assert re.fullmatch(r"acme-infra-[0-9a-f]{8}", names.pop())


def test_what_is_not_an_address_has_no_name() -> None:
    """A text without a host and a path is refused."""
    with pytest.raises(UsageError, match="is not an address"):
        repository_name("infra")


@given(st.lists(st.from_regex(r"[\w.-]{1,80}", fullmatch=True), min_size=1, max_size=6))
def test_names_of_repositories_are_names_of_parameters(parts: list[str]) -> None:
    """Whatever an address contains, the name has only characters that SSM allows, and at most 69 of them."""
    try:
        name = repository_name("https://example.org/" + "/".join(parts))
    except UsageError:
        return

    assert re.fullmatch(r"[A-Za-z0-9_.-]{9,69}", name)
