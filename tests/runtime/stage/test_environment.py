"""Variables from outside."""

from collections.abc import Mapping

import pytest

from dockercise_prefect.errors import DefinitionError, Place
from dockercise_prefect.pipeline import Pipeline, built_from, code, host, stage
from dockercise_prefect.runtime.stage.environment import OutsideSource, resolve_outside

NOTHING: dict[str, str] = {}


def source(variables: Mapping[str, str], label: str = "--env", explicit: bool = True) -> OutsideSource:
    """A source with these variables."""
    return OutsideSource(label, variables.get, explicit)


def one(*sources: OutsideSource, name: str = "home", variable: str | None = None, optional: bool = False) -> Mapping[str, str]:
    """The variables of a stage that requests one name, as the compiler writes it."""
    wanted = stage("a", image="i", run="x", env={variable or name.upper(): host(name, optional=optional)})
    return resolve_outside(Pipeline("p", [wanted]), sources).variables["a"]


@pytest.mark.parametrize(
    ("name", "outside", "found"),
    [
        ("home", {"HOME": "/h"}, {"HOME": "/h"}),
        ("HOME", {"HOME": "/h"}, {"HOME": "/h"}),
        ("http_proxy", {"http_proxy": "p"}, {"http_proxy": "p"}),
        ("http_proxy", {"http_proxy": "p", "HTTP_PROXY": "P"}, {"HTTP_PROXY": "P"}),
        ("EMPTY", {"EMPTY": ""}, {"EMPTY": ""}),
    ],
)
def test_a_name_is_asked_for_upper_cased_then_as_written(name: str, outside: dict[str, str], found: dict[str, str]) -> None:
    """The variable is the upper-cased name, or the name as written if only that exists; an empty one counts as set."""
    assert one(source(outside), name=name) == found


def test_the_first_source_wins() -> None:
    """The first source that has the variable under either name gives its text."""
    assert one(source({}), source({"home": "first"}), source({"HOME": "second"})) == {"home": "first"}


def test_a_name_given_on_purpose_is_kept() -> None:
    """A variable that a Python pipeline names differently from its source keeps that name."""
    assert one(source({"AWS_DEFAULT_REGION": "eu"}), name="AWS_DEFAULT_REGION", variable="REGION") == {"REGION": "eu"}


def test_an_optional_variable_may_be_unset() -> None:
    """`NAME?` is left out if no source has it."""
    assert one(source({}), optional=True) == {}


def test_all_missing_variables_are_listed_with_places() -> None:
    """One error names all variables that are not set anywhere, with their stages and places, in reading order."""
    stages = [
        stage("b", image="i", env={"Y": host("Y"), "Z": host("z")}, at="x.dockercise.yaml:9:1"),
        stage("a", image="i", env={"X": host("X"), "HAVE": host("HAVE")}, at="x.dockercise.yaml:3:1"),
    ]

    with pytest.raises(DefinitionError) as caught:
        resolve_outside(Pipeline("p", stages), [source({"HAVE": "1"})])

    found = [(finding.code, finding.place) for finding in caught.value.diagnostics]
    nine = Place("x.dockercise.yaml", 9, 1)
    assert found == [("DK050", Place("x.dockercise.yaml", 3, 1)), ("DK050", nine), ("DK050", nine)]
    assert "x.dockercise.yaml:9:1: DK050 b needs the variable `z`" in str(caught.value)
    assert "undefined" not in str(caught.value)


def test_where_nothing_is_looked_for_setting_a_variable_is_no_advice() -> None:
    """The hint depends on what helps: a pipeline that is not trusted sees only the variables that it was given."""
    hints = []
    for sources in ([source({})], [source({}), source({}, "the process's environment", explicit=False)]):
        with pytest.raises(DefinitionError) as caught:
            one(*sources)
        hints.append(caught.value.diagnostics[0].hint)

    assert hints == [
        "pass `--env HOME=…`, or write `home?` if it may be unset",
        "set HOME, pass `--env HOME=…`, or write `home?` if it may be unset",
    ]


@pytest.mark.parametrize("text", ["a\0b", "\udcff", "x" * 200_000])
def test_a_text_that_cannot_be_passed_on_is_told_before_anything_starts(text: str) -> None:
    """A NUL, bytes that are not UTF-8 and too much text are errors before anything starts, and the text is not shown."""
    with pytest.raises(DefinitionError) as caught:
        one(source({"HOME": text}, "the process's environment"))

    assert [finding.code for finding in caught.value.diagnostics] == ["DK051"]
    assert "the process's environment" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_each_source_is_asked_once_for_each_name() -> None:
    """A variable that many stages need is looked up once, since a source may be slow."""
    asked: list[str] = []

    def lookup(name: str) -> str | None:
        asked.append(name)
        return "v" if name == "TOKEN" else None

    stages = [stage(f"s{number}", image="i", env={"TOKEN": host("TOKEN")}) for number in range(5)]

    resolve_outside(Pipeline("p", stages), [OutsideSource("far", lookup)])

    assert asked == ["TOKEN"]


@pytest.mark.parametrize("outside", [{"ASSUME_ROLE": "v"}, {"assume-role": "v"}])
def test_a_stage_without_a_container_takes_its_variable_from_explicit_sources(outside: dict[str, str]) -> None:
    """A stage with neither image nor script has the variable of its name as its value."""
    found = resolve_outside(Pipeline("p", [stage("assume-role")]), [source(outside)])

    assert found.variables == {"assume-role": {"ASSUME_ROLE": "v"}}


def test_a_stage_without_a_container_never_takes_the_processs_environment() -> None:
    """A variable that happens to be in the environment is not its value, and no variable at all is not an error."""
    found = resolve_outside(Pipeline("p", [stage("home")]), [source({"HOME": "/root"}, explicit=False)])

    assert found.variables == {"home": {}}


def test_a_stage_that_builds_has_the_image_as_its_value() -> None:
    """Unlike a stage that only joins others, a stage that builds takes no outside variable by its name."""
    found = resolve_outside(Pipeline("p", [stage("image", build=built_from(code))]), [source({"IMAGE": "x"}, explicit=True)])

    assert found.variables == {"image": {}}
