"""Writes the parameters of a pipeline: in its declaration, and as parameters of the flow that Prefect's run form shows."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from dockercise_prefect.emit.calls import WIDTH, bracketed, call
from dockercise_prefect.emit.literals import inside_quotes, one_line
from dockercise_prefect.pipeline import Parameter, ParameterType
from dockercise_prefect.pipeline.parameters.values import Value, text_of

_TYPES = {
    ParameterType.STRING: "str",
    ParameterType.INTEGER: "int",
    ParameterType.NUMBER: "float",
    ParameterType.BOOLEAN: "bool",
}


def declared_parameter(parameter: Parameter) -> str:
    """The call of `pipeline.parameter`."""
    arguments = [one_line(parameter.name)]
    if parameter.type is not ParameterType.STRING:
        arguments.append(f"type={one_line(parameter.type)}")
    if parameter.default is not None:
        arguments.append(f"default={_literal(parameter.default)}")
    if parameter.choices:
        arguments.append(f"choices=[{', '.join(map(_literal, parameter.choices))}]")
    if parameter.description:
        arguments.append(f"description={one_line(parameter.description)}")
    if parameter.is_fixed:
        arguments.append("fixed=True")
    if parameter.place is not None:
        arguments.append(f"at={one_line(str(parameter.place))}")
    return call("parameter", arguments, before="    ").replace("\n", "\n    ")  # it is in a list


def needs_literal(parameters: Iterable[Parameter]) -> bool:
    """Whether `signature` uses `Literal`."""
    return any(_values(parameter) for parameter in parameters)


def signature(parameters: Sequence[Parameter]) -> str:
    """The parameters of the flow's function, behind those of every flow. They are passed by name, so the order is free."""
    lines = [f"    {one.name}: {_annotation(one)}{_default(one)},\n" for one in parameters]
    return "".join(["    *,\n", *lines]) if lines else ""


def descriptions(parameters: Iterable[Parameter]) -> str:
    """The part of the flow's docstring from which Prefect takes the texts of its run form."""
    described = [line for one in parameters for line in _described(one)]
    return "".join(["\n\n    Args:\n", *described, "    "]) if described else ""


def passed_on(parameters: Sequence[Parameter]) -> str:
    """The argument with which the flow passes their values on."""
    entries = "".join(f"            {one_line(one.name)}: {one.name},\n" for one in parameters)
    return f"        parameters={{\n{entries}        }},\n" if entries else ""


def listed_parameters(parameters: Iterable[Parameter]) -> Iterator[tuple[str, str]]:
    """Each parameter with its type, value and choices in words."""
    for one in parameters:
        value = "no default" if one.default is None else f"default {one_line(text_of(one.default))}"
        choices = f", one of {', '.join(map(text_of, one.choices))}" if one.choices else ""
        yield one.name, f"{one.type}, {value}{choices}"


def _values(parameter: Parameter) -> Sequence[Value]:
    """The values that the run form offers. A type checker does not allow fractions in `Literal`."""
    if parameter.type not in {ParameterType.STRING, ParameterType.INTEGER}:
        return ()
    return (parameter.default,) if parameter.is_fixed and parameter.default is not None else parameter.choices


def _annotation(parameter: Parameter) -> str:
    values = _values(parameter)
    if not values:
        return _TYPES[parameter.type]
    return f"Literal{bracketed([*map(_literal, values)], indent=4, before=f'{parameter.name}: Literal')}"


def _default(parameter: Parameter) -> str:
    return "" if parameter.default is None else f" = {_literal(parameter.default)}"


def _described(parameter: Parameter) -> Iterator[str]:
    text = " ".join(parameter.description.split())
    if parameter.is_fixed:
        text = f"{text} (fixed when the pipeline was compiled)".lstrip()
    if text:
        wrapped = textwrap.wrap(f"{parameter.name}: {text}", WIDTH - 20, break_long_words=False, break_on_hyphens=False)
        yield from (f"{' ' * (8 if number == 0 else 12)}{_in_docstring(line)}\n" for number, line in enumerate(wrapped))


def _in_docstring(line: str) -> str:
    """A line of a docstring: only three quotes would end it."""
    return inside_quotes(line).replace(r"\"", '"').replace('"""', r"\"\"\"")


def _literal(value: Value) -> str:
    return one_line(value) if isinstance(value, str) else repr(value)
