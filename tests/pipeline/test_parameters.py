"""Parameters of a pipeline: their values, binding, JSON and digest."""

from __future__ import annotations

import pytest

from dockercise_prefect.errors import DefinitionError
from dockercise_prefect.pipeline import (
    LiteralValue,
    Parameter,
    ParameterType,
    ParameterValue,
    Pipeline,
    bound,
    digest_of,
    from_json,
    parameter,
    parameter_values,
    stage,
    to_json,
)
from dockercise_prefect.pipeline.parameters.values import LONGEST, Value, WrongValueError, text_of


def _pipeline(*parameters: Parameter) -> Pipeline:
    env = {one.variable: one.value for one in parameters}
    return Pipeline("p", [stage("a", image="x", run="true", env=env)], parameters=parameters)


def _codes(pipeline: Pipeline, **given: object) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        bound(pipeline, given)
    return [finding.code for finding in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("kind", "given", "value", "text"),
    [
        ("string", "3.10", "3.10", "3.10"),
        ("string", "$(rm -rf /)\n", "$(rm -rf /)\n", "$(rm -rf /)\n"),
        ("string", "", "", ""),
        ("integer", "3", 3, "3"),
        ("integer", "-12", -12, "-12"),
        ("integer", 4.0, 4, "4"),
        ("number", "0.50", 0.5, "0.5"),
        ("number", "2", 2, "2"),
        ("number", 1e300, 1e300, "1e+300"),
        ("boolean", "true", True, "true"),
        ("boolean", "False", False, "false"),
        ("boolean", False, False, "false"),
    ],
)
def test_values_are_read_by_their_type(kind: str, given: object, value: Value, text: str) -> None:
    """A value comes as a text or as JSON, and is one text in a variable."""
    found = parameter("p", type=kind).value_of(given)

    assert (found, type(found), text_of(found)) == (value, type(value), text)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("string", 3),
        ("string", None),
        ("string", "a\0b"),
        ("string", "\udc80"),
        ("string", "x" * (LONGEST + 1)),
        ("integer", "3.5"),
        ("integer", "1" * 30),
        ("integer", True),
        ("integer", 0.5),
        ("integer", ""),
        ("number", "nan"),
        ("number", "many"),
        ("number", float("inf")),
        ("number", True),
        ("boolean", "yes"),
        ("boolean", 1),
        ("boolean", []),
    ],
)
def test_wrong_values_are_refused(kind: str, given: object) -> None:
    """What is not a value of the type is refused, with a hint."""
    with pytest.raises(WrongValueError) as caught:
        parameter("p", type=kind).value_of(given)

    assert caught.value.hint


def test_only_choices_are_values() -> None:
    """A parameter with choices has no other value."""
    level = parameter("level", type="integer", choices=[1, 2])

    assert level.value_of("2") == 2
    with pytest.raises(WrongValueError, match="`3` is not one of its choices"):
        level.value_of(3)


def test_binding_makes_texts_of_variables() -> None:
    """A bound pipeline has the text of each value, given or default, and nothing that still waits for one."""
    pipeline = _pipeline(parameter("python", default="3.12"), parameter("debug", type="boolean"))

    result = bound(pipeline, {"debug": "true"})

    assert result.by_name["a"].env == {"PYTHON": LiteralValue("3.12"), "DEBUG": LiteralValue("true")}
    assert parameter_values(result) == {"python": "3.12", "debug": True}
    assert [one.is_given for one in result.parameters] == [False, True]


def test_binding_again_changes_nothing() -> None:
    """A pipeline that is bound already stays the same, with its digest."""
    once = bound(_pipeline(parameter("python", default="3.12")), {"python": "3.11"})

    twice = bound(once)

    assert (twice, twice.digest) == (once, once.digest)


def test_a_pipeline_without_parameters_is_left_alone() -> None:
    """Binding does not touch a pipeline without parameters."""
    pipeline = _pipeline()

    assert bound(pipeline) is pipeline


def test_the_digest_sees_the_values() -> None:
    """Pipelines with other values have other digests; texts for people do not count."""
    pipeline = _pipeline(parameter("python", default="3.12", description="a", at="a.yaml:1:1"))
    described = _pipeline(parameter("python", default="3.12", description="b"))

    assert bound(pipeline).digest != bound(pipeline, {"python": "3.11"}).digest
    assert digest_of(pipeline) == digest_of(described)


def test_what_is_wrong_is_found_together() -> None:
    """Unknown names and wrong values are found at once, and missing values all together."""
    level = parameter("level", type="integer")
    pipeline = _pipeline(level, parameter("mode", choices=["a"]), parameter("note"))

    assert _codes(pipeline, lvel=1, level="x", mode="b") == ["DK055", "DK055", "DK055"]
    assert _codes(pipeline, level=1) == ["DK054", "DK054"]
    with pytest.raises(DefinitionError, match="did you mean `level`"):
        bound(pipeline, {"lvel": 1})


def test_a_value_in_a_key_cannot_change_later() -> None:
    """A parameter that is part of an image has the value with which the pipeline was compiled."""
    pipeline = _pipeline(parameter("python", default="3.12", fixed=True))

    assert parameter_values(bound(pipeline, {"python": "3.12"})) == {"python": "3.12"}
    assert _codes(pipeline, python="3.11") == ["DK055"]


def test_json_keeps_parameters() -> None:
    """Parameters and their variables are the same after JSON."""
    every = parameter(
        "level",
        type="integer",
        default=2,
        choices=[1, 2],
        description="How much.",
        fixed=True,
        at="a.yaml:2:3",
    )
    pipeline = _pipeline(every, parameter("note"))

    read = from_json(to_json(pipeline))

    assert read.parameters == (every, Parameter(name="note", type=ParameterType.STRING))
    assert read.by_name["a"].env == {"LEVEL": ParameterValue("level"), "NOTE": ParameterValue("note")}
    assert from_json(to_json(bound(pipeline, {"note": "x"}))).parameters[1].is_given
