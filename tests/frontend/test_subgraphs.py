"""Packages: which ones are read, in what order, and which errors are reported."""

from __future__ import annotations

import hashlib

import pytest

from dockercise_prefect.compiler import Compiled, compile_sources
from dockercise_prefect.errors import DefinitionError, Diagnostic, PackagesMissingError
from dockercise_prefect.frontend.discover import MAX_BYTES
from dockercise_prefect.frontend.subgraphs import (
    MAX_PACKAGES,
    Package,
    PackageBrokenError,
    PackageMissingError,
    PackageUnreadError,
)
from tests.compiler.sources import codes, sources
from tests.support.package_port import PackagesInMemory


def _digest(document: str | bytes) -> str:
    data = document.encode() if isinstance(document, str) else document
    return f"sha256:{hashlib.sha256(data).hexdigest()[:6]}"


def _compiled(packages: PackagesInMemory, **files: str) -> Compiled:
    return compile_sources(sources(**files), "test", packages)


def _findings(packages: PackagesInMemory, **files: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(DefinitionError) as caught:
        _compiled(packages, **files)
    return caught.value.diagnostics


def test_stages_of_a_package_are_stages() -> None:
    """The output of a package is merged like a file: stages on either side may name each other, and its `meta` counts."""
    tools = "meta: {tags: t, defaults: {img: x}}\nscan: {after: build, run: scan}\n"

    pipeline = _compiled(
        PackagesInMemory(tools=tools), a="meta: {subgraphs: tools}\nbuild: {run: make}\nend: {after: scan}\n"
    ).pipeline

    assert [stage.name for stage in pipeline] == ["build", "scan", "end"]
    assert pipeline.tags == ("t",)


def test_places_name_image_and_digest() -> None:
    """Every place in a package is `image@digest:line:column`, without the tag."""
    tools = "scan: {img: x}\ncheck: {img: x, after: scan}\n"

    pipeline = _compiled(PackagesInMemory(tools=tools), a="meta: {subgraphs: ['tools:2']}\n").pipeline

    (edge,) = pipeline.by_name["check"].depends_on
    assert str(pipeline.by_name["scan"].place) == f"tools@{_digest(tools)}:1:1"
    assert str(edge.place) == f"tools@{_digest(tools)}:2:24"


def test_packages_come_in_the_order_named() -> None:
    """Files come first, then the packages that they name, then those that packages name, each in the written order."""
    packages = PackagesInMemory(
        one="meta: {subgraphs: three}\np1: {img: x}\n", two="p2: {img: x}\n", three="p3: {img: x}\n", four="p4: {img: x}\n"
    )

    pipeline = _compiled(
        packages, a="meta: {subgraphs: [two, one]}\nf1: {img: x}\n", b="meta: {subgraphs: four}\nf2: {img: x}\n"
    ).pipeline

    assert packages.fetched == ["two", "one", "four", "three"]
    assert [stage.name for stage in pipeline] == ["f1", "f2", "p2", "p1", "p4", "p3"]


def test_cycles_are_cut() -> None:
    """Packages that name each other, or themselves, are read once each."""
    packages = PackagesInMemory(one="meta: {subgraphs: [one, two]}\na: {img: x}\n", two="meta: {subgraphs: one}\nb: {img: x}\n")

    pipeline = _compiled(packages, a="meta: {subgraphs: one}\n").pipeline

    assert [stage.name for stage in pipeline] == ["a", "b"]
    assert packages.fetched == ["one", "two"]


def test_a_shared_package_is_fetched_once() -> None:
    """A package that several others name is fetched once, and its stages are not duplicates."""
    packages = PackagesInMemory(
        one="meta: {subgraphs: base}\n", two="meta: {subgraphs: base}\nt: {img: x}\n", base="b: {img: x}\n"
    )

    pipeline = _compiled(packages, a="meta: {subgraphs: [one, two, base]}\n").pipeline

    assert packages.fetched == ["one", "two", "base"]
    assert sorted(stage.name for stage in pipeline) == ["b", "t"]


def test_two_names_of_one_image_are_one_package() -> None:
    """An image that is named by two tags is read once."""
    pipeline = _compiled(PackagesInMemory(tools="a: {img: x}\n"), a="meta: {subgraphs: ['tools:1', 'tools:2']}\n").pipeline

    assert [stage.name for stage in pipeline] == ["a"]


def test_a_collision_shows_both_places() -> None:
    """A stage in both a file and a package is an error at the package's place, which also shows the file's."""
    tools = "# tools\nbuild: {img: x}\n"

    (found,) = _findings(PackagesInMemory(tools=tools), a="meta: {subgraphs: tools}\nbuild: {img: y}\n")

    assert str(found) == (
        f"tools@{_digest(tools)}:2:1: DK010 the stage `build` is defined twice\n"
        "  a.dockercise.yaml:2:1: it is defined here first\n  hint: rename or remove one of them"
    )


def test_settings_that_differ_show_both_places() -> None:
    """A setting with one value in a file and another in a package is an error with both places."""
    tools = "meta: {name: tools}\n"

    (found,) = _findings(PackagesInMemory(tools=tools), a="meta: {subgraphs: tools, name: shop}\n")

    assert (found.code, str(found.place)) == ("DK011", f"tools@{_digest(tools)}:1:14")
    assert [str(related.place) for related in found.related] == ["a.dockercise.yaml:1:32"]


@pytest.mark.parametrize(
    ("printed", "inside"),
    [
        (b"a: {img: x}\n\xff", "DK002"),
        (b"\x1f\x8b\x08\x00 zip", "DK002"),
        (b"a: [", "DK003"),
        (b"a: {img: x}\n---\nb: {img: x}\n", None),
        (b"hello, world\n", "DK008"),
        (b"- a\n- b\n", "DK008"),
        (b"[" * 1000, "DK005"),
    ],
)
def test_rubbish_is_said_where_the_package_is_named(printed: bytes, inside: str | None) -> None:
    """A text that is not a document is an error where the package is named, and its own faults are errors at their places."""
    found = _findings(PackagesInMemory(tools=printed), a="meta: {subgraphs: [tools]}\n")

    by_path = {finding.place.path: finding for finding in found if finding.place}
    if inside is None:
        assert [str(finding.code) for finding in found] == ["DK004"]
        return
    assert by_path["a.dockercise.yaml"].message == (
        f"the package tools@{_digest(printed)} printed something that is not a dockercise document"
    )
    assert (by_path["a.dockercise.yaml"].code, str(by_path["a.dockercise.yaml"].place)) == ("DK061", "a.dockercise.yaml:1:20")
    assert by_path[f"tools@{_digest(printed)}"].code == inside


@pytest.mark.parametrize("printed", ["", "\n", "# later\n", "null\n"])
def test_a_package_that_says_nothing_is_an_error(printed: str) -> None:
    """An image that prints nothing is an error, since it is hardly meant to be a package."""
    (found,) = _findings(PackagesInMemory(tools=printed), a="meta: {subgraphs: tools}\n")

    assert (found.code, found.message) == ("DK061", f"the package tools@{_digest(printed)} printed nothing")


def test_a_document_that_is_too_big() -> None:
    """A package may print as much as a file may contain."""
    (found,) = _findings(PackagesInMemory(tools=b" " * (MAX_BYTES + 1)), a="meta: {subgraphs: tools}\n")

    assert found.code == "DK061"
    assert "printed 16,777,217 bytes, but the limit is 16,777,216" in found.message


def test_wrong_keys_in_a_package_have_its_place() -> None:
    """A finding in a stage of a package is like one in a file, at the package's place."""
    tools = "scan: {image: x}\n"

    (found,) = _findings(PackagesInMemory(tools=tools), a="meta: {subgraphs: tools}\n")

    assert str(found).startswith(f"tools@{_digest(tools)}:1:8: DK021 scan: unknown key `image`\n")


def test_all_packages_that_fail_are_told() -> None:
    """Each package that cannot be had is an error at each place that names it, and is requested once."""
    packages = PackagesInMemory(broken=PackageBrokenError("broken@sha256:1 failed: exit code 3", "look"))

    found = _findings(packages, a="meta: {subgraphs: [gone, broken]}\n", b="meta: {subgraphs: gone}\n")

    assert [f"{finding.place} {finding.code} {finding.message}" for finding in found] == [
        "a.dockercise.yaml:1:20 DK060 there is no image gone",
        "a.dockercise.yaml:1:26 DK061 broken@sha256:1 failed: exit code 3",
        "b.dockercise.yaml:1:19 DK060 there is no image gone",
    ]
    assert packages.fetched == ["gone", "broken"]


def test_what_a_missing_package_may_define_is_not_unknown() -> None:
    """Names, images and variables that a missing package may define are not reported as unknown."""
    text = "meta: {subgraphs: gone}\na: {after: lib-x, env: [lib-y, B=1], vol: [lib-z, 'ä:/w'], on: lib-o, run: ls}\n"

    with pytest.raises(PackagesMissingError) as caught:
        _compiled(PackagesInMemory(), a=text)

    assert [str(finding.code) for finding in caught.value.diagnostics] == ["DK060"]
    assert caught.value.exit_status == 3


def test_a_wrong_definition_beside_a_missing_package_is_a_wrong_definition() -> None:
    """If there is also an error of the user's own, the exit status is that of wrong input."""
    with pytest.raises(DefinitionError) as caught:
        _compiled(PackagesInMemory(), a="meta: {subgraphs: gone}\na: {imgg: x}\n")

    assert caught.value.exit_status == 2


def test_a_package_that_nobody_asked_to_run_is_a_warning() -> None:
    """A package that was not read gives a warning, and the rest is checked as far as possible."""
    unread = PackageUnreadError("not read", "ask")

    warned = _compiled(PackagesInMemory(lib=unread), a="meta: {subgraphs: lib}\na: {img: x, after: lib-x}\n").warnings
    found = _findings(PackagesInMemory(lib=unread), a="meta: {subgraphs: lib}\na: {img: x, aftre: lib-x}\n")

    assert [str(finding) for finding in warned] == ["a.dockercise.yaml:1:19: DK062 warning: not read\n  hint: ask"]
    assert [str(finding.code) for finding in found] == ["DK062", "DK021"]


def test_without_a_port_packages_are_an_error() -> None:
    """If packages cannot be run, a pipeline that needs some is refused, and never half compiled."""
    assert codes(a="meta: {subgraphs: lib}\na: {img: x}\n") == ["DK060"]


def test_a_list_that_is_wrong_hides_names() -> None:
    """If an entry names no image, the names that its package would define are not reported as unknown."""
    assert codes(a="meta: {subgraphs: [Lib]}\na: {img: x, after: lib-x}\n") == ["DK024"]


class _Endless:
    """Packages of which each names the next."""

    def fetch(self, image: str) -> Package:
        number = int(image.removeprefix("p"))
        return Package(f"{image}@sha256:{number}", str(number), f"meta: {{subgraphs: p{number + 1}}}\n".encode())


def test_endless_packages_end() -> None:
    """An endless chain of packages is refused at the limit."""
    with pytest.raises(DefinitionError) as caught:
        compile_sources(sources(a="meta: {subgraphs: p1}\n"), "test", _Endless())

    (found,) = caught.value.diagnostics
    assert found.code == "DK005"
    assert str(found.place) == f"p{MAX_PACKAGES}@sha256:{MAX_PACKAGES}:1:19"


def test_same_packages_same_pipeline() -> None:
    """The pipeline's digest does not depend on whether a stage is written in a file or in a package."""
    stages = "a: {img: x}\nb: {img: x, after: a}\n"

    packaged = _compiled(PackagesInMemory(lib=stages), a="meta: {subgraphs: lib}\n").pipeline
    written = _compiled(PackagesInMemory(), a=stages).pipeline

    assert packaged.digest == written.digest


def test_a_missing_error_is_raised_for_missing_only() -> None:
    """A package with a wrong document is a wrong definition, not a package that could not be had."""
    with pytest.raises(DefinitionError) as caught:
        _compiled(PackagesInMemory(lib=PackageBrokenError("x")), a="meta: {subgraphs: lib}\n")

    assert not isinstance(caught.value, PackagesMissingError)


def test_the_port_is_asked_with_the_text_as_written() -> None:
    """A reference reaches the port as it was written, including the tag."""
    packages = PackagesInMemory(lib=PackageMissingError("x"))

    _findings(packages, a="meta: {subgraphs: 'lib:1.10'}\n")

    assert packages.fetched == ["lib:1.10"]
