"""The pipeline as a value."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import dockercise_prefect
from dockercise_prefect.errors import DefinitionError
from dockercise_prefect.pipeline import (
    CODE,
    Code,
    DependencyKind,
    HostVariable,
    LiteralValue,
    Pipeline,
    Stage,
    bind,
    code,
    digest_of,
    engine_volume,
    from_json,
    host,
    stage,
    to_json,
    to_json_text,
)


def _everything() -> Pipeline:
    first = stage("first", image="x", run="echo", triggers=["b", "a"])
    second = stage(
        "second",
        image="y",
        env={"A": first.value, "B": host("B", optional=True), "C": "text"},
        volumes=[first.volume.at("/x"), code, bind("./d", "/d", "ro"), engine_volume("v", "/v")],
        on=first,
        after=[first],
        timeout=1.5,
        no_log=True,
        never_fail=True,
        sudo=True,
        junit=["*.xml", "!old/**"],
        user="1000",
        network="host",
        pull="never",
        platform="linux/amd64",
        cpus=0.5,
        memory=2**30,
        at="a:b.yaml:3:1",
    )
    return Pipeline("p", [first, second], ["tag"])


def test_a_declaration_makes_the_edges() -> None:
    """A stage declared in Python depends, by kind, on the stages that its arguments mention."""
    second = _everything().by_name["second"]

    assert [(edge.stage, edge.kind) for edge in second.depends_on] == [
        ("first", DependencyKind.AFTER),
        ("first", DependencyKind.ENV),
        ("first", DependencyKind.VOL),
        ("first", DependencyKind.ON),
    ]
    assert second.needs == ("first",)


def test_a_declared_stage_works_where_its_copy_is() -> None:
    """A stage on a copy works in the copy's folder and another one in `/`, unless it sets a folder."""
    assert stage("a", on=code).working_dir == "/a"
    assert stage("a", on=code).on == CODE
    assert stage("a").working_dir == "/"
    assert stage("a", working_dir="/x").working_dir == "/x"


def test_a_declared_variable_may_be_a_text() -> None:
    """A plain text in `env` is a literal."""
    declared = stage("a", env={"A": "x", "B": host("C")})

    assert declared.env == {"A": LiteralValue("x"), "B": HostVariable("C")}


def test_json_round_trip() -> None:
    """Everything that a stage can contain survives JSON, also a path with a colon in its place."""
    pipeline = _everything()

    again = from_json(json.loads(json.dumps(to_json(pipeline))))

    assert again == pipeline
    assert again.by_name["second"].place == pipeline.by_name["second"].place


def test_json_says_what_was_asked_for() -> None:
    """The targets are printed with the pipeline, and so is the digest, even if it was not computed before."""
    pipeline = _everything()

    printed = to_json(pipeline, ["second"])

    assert printed["targets"] == ["second"]
    assert printed["digest"] == digest_of(pipeline)


@pytest.mark.parametrize("odd", [{"run": "echo \udc80"}, {"memory": 2**70}])
def test_what_only_python_can_write_is_printed_too(odd: dict[str, Any]) -> None:
    """Half a surrogate pair and a number of more than 64 bits have a text and a digest."""
    pipeline = Pipeline("p", [stage("a", image="busybox", **odd)])

    assert json.loads(to_json_text(pipeline)) == to_json(pipeline)
    assert digest_of(pipeline) != digest_of(Pipeline("p", [stage("a", image="busybox")]))


def test_digest_ignores_the_order_of_triggers_and_tags() -> None:
    """The order of a set has no meaning."""
    one = Pipeline("p", [stage("a", triggers=["x", "y"])], ["s", "t"])
    other = Pipeline("p", [stage("a", triggers=["y", "x"])], ["t", "s"])

    assert digest_of(one) == digest_of(other)


@pytest.mark.parametrize(
    "stages",
    [[stage("a"), stage("a")], [stage("b", after=[stage("a")]), stage("a")], [stage("b", after=[stage("a")])]],
    ids=["twice", "too early", "missing"],
)
def test_a_pipeline_is_in_order(stages: list[Stage]) -> None:
    """A pipeline is refused if a stage is in it twice, comes before one of its needs, or needs a missing stage."""
    with pytest.raises(ValueError, match=r"two stages are named|comes before"):
        Pipeline("p", stages)


def test_unknown_targets_are_all_reported() -> None:
    """Each target that is not a stage is a separate finding."""
    with pytest.raises(DefinitionError) as caught:
        _everything().only(["frist", "other", "second"])

    assert [finding.code for finding in caught.value.diagnostics] == [Code.UNKNOWN_TARGET, Code.UNKNOWN_TARGET]
    assert caught.value.diagnostics[0].hint == "did you mean `first`?"


def test_a_reader_of_json_refuses_what_it_does_not_know() -> None:
    """A printed image, variable or mount of an unknown shape is refused, and nothing is guessed."""
    for key, value in [
        ("image", {"x": 1}),
        ("env", {"A": {"x": 1}}),
        ("mounts", [{"source": {"x": 1}, "target": "/", "mode": "ro"}]),
    ]:
        printed = to_json(_everything())
        printed["stages"]["first"][key] = value
        with pytest.raises(ValueError, match=r"not an image|not the source"):
            from_json(printed)


def test_codes_are_distinct() -> None:
    """Every kind of finding has its own code and meaning."""
    assert len({code.value for code in Code}) == len({code.meaning for code in Code}) == len(Code)


def test_codes_are_all_known() -> None:
    """Every code anywhere in the package is in the table."""
    package = Path(dockercise_prefect.__file__).parent
    used = {code for file in package.rglob("*.py") for code in re.findall(r"DK\d{3}", file.read_text())}

    assert used - {code.value for code in Code} == set()
