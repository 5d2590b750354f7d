"""The variables of `--env` and `--env-file`."""

import pytest

from dockercise_prefect.cli.env_options import parse_env_file, parse_env_option
from dockercise_prefect.errors import DefinitionError, Place, UsageError

NOTHING: dict[str, str] = {}


@pytest.mark.parametrize(
    ("option", "found"),
    [("A=b", ("A", "b")), ("A=b=c", ("A", "b=c")), ("A=", ("A", "")), ("OWN", ("OWN", "mine")), ("UNSET", None)],
)
def test_an_env_option(option: str, found: tuple[str, str] | None) -> None:
    """`NAME=text` sets a variable; `NAME` passes it on, or nothing if it is not set."""
    assert parse_env_option(option, {"OWN": "mine"}.get) == found


@pytest.mark.parametrize("option", ["=b", "", "a b=c", "a\0=b"])
def test_an_env_option_without_a_name(option: str) -> None:
    """An invalid name is wrong usage of the command."""
    with pytest.raises(UsageError):
        parse_env_option(option, NOTHING.get)


@pytest.mark.parametrize("line", ["TOKEN hunter2", "export TOKEN hunter2", "hunter2 hunter2=b"])
def test_what_may_be_a_secret_is_not_repeated(line: str) -> None:
    """A wrong line may hold a secret in place of its name, so the message shows only the place of the line."""
    with pytest.raises(UsageError) as option:
        parse_env_option(line, NOTHING.get)
    with pytest.raises(DefinitionError) as file:
        parse_env_file(line, "e.env", NOTHING.get)

    assert "hunter2" not in f"{option.value}{file.value}"


def test_an_env_file_is_read_as_docker_does() -> None:
    """Texts are kept unchanged, with quotes and spaces; comments and empty lines are skipped; names pass variables on."""
    text = '\ufeff# comment\nA=1\r\n\n  B= spaced  \nC="quoted"\n  # more\nOWN\nUNSET\nA=2\nD=a=b#c'

    found = parse_env_file(text, "e.env", {"OWN": "mine"}.get)

    assert found == {"A": "2", "B": " spaced  ", "C": '"quoted"', "OWN": "mine", "D": "a=b#c"}


def test_an_env_file_reports_every_wrong_line() -> None:
    """All lines without a valid name are reported, each with its place."""
    with pytest.raises(DefinitionError) as caught:
        parse_env_file("A=1\nwith space=2\n  =3\n", "e.env", NOTHING.get)

    assert [finding.place for finding in caught.value.diagnostics] == [Place("e.env", 2, 1), Place("e.env", 3, 3)]


@pytest.mark.parametrize("option", ["DOCKERCISE_BRANCH=main", "dockercise_tag", "DOCKERCISE_STATUS=passed"])
def test_a_variable_that_the_run_sets_is_refused(option: str) -> None:
    """`--env` cannot replace what the run itself knows, such as its branch, and says so."""
    with pytest.raises(UsageError, match="the run itself sets DOCKERCISE_"):
        parse_env_option(option, NOTHING.get)
