"""Symbolic links in a repository's past."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from dockercise_prefect.frontend.discover import Source, read_sources
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.past_sources import sources_at
from dockercise_prefect.git.ask import find_revision
from tests.support.hosts.git_repository import commit_all, make_repository

FILES = {
    "real/base.yaml": "s: {img: x}\n",
    "real/deep/d.dockercise.yaml": "d: {img: x}\n",
    "top.dockercise.yaml": "t: {img: x}\n",
    "node_modules/m/c.dockercise.yaml": "c: {img: x}\n",
}


def _linked(folder: Path, links: Mapping[str, str]) -> Path:
    """A repository with these links, path to target, committed together with the files."""
    make_repository(folder, FILES)
    for path, target in links.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).symlink_to(target)
    commit_all(folder)
    return folder


def _today(root: Path) -> list[Source]:
    return read_sources(root, Findings())


@pytest.mark.parametrize(
    ("links", "read"),
    [
        ({"pl/s.dockercise.yaml": "../real/base.yaml"}, ["pl/s.dockercise.yaml"]),
        ({"pl/s.dockercise.yaml": ".././pl//../real/base.yaml"}, ["pl/s.dockercise.yaml"]),
        ({"one.dockercise.yaml": "two", "two": "pl/three", "pl/three": "../real/base.yaml"}, ["one.dockercise.yaml"]),
        ({"b.dockercise.yaml": "real/base.yaml", "a.dockercise.yml": "real/base.yaml"}, ["a.dockercise.yml"]),
        ({"pl": "node_modules/m"}, ["pl/c.dockercise.yaml"]),
        ({"pl/in": "../node_modules", "pl/in2": "../node_modules/m"}, ["pl/in/m/c.dockercise.yaml"]),
        ({"pl": "node_modules/m", "node_modules/m/back.dockercise.yaml": "../../real/base.yaml"}, ["pl/back.dockercise.yaml"]),
        ({"way": "real", "way.dockercise.yaml": "way/base.yaml"}, ["way.dockercise.yaml"]),
        ({"way": "real/deep", "up.dockercise.yaml": "way/../base.yaml"}, ["up.dockercise.yaml"]),
        ({"again.dockercise.yaml": "../r/real/base.yaml"}, ["again.dockercise.yaml"]),
    ],
    ids=[
        "to-a-file",
        "roundabout",
        "chain",
        "two-links-to-one-file",
        "to-a-folder",
        "folder-in-a-folder",
        "found-behind-a-link",
        "through-a-folder",
        "up-from-where-a-link-led",
        "out-and-in-again",
    ],
)
def test_links_inside_are_followed(tmp_path: Path, links: Mapping[str, str], read: list[str]) -> None:
    """A link that stays inside the root is read by the same path as in the working tree."""
    root = _linked(tmp_path / "r", links)

    past = sources_at(root, find_revision(root, "HEAD"))

    assert list(past.sources) == _today(root)
    assert {source.path for source in past.sources} > set(read)


@pytest.mark.parametrize(
    "links",
    [
        {"l.dockercise.yaml": "top.dockercise.yaml"},
        {"l": "real"},
        {"l": "."},
        {"real/deep/l": "../.."},
        {"l.dockercise.yaml": "nowhere"},
        {"l.dockercise.yaml": "l.dockercise.yaml"},
        {"l.dockercise.yaml": "m", "m": "l.dockercise.yaml"},
        {"l.dockercise.yaml": "../outside.dockercise.yaml"},
        {"l.dockercise.yaml": "../../../../../../../../../../etc/hostname"},
        {"l.dockercise.yaml": "/etc/hostname"},
        {"l.dockercise.yaml": "real"},
        {"l.yaml": "real/base.yaml"},
        {"node_modules/l.dockercise.yaml": "../real/base.yaml"},
    ],
    ids=[
        "file-read-without-links",
        "folder-read-without-links",
        "root",
        "root-from-below",
        "nowhere",
        "itself",
        "circle",
        "outside",
        "above-everything",
        "absolute",
        "called-a-file-but-a-folder",
        "name-of-another-kind",
        "in-a-skipped-folder",
    ],
)
def test_links_that_bring_nothing(tmp_path: Path, links: Mapping[str, str]) -> None:
    """A link that leaves the root, leads nowhere, or leads to a file that is read anyway adds no file."""
    (tmp_path / "outside.dockercise.yaml").write_text("o: {img: x}\n")
    root = _linked(tmp_path / "r", links)

    past = sources_at(root, find_revision(root, "HEAD"))

    assert list(past.sources) == _today(root)
    assert [source.path for source in past.sources] == ["real/deep/d.dockercise.yaml", "top.dockercise.yaml"]


def test_a_link_is_resolved_in_the_past(tmp_path: Path) -> None:
    """A link leads to the file of its commit, not to today's file."""
    root = _linked(tmp_path / "r", {"s.dockercise.yaml": "real/base.yaml"})
    (root / "s.dockercise.yaml").unlink()
    (root / "real/base.yaml").write_text("other: {img: x}\n")

    past = sources_at(root, find_revision(root, "HEAD"))

    assert Source("s.dockercise.yaml", FILES["real/base.yaml"].encode()) in past.sources


def test_a_root_below_the_repository_bounds_its_links(tmp_path: Path) -> None:
    """Below a folder of the repository, links are followed only to targets in that folder."""
    links = {"real/out.dockercise.yaml": "../top.dockercise.yaml", "real/in.dockercise.yaml": "../real/base.yaml"}
    root = _linked(tmp_path / "r", links) / "real"

    past = sources_at(root, find_revision(root, "HEAD"))

    assert list(past.sources) == _today(root)
    assert [source.path for source in past.sources] == ["deep/d.dockercise.yaml", "in.dockercise.yaml"]


def test_an_absolute_link_into_the_root(tmp_path: Path) -> None:
    """A link with an absolute path into this root is followed, as in the working tree."""
    root = tmp_path / "r"
    _linked(root, {"s.dockercise.yaml": os.path.realpath(root / "real/base.yaml")})

    past = sources_at(root, find_revision(root, "HEAD"))

    assert list(past.sources) == _today(root)
    assert "s.dockercise.yaml" in [source.path for source in past.sources]


@pytest.mark.parametrize(("links", "followed"), [(40, True), (41, False)])
def test_chains_are_bounded(tmp_path: Path, links: int, followed: bool) -> None:
    """A chain of links is followed up to the system's limit, and not beyond it."""
    chain = {f"l{number}": f"l{number + 1}" for number in range(1, links)} | {f"l{links}": "real/base.yaml"}
    chain["s.dockercise.yaml"] = chain.pop("l1")
    root = _linked(tmp_path / "r", chain)

    past = sources_at(root, find_revision(root, "HEAD"))

    assert ("s.dockercise.yaml" in [source.path for source in past.sources]) is followed
