"""Parameters in the compiler: what is named, expanded, given, and passed to packages."""

from __future__ import annotations

import pytest

from dockercise_prefect.compiler import compile_sources
from dockercise_prefect.errors import DefinitionError, Diagnostic
from dockercise_prefect.pipeline import ImageReference, LiteralValue, ParameterValue, Pipeline, StageImage, parameter_values
from tests.compiler.sources import codes, compiled, findings, linted, sources
from tests.support.package_port import PackagesInMemory

CHECKS = """\
meta: {parameters: {python: {choices: ["3.11", "3.12"]}, level: {type: integer, default: 1}}}
scan: {img: "python:$PYTHON", run: "scan $LEVEL"}
"""


def _given(text: str, **given: object) -> Pipeline:
    return compile_sources(sources(a=text), "test", parameters=given).pipeline


def _with(entry: str, rest: str = "", **documents: str) -> Pipeline:
    packages = PackagesInMemory(**(documents or {"checks": CHECKS}))
    return compile_sources(sources(a=f"meta:\n  subgraphs: [{entry}]\n{rest}"), "test", packages).pipeline


def _wrong(entry: str, rest: str = "") -> tuple[Diagnostic, ...]:
    with pytest.raises(DefinitionError) as caught:
        _with(entry, rest)
    return caught.value.diagnostics


def test_only_stages_that_name_a_parameter_have_it() -> None:
    """A script, or `env`, brings a parameter into its stage, and into no other."""
    pipeline = compiled(
        a="""\
meta: {parameters: {level: 1}}
one: {img: x, run: 'echo $LEVEL'}
two: {img: x, env: [LEVEL], implicit: false, run: 'true'}
three: {img: x, run: 'LEVEL=3; echo $LEVEL'}
four: {img: x, run: "echo '$LEVEL'"}
"""
    )

    has = {stage.name: stage.env for stage in pipeline}
    assert has == {"one": {"LEVEL": ParameterValue("level")}, "two": has["one"], "three": {}, "four": {}}


def test_meta_env_gives_a_parameter_to_every_stage() -> None:
    """`meta.env` names a parameter as a stage's `env` does."""
    pipeline = compiled(a="meta: {parameters: {level: 1}, env: level}\none: {img: x, run: 'true'}\n")

    assert pipeline.by_name["one"].env == {"LEVEL": ParameterValue("level")}


def test_given_values_are_compiled_in() -> None:
    """Keys have the value that is given, and so has the parameter."""
    text = "meta: {parameters: {tag: '1'}}\none: {img: 'x:$TAG', run: 'echo $TAG'}\n"

    pipeline = _given(text, tag="2")

    assert pipeline.by_name["one"].image == ImageReference("x:2")
    assert parameter_values(pipeline) == {"tag": "2"}
    assert pipeline.parameters[0].is_fixed


def test_a_value_can_name_a_stage() -> None:
    """An image that is chosen may be one that a stage builds, with its edge."""
    text = "meta: {parameters: {base: own}}\nown: {build: .}\none: {img: $BASE, run: 'true'}\n"

    assert _given(text).by_name["one"].image == StageImage("own")
    assert _given(text).by_name["one"].needs == ("own",)
    assert _given(text, base="alpine").by_name["one"].needs == ()


def test_what_a_value_makes_wrong_is_found_at_its_place() -> None:
    """A value that makes an invalid image, limit or path is a finding at the key."""
    text = "meta: {parameters: {tag: '1', room: 8m}}\none: {img: 'x:$TAG', memory: $ROOM, vol: './$TAG:/data', run: 'true'}\n"

    with pytest.raises(DefinitionError) as caught:
        _given(text, tag="../..", room="little")

    assert [(one.code, str(one.place)) for one in caught.value.diagnostics] == [
        ("DK024", "a.dockercise.yaml:2:12"),
        ("DK024", "a.dockercise.yaml:2:30"),
        ("DK055", "a.dockercise.yaml:2:42"),
    ]


@pytest.mark.parametrize("value", ["/etc:/x", "../../etc", ".."])
def test_a_value_cannot_leave_its_place_in_a_path(value: str) -> None:
    """A value adds no part to a mount, and no way out of a folder."""
    with pytest.raises(DefinitionError, match="DK055"):
        _given("meta: {parameters: {part: a}}\none: {img: x, vol: './data/$PART:/data', run: 'true'}\n", part=value)


def test_wrong_given_values_have_the_place_of_the_parameter() -> None:
    """A value that is not a choice is found where the parameter is written."""
    with pytest.raises(DefinitionError) as caught:
        _given("meta: {parameters: {tag: {choices: [a, b], default: a}}}\none: {img: x, run: 'true'}\n", tag="c", tga="a")

    assert [(one.code, one.place and str(one.place)) for one in caught.value.diagnostics] == [
        ("DK055", None),
        ("DK055", "a.dockercise.yaml:1:21"),
    ]


def test_parameters_of_two_files_are_one_mapping() -> None:
    """Files add parameters, and a parameter with two defaults is found."""
    first, second = "meta: {parameters: {a: 1}}\n", "meta: {parameters: {b: 2}}\none: {img: x, run: 'echo $A $B'}\n"

    assert [one.name for one in compiled(a=first, b=second).parameters] == ["a", "b"]
    assert codes(a=first, b="meta: {parameters: {a: 2}}\n") == ["DK011"]


