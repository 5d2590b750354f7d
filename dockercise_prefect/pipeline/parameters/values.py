"""A parameter of a pipeline: a value that whoever starts a run chooses (LANGUAGE section 9, docs/adr/0063)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from dockercise_prefect.errors import Diagnostic, Place, did_you_mean
from dockercise_prefect.pipeline.codes import Code
from dockercise_prefect.pipeline.sources import ParameterValue, folded

Value: TypeAlias = str | int | float | bool
"""The value of a parameter, as JSON has it."""

LONGEST = 100_000
"""Bytes of a string. The kernel accepts a little more for one variable with its name."""

EXACT = 2**53
"""Below this, every whole number is the same in all programs that read JSON."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


class ParameterType(StrEnum):
    """The type of a parameter's values, with the names of JSON Schema."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"


class WrongValueError(ValueError):
    """A value is not one of a parameter. `hint` says what to do next."""

    def __init__(self, why: str, hint: str) -> None:
        super().__init__(why)
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter, with the value that it has if a run gives none.

    Attributes:
        name: an identifier; it is also the name of a parameter of the flow.
        default: the value; None if every run has to give one.
        choices: the only allowed values; empty for all of the type.
        description: a text for the run form.
        is_fixed: whether keys such as `img` use it. They are read when the pipeline is compiled, so another value needs a
            pipeline that is compiled with it.
        is_given: whether a run has given it another value than its default.
        place: where it was written.
    """

    name: str
    type: ParameterType = ParameterType.STRING
    default: Value | None = None
    choices: tuple[Value, ...] = ()
    description: str = ""
    is_fixed: bool = False
    is_given: bool = False
    place: Place | None = None

    @property
    def variable(self) -> str:
        """The variable that holds its value in stages: `python` gives `PYTHON`."""
        return folded(self.name)

    @property
    def value(self) -> ParameterValue:
        """Its value, as the source of a variable."""
        return ParameterValue(self.name)

    @property
    def text(self) -> str | None:
        """The text of its value in a variable; None if it has no value."""
        return None if self.default is None else text_of(self.default)

    def value_of(self, given: object) -> Value:
        """The value that was given as a text or as a value of JSON.

        Raises:
            WrongValueError: it is not a value of the type, or not one of the choices.
        """
        value = _READERS[self.type](given)
        if self.choices and value not in self.choices:
            shown = ", ".join(f"`{text_of(choice)}`" for choice in self.choices)
            raise WrongValueError(f"`{shortened(text_of(value))}` is not one of its choices", f"choose one of {shown}")
        return value


def text_of(value: Value) -> str:
    """The text of a value in a variable: `true` and `false` for booleans, the shortest notation for numbers."""
    return value if isinstance(value, str) else json.dumps(value)


def given_problems(parameters: Iterable[Parameter], given: Mapping[str, object]) -> Iterator[Diagnostic]:
    """DK055: what is wrong with values that were given for a run."""
    by_name = {parameter.name: parameter for parameter in parameters}
    for name, value in given.items():
        parameter = by_name.get(name)
        if parameter is None:
            meant = did_you_mean(name, list(by_name))
            there_are = (
                f"it has {', '.join(f'`{one}`' for one in by_name)}" if by_name else "`meta.parameters` declares parameters"
            )
            hint = f"did you mean `{meant}`?" if meant else there_are
            yield Diagnostic(Code.WRONG_PARAMETER, f"the pipeline has no parameter `{name}`", None, hint=hint)
            continue
        try:
            parameter.value_of(value)
        except WrongValueError as error:
            yield Diagnostic(Code.WRONG_PARAMETER, f"the parameter `{name}`: {error}", parameter.place, hint=error.hint)


def missing_problems(parameters: Iterable[Parameter]) -> Iterator[Diagnostic]:
    """DK054: the parameters without a value."""
    for parameter in parameters:
        if parameter.default is None:
            hint = f"pass `--param {parameter.name}=…`, or give it a `default`"
            message = f"the parameter `{parameter.name}` has no value"
            yield Diagnostic(Code.PARAMETER_MISSING, message, parameter.place, hint=hint)


def with_values(parameters: Iterable[Parameter], given: Mapping[str, object]) -> tuple[Parameter, ...]:
    """The parameters with those values. Names and values must be right (`given_problems`)."""
    return tuple(_with_value(one, one.value_of(given[one.name])) if one.name in given else one for one in parameters)


def _with_value(parameter: Parameter, value: Value) -> Parameter:
    return parameter if value == parameter.default else replace(parameter, default=value, is_given=True)


def shortened(text: str) -> str:
    """A text for a message, on one line."""
    return f"{text[:60]}…" if len(text) > 60 else text  # noqa: PLR2004  what is easily read


def _string(given: object) -> str:
    if not isinstance(given, str):
        raise WrongValueError(f"`{shortened(_shown(given))}` is not a string", "give a string")
    if "\0" in given:
        raise WrongValueError("the value has a NUL byte, which no variable can have", "give a text without it")
    try:
        size = len(given.encode())
    except UnicodeEncodeError:
        raise WrongValueError("the value is not UTF-8 text", "give a text in UTF-8") from None
    if size > LONGEST:
        raise WrongValueError(f"the value has {size:,} bytes, but the limit is {LONGEST:,}", "put it into a file of the code")
    return given


def _integer(given: object) -> int:
    if isinstance(given, str) and _INTEGER.fullmatch(given):
        return int(given)
    if isinstance(given, float) and given.is_integer():  # JavaScript has one type of numbers
        return int(given)
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    raise WrongValueError(f"`{shortened(_shown(given))}` is not a whole number", "give a number such as `3`")


def _number(given: object) -> int | float:
    number: object = given
    if isinstance(given, str):
        try:
            number = int(given) if _INTEGER.fullmatch(given) else float(given)
        except ValueError:
            number = None
    if isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number):
        return int(number) if number == math.trunc(number) and abs(number) < EXACT else number
    raise WrongValueError(f"`{shortened(_shown(given))}` is not a number", "give a number such as `3` or `0.5`")


def _boolean(given: object) -> bool:
    value = {"true": True, "false": False}.get(given.lower()) if isinstance(given, str) else given
    if isinstance(value, bool):
        return value
    raise WrongValueError(f"`{shortened(_shown(given))}` is neither `true` nor `false`", "give `true` or `false`")


_READERS: Mapping[ParameterType, Callable[[object], Value]] = {
    ParameterType.STRING: _string,
    ParameterType.INTEGER: _integer,
    ParameterType.NUMBER: _number,
    ParameterType.BOOLEAN: _boolean,
}


def _shown(given: object) -> str:
    return given if isinstance(given, str) else json.dumps(given, default=str)
