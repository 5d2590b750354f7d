"""The variables of one container."""

import pytest

from dockercise_prefect.errors import StageError
from dockercise_prefect.pipeline import StageValue, folded, host, stage
from dockercise_prefect.runtime.cleanup.labels import RunIdentity
from dockercise_prefect.runtime.files.output import Printed
from dockercise_prefect.runtime.stage.job import variable_sources
from dockercise_prefect.runtime.stage.variables import Variables, chosen_variables, container_variables, runtime_variables

A = stage("a", image="i")


def variables(values: dict[str, bytes], outside: dict[str, str] | None = None, **literals: str) -> Variables:
    """The variables of a stage that takes values from some stages."""
    env = {name.upper(): StageValue(name) for name in values} | literals
    consumer = stage("c", image="i", run="x", env=env)
    outputs = {name: Printed.of(value) for name, value in values.items()}
    texts = {**literals, **(outside or {})}
    return container_variables(variable_sources(consumer), script="x", always={"OUT": "/c"}, values=outputs, texts=texts)


def test_values_and_outside_are_unseen_and_literals_are_stored() -> None:
    """Only values that anybody may read become part of the container's configuration."""
    found = variables({"a": b"s3cret"}, {"TOKEN": "t0ken"}, LEVEL="1.10")

    assert found == Variables({"OUT": "/c", "LEVEL": "1.10"}, {"A": b"s3cret", "TOKEN": b"t0ken"})


def test_chosen_variables() -> None:
    """A build gets these variables as secrets, wherever they come from; an optional one that no source has is left out."""
    consumer = stage(
        "c", image="i", env={"A": StageValue("a"), "PROXY": host("proxy"), "NO": host("no", optional=True), "T": "t"}
    )

    sources, texts = variable_sources(consumer), {"T": "t", "proxy": "p"}
    found = chosen_variables(sources, ["A", "PROXY", "NO", "T"], values={"a": Printed.of(b"1")}, texts=texts)

    assert found == {"A": b"1", "PROXY": b"p", "T": b"t"}


@pytest.mark.parametrize(("name", "says"), [("OTHER", "OTHER is not a variable of the stage"), ("A", "A cannot be a variable")])
def test_a_chosen_variable_that_cannot_be(name: str, says: str) -> None:
    """A chosen variable is refused if the stage does not have it or if no variable can have its text."""
    consumer = stage("c", image="i", env={"A": StageValue("a")})

    with pytest.raises(StageError, match=says):
        chosen_variables(variable_sources(consumer), [name], values={"a": Printed.of(b"\0")}, texts={})


def test_what_is_always_set_wins() -> None:
    """A stage cannot change `OUT`."""
    found = variables({}, {"OUT": "elsewhere"}, OUT="/tmp")

    assert found == Variables({"OUT": "/c"}, {})


@pytest.mark.parametrize(
    ("value", "trouble"), [(b"a\0b", "NUL"), (b"\xff", "UTF-8"), (b"x" * 131_070, "131,072 bytes"), (b"x" * 200_000, "kernel")]
)
def test_a_value_that_is_no_variable_fails_its_consumer(value: bytes, trouble: str) -> None:
    """The message has the reason and the advice to read the file instead, and shows nothing of the value."""
    with pytest.raises(StageError, match=trouble) as caught:
        variables({"a": value})

    assert "/out/a" in str(caught.value)
    assert len(str(caught.value)) < 300


def test_the_largest_value_fits() -> None:
    """Linux allows 131,072 bytes, including the name and the final NUL."""
    assert len(variables({"a": b"x" * (131_071 - len("A="))}).unseen["A"]) == 131_069


def test_too_much_together_fails_the_consumer() -> None:
    """Values that fit one by one but not together are refused, and the message names the files to read instead."""
    with pytest.raises(StageError, match="together") as caught:
        variables({f"s{number}": b"x" * 120_000 for number in range(20)})

    assert "/out/s0" in str(caught.value)


@pytest.mark.parametrize(
    ("stage_name", "variable"),
    [("assume-role", "ASSUME_ROLE"), ("a.b", "A_B"), ("☃", "_"), ("straße", "STRASSE"), ("é1", "_1"), ("x_y", "X_Y")],
)
def test_a_folded_name(stage_name: str, variable: str) -> None:
    """The name is upper-cased, and everything except A-Z, 0-9 and `_` becomes `_`."""
    assert folded(stage_name) == variable


def test_what_is_always_set() -> None:
    """Every script knows its run, its stage, its pipeline and its own folder."""
    found = runtime_variables(RunIdentity("r1", "p", "f"), stage("☃"))

    assert found == {
        "OUT": "/☃",
        "DOCKERCISE_RUN_ID": "r1",
        "DOCKERCISE_STAGE": "☃",
        "DOCKERCISE_PIPELINE": "p",
        "GRAPH_CI_RUN_ID": "r1",
    }


@pytest.mark.parametrize("name", ["a-b", "1a", "x; exit 1", "", "é"])
def test_a_name_that_a_shell_would_not_take_is_refused(name: str) -> None:
    """The name of a variable never becomes shell code."""
    consumer = stage("c", image="i", env={name: host(name)})

    with pytest.raises(StageError):
        container_variables(variable_sources(consumer), script=None, always={}, values={}, texts={name: "x"})
