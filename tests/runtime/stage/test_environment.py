"""Variables from outside."""

from collections.abc import Mapping

import pytest

from dockercise_prefect.errors import DefinitionError, Place, UsageError
from dockercise_prefect.pipeline import Pipeline, built_from, code, host, stage
from dockercise_prefect.runtime.stage.environment import OutsideSource, parse_env_file, parse_env_option, resolve_outside

NOTHING: dict[str, str] = {}


def source(variables: Mapping[str, str], label: str = "--env", explicit: bool = True) -> OutsideSource:
    """A source that has these."""
    return OutsideSource(label, variables.get, explicit)


def one(*sources: OutsideSource, name: str = "home", variable: str | None = None, optional: bool = False) -> Mapping[str, str]:
    """The variables of one stage that asks for one name, as the compiler writes it."""
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
    """The variable is the upper-cased name, or the name as written where only that exists; empty counts as set."""
    assert one(source(outside), name=name) == found


def test_the_first_source_wins() -> None:
    """Sources are asked in order, the first that has the variable under either name gives it."""
    assert one(source({}), source({"home": "first"}), source({"HOME": "second"})) == {"home": "first"}


def test_a_name_given_on_purpose_is_kept() -> None:
    """A variable that a Python pipeline calls otherwise than its source has the name it was given."""
    assert one(source({"AWS_DEFAULT_REGION": "eu"}), name="AWS_DEFAULT_REGION", variable="REGION") == {"REGION": "eu"}


def test_an_optional_variable_may_be_unset() -> None:
    """`NAME?` that nothing has is left out."""
    assert one(source({}), optional=True) == {}


def test_all_missing_variables_are_listed_with_places() -> None:
    """What is set nowhere is an error that names every variable, its stage and its place, in reading order."""
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
    """The hint on a missing variable says what helps: a pipeline that is not trusted sees only what it was given."""
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
    """A NUL, bytes that are no UTF-8 and too much text are errors, and the text is not shown."""
    with pytest.raises(DefinitionError) as caught:
        one(source({"HOME": text}, "the process's environment"))

    assert [finding.code for finding in caught.value.diagnostics] == ["DK051"]
    assert "the process's environment" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_each_source_is_asked_once_for_each_name() -> None:
    """Sources may be far away: what many stages need is looked up once."""
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
    """What happens to be in the environment is no value; nothing at all is not an error."""
    found = resolve_outside(Pipeline("p", [stage("home")]), [source({"HOME": "/root"}, explicit=False)])

    assert found.variables == {"home": {}}


def test_a_stage_that_builds_has_the_image_as_its_value() -> None:
    """It takes no variable from outside by its name: it does not only join others."""
    found = resolve_outside(Pipeline("p", [stage("image", build=built_from(code))]), [source({"IMAGE": "x"}, explicit=True)])

    assert found.variables == {"image": {}}


@pytest.mark.parametrize(
    ("option", "found"),
    [("A=b", ("A", "b")), ("A=b=c", ("A", "b=c")), ("A=", ("A", "")), ("OWN", ("OWN", "mine")), ("UNSET", None)],
)
def test_an_env_option(option: str, found: tuple[str, str] | None) -> None:
    """`NAME=text` sets, `NAME` passes on, and passes nothing on where there is nothing."""
    assert parse_env_option(option, {"OWN": "mine"}.get) == found


@pytest.mark.parametrize("option", ["=b", "", "a b=c", "a\0=b"])
def test_an_env_option_without_a_name(option: str) -> None:
    """A name that is none is a wrong use of the command."""
    with pytest.raises(UsageError):
        parse_env_option(option, NOTHING.get)


@pytest.mark.parametrize("line", ["TOKEN hunter2", "export TOKEN hunter2", "hunter2 hunter2=b"])
def test_what_may_be_a_secret_is_not_repeated(line: str) -> None:
    """A line that was written wrong may hold a secret where its name should be: the message only says where it stands."""
    with pytest.raises(UsageError) as option:
        parse_env_option(line, NOTHING.get)
    with pytest.raises(DefinitionError) as file:
        parse_env_file(line, "e.env", NOTHING.get)

    assert "hunter2" not in f"{option.value}{file.value}"


def test_an_env_file_is_read_as_docker_does() -> None:
    """Texts stand as they are, quotes, spaces and all; comments and empty lines are skipped; names pass on."""
    text = '\ufeff# comment\nA=1\r\n\n  B= spaced  \nC="quoted"\n  # more\nOWN\nUNSET\nA=2\nD=a=b#c'

    found = parse_env_file(text, "e.env", {"OWN": "mine"}.get)

    assert found == {"A": "2", "B": " spaced  ", "C": '"quoted"', "OWN": "mine", "D": "a=b#c"}


def test_an_env_file_reports_every_wrong_line() -> None:
    """All lines without a proper name are reported, each with its place."""
    with pytest.raises(DefinitionError) as caught:
        parse_env_file("A=1\nwith space=2\n  =3\n", "e.env", NOTHING.get)

    assert [finding.place for finding in caught.value.diagnostics] == [Place("e.env", 2, 1), Place("e.env", 3, 3)]
