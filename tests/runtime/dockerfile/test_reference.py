"""How image references are split into their parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.dockerfile.reference import Reference, parse_reference, registry_host

_DIGEST = "sha256:" + "a1" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("busybox", Reference("busybox", "latest")),
        ("busybox:1", Reference("busybox", "1")),
        ("localhost:5000/a/b", Reference("localhost:5000/a/b", "latest")),
        ("localhost:5000/a/b:t", Reference("localhost:5000/a/b", "t")),
        (f"busybox@{_DIGEST}", Reference("busybox", _DIGEST)),
        (f"r.example/a__b-c.d:t@{_DIGEST}", Reference("r.example/a__b-c.d", _DIGEST)),
        (_DIGEST, Reference(_DIGEST, "", is_id=True)),
    ],
)
def test_references(text: str, expected: Reference) -> None:
    """A reference has a name and always a version: an image without a tag means its `latest`."""
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    "text", ["", "Busybox", "a b", "-a", "a/", "../../containers", "a:", "a@sha256:12", "a:b:c", "http://a/b", "a\n", "a" * 256]
)
def test_what_is_no_reference(text: str) -> None:
    """Text that is not a reference is refused before it reaches the engine, and is shown."""
    with pytest.raises(EngineError, match="is not a valid image reference"):
        parse_reference(text)


@given(st.text())
def test_any_text(text: str) -> None:
    """Any text is either a reference or an error for the user."""
    try:
        reference = parse_reference(text)
    except EngineError:
        return

    assert text.startswith(reference.name)


@pytest.mark.parametrize("name", ["busybox", "library/busybox", "docker.io/busybox", "index.docker.io/library/busybox"])
def test_one_repository_under_several_names(name: str) -> None:
    """The names that the command line accepts for one repository count as the same."""
    reference = parse_reference(name)

    assert (reference.registry, reference.repository) == ("docker.io", "docker.io/library/busybox")


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("registry.example:5000", "registry.example:5000"),
        ("https://registry.example/v2/", "registry.example"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io", "docker.io"),
    ],
)
def test_hosts_of_registries(address: str, host: str) -> None:
    """A registry is found by its address as people write it."""
    assert registry_host(address) == host