def test_a_secret_of_a_build_is_no_parameter() -> None:
    """A build does not take a parameter as a secret."""
    found = findings(a="meta: {parameters: {token: x}}\none: {build: {context: ., secrets: TOKEN}}\n")

    assert [one.code for one in found] == ["DK024"]
    assert "a parameter, so it is not secret" in found[0].message


def test_a_package_gets_its_values() -> None:
    """`with` settles the parameters of a package; they are not parameters of the pipeline."""
    pipeline = _with('{image: checks, with: {python: "3.12"}}')

    assert pipeline.by_name["scan"].image == ImageReference("python:3.12")
    assert pipeline.by_name["scan"].env == {"LEVEL": LiteralValue("1")}
    assert pipeline.parameters == ()


def test_a_package_can_get_a_parameter_of_the_pipeline() -> None:
    """A value of `with` may be a parameter of the pipeline, which is then part of what is compiled."""
    pipeline = _with(
        "{image: checks, with: {python: $VERSION, level: 2}}", "  parameters: {version: '3.11'}\none: {img: x, run: 'true'}\n"
    )

    assert pipeline.by_name["scan"].image == ImageReference("python:3.11")
    assert pipeline.by_name["scan"].env == {"LEVEL": LiteralValue("2")}
    assert pipeline.parameters[0].is_fixed


def test_stages_see_the_parameters_of_their_own_document() -> None:
    """A stage of the pipeline does not see a package's parameter, and the other way round."""
    pipeline = _with(
        '{image: checks, with: {python: "3.12"}}',
        "  parameters: {mode: fast}\none: {img: x, run: 'echo $MODE $LEVEL'}\n",
        checks=f"{CHECKS}more: {{img: x, run: 'echo $MODE'}}\n",
    )

    assert pipeline.by_name["one"].env == {"MODE": ParameterValue("mode")}
    assert pipeline.by_name["more"].env == {}


@pytest.mark.parametrize(
    ("entry", "message", "hint", "column"),
    [
        ("checks", "the package checks needs a value for its parameter `python`", "write", 15),
        ('{image: checks, with: {pyton: "3.12", python: "3.12"}}', "has no parameter `pyton`", "did you mean `python`?", 38),
        ('{image: checks, with: {python: "2"}}', "`2` is not one of its choices", "choose one of `3.11`, `3.12`", 46),
        ('{image: checks, with: {python: "3.12", level: x}}', "`x` is not a whole number", "give a number", 61),
    ],
)
def test_wrong_values_for_a_package_have_places(entry: str, message: str, hint: str, column: int) -> None:
    """What does not fit the parameters of a package is found where it is written."""
    (found,) = _wrong(entry)

    assert (found.code, str(found.place)) == ("DK094", f"a.dockercise.yaml:2:{column}")
    assert message in found.message
    assert found.hint is not None
    assert found.hint.startswith(hint)


def test_one_package_with_other_values_is_another_one() -> None:
    """A package that is named twice with the same values is read once; with others, its stages are there twice."""
    same, other = '{image: checks, with: {python: "3.12"}}', '{image: checks, with: {python: "3.11"}}'

    assert len(_with(f"{same}, {same}")) == 1
    assert [one.code for one in _wrong(f"{same}, {other}")] == ["DK010"]


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ("{with: {a: b}}", "DK024"),
        ("{image: checks, wiht: {}}", "DK021"),
        ("{image: checks, with: [a]}", "DK023"),
        ("{image: [checks]}", "DK023"),
    ],
)
def test_entries_of_another_form_are_found(entry: str, code: str) -> None:
    """An entry of `subgraphs` is an image, or `{image, with}`."""
    assert code in [one.code for one in _wrong(entry)]


def test_lint_sees_what_is_expanded() -> None:
    """A parameter in `dir` or in a build's arguments is expanded, so the linter does not say that it stays as written."""
    text = """\
meta: {parameters: {part: app}}
one: {img: 'x:1', dir: /code/$PART, vol: code, run: 'true'}
two: {build: {context: ., args: {PART: $PART, OTHER: $OTHER}}}
"""

    assert [(one.code, str(one.place)) for one in linted(text)] == [("DK111", "a.dockercise.yaml:3:54")]


def test_an_axis_has_another_name() -> None:
    """A parameter and a variable of a matrix cannot be the same variable."""
    text = "meta: {parameters: {python: '3'}}\none: {img: 'x:$PYTHON', matrix: {PYTHON: ['1', '2']}, run: 'true'}\n"

    assert codes(a=text) == ["DK092"]


def test_images_of_services_are_expanded_and_their_scripts_are_not() -> None:
    """A parameter can choose the image of a service; a script of a service keeps its variables."""
    text = """\
meta: {parameters: {pg: '16'}}
one: {img: x, services: {db: {img: 'postgres:$PG', run: 'echo $PG'}}, run: 'true'}
"""

    (service,) = _given(text, pg="17").by_name["one"].services

    assert (service.image, service.run) == (ImageReference("postgres:17"), "echo $PG")
