"""`meta.parameters`: what whoever starts a run chooses (LANGUAGE section 9)."""

from __future__ import annotations

import keyword
from dataclasses import replace

from dockercise_prefect.compiler.reading.names import is_environment
from dockercise_prefect.compiler.reading.shapes import ANY, NULL, Key, Schema, key_names, mapping_of, matcher
from dockercise_prefect.compiler.reading.values import Field, image, one_of, text
from dockercise_prefect.compiler.spelling.key_checks import check_keys
from dockercise_prefect.errors import Related
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar, Sequence, is_null
from dockercise_prefect.pipeline import Code, Parameter, ParameterType
from dockercise_prefect.pipeline.parameters.values import Value, WrongValueError

_NAME_SOURCE = "[A-Za-z][A-Za-z0-9_]{0,63}"
_NAME = matcher(_NAME_SOURCE)

OF_EVERY_FLOW = frozenset({"targets", "env", "commit", "results", "resume"})
"""Parameters that every flow has."""

_OF_THE_MODULE = frozenset({"ROOT", "parameters", "pipeline", "run_pipeline"})
"""Names that the body of a compiled flow uses."""

_type = one_of(ParameterType)

_KEYS = {
    "type": Key(_type.schema, "`string` (the default), `integer`, `number` or `boolean`."),
    "default": Key(ANY, "The value if a run gives none. Without it, every run has to give one."),
    "choices": Key({"type": "array", "items": ANY, "minItems": 1}, "The only allowed values; a list to choose from."),
    "description": Key(ANY, "A text for the run form in Prefect's UI."),
}

_PARAMETER = mapping_of(_KEYS)

SCHEMA: Schema = {
    "type": "object",
    "propertyNames": key_names(
        rf"(?!(?:{'|'.join(sorted(OF_EVERY_FLOW | _OF_THE_MODULE))})$){_NAME_SOURCE}",
        "a name has letters, digits and `_`, and begins with a letter",
    ),
    "additionalProperties": {"anyOf": [ANY, _PARAMETER, NULL]},
}
"""What can be written in `meta.parameters`."""

PACKAGE: Schema = mapping_of(
    {
        "image": Key(image.schema, "The image of the package."),
        "with": Key({"type": "object", "additionalProperties": ANY}, "Values for the parameters of the package."),
    },
    required=["image"],
)
"""An entry of `meta.subgraphs` that gives values."""


def read_parameters(node: Node, owner: str, findings: Findings) -> list[Parameter]:
    """The parameters in the order written. One with a wrong part is left out.

    Args:
        node: the value of `parameters`.
        owner: who has them, for messages: `meta`, or a package.
        findings: collects what is wrong.
    """
    if is_null(node):
        return []
    if not isinstance(node, Mapping):
        Field(owner, "parameters", node, findings).wrong_type("a mapping of names to defaults", "write `{name: default}`")
        return []
    read: dict[str, Parameter] = {}
    for key, value in node:
        parameter = _parameter(key, value, f"{owner}.parameters", findings)
        if parameter is None or not _is_name(key, findings):
            continue
        other = read.setdefault(parameter.variable, parameter)
        if other is not parameter:
            findings.error(
                Code.PARAMETER_NAME,
                f"the parameter `{key.text}` has the same variable as `{other.name}`: {parameter.variable}",
                key.place,
                hint="give one of them another name",
                related=[Related("the other is here", other.place)] if other.place else (),
            )
    return list(read.values())


def _is_name(key: Scalar, findings: Findings) -> bool:
    """Whether a word can be the name of a parameter. Otherwise it is reported (DK092)."""
    name = key.text
    why, hint = None, "choose another name"
    if not _NAME.match(name):
        why, hint = "has a name that is not allowed", "use letters, digits and `_`, at most 64, and begin with a letter"
    elif name in OF_EVERY_FLOW:
        why = "has the name of a parameter that every flow has"
    elif name in _OF_THE_MODULE or keyword.iskeyword(name):
        why = "has a name that compiled flows cannot use"
    elif is_environment(name.upper()):
        why = f"would set {name.upper()}, which shells, images or dockercise set"
    if why is not None:
        findings.error(Code.PARAMETER_NAME, f"the parameter `{name}` {why}", key.place, hint=hint)
    return why is None


def _parameter(key: Scalar, node: Node, owner: str, findings: Findings) -> Parameter | None:
    if is_null(node):
        return Parameter(name=key.text, place=key.place)
    if isinstance(node, Scalar):
        return _with_default(Parameter(name=key.text, type=_natural(node), place=key.place), node, owner, findings)
    if not isinstance(node, Mapping):
        Field(owner, key.text, node, findings).wrong_type("a default, or a mapping of keys such as `default` and `choices`")
        return None
    name = f"{owner}.{key.text}"
    check_keys(name, node, _KEYS, findings, hint_for=_hint)
    by_key = {word: value for word, value in node.by_key.items() if not is_null(value)}
    default = by_key.get("default")
    kind = _type(Field(name, "type", by_key["type"], findings)) if "type" in by_key else _natural(default)
    if kind is None:
        return None
    described = text(Field(name, "description", by_key["description"], findings)) if "description" in by_key else None
    parameter: Parameter | None = Parameter(name=key.text, type=kind, description=described or "", place=key.place)
    if parameter and "choices" in by_key:
        parameter = _with_choices(parameter, by_key["choices"], name, findings)
    if parameter and default is not None:
        parameter = _with_default(parameter, default, name, findings)
    return parameter


def _natural(default: Node | None) -> ParameterType:
    """The type that is meant if none is written. A number is a string too, because `3.10` may be a version."""
    is_boolean = isinstance(default, Scalar) and default.kind == "bool"
    return ParameterType.BOOLEAN if is_boolean else ParameterType.STRING


def _with_default(parameter: Parameter, node: Node, owner: str, findings: Findings) -> Parameter | None:
    value = _value(parameter, node, owner, "default", findings)
    return None if value is None else replace(parameter, default=value)


def _with_choices(parameter: Parameter, node: Node, owner: str, findings: Findings) -> Parameter | None:
    if not isinstance(node, Sequence) or not node.items:
        Field(owner, "choices", node, findings).wrong_type("a list with at least one value", "write `choices: [a, b]`")
        return None
    found = [_value(parameter, item, owner, "choices", findings) for item in node.items]
    values = tuple(dict.fromkeys(value for value in found if value is not None))
    return replace(parameter, choices=values) if None not in found else None


def _value(parameter: Parameter, node: Node, owner: str, key: str, findings: Findings) -> Value | None:
    """A value that is written in the pipeline; None if it is wrong, which is reported (DK093)."""
    if not isinstance(node, Scalar) or is_null(node):
        Field(owner, key, node, findings).wrong_type("a string, a number or a boolean")
        return None
    try:
        return parameter.value_of(node.text)
    except WrongValueError as error:
        findings.error(Code.PARAMETER_VALUE, f"{owner}: `{key}`: {error}", node.place, hint=error.hint)
        return None


def _hint(word: str) -> str | None:
    """What the keys of other tools are called here."""
    return {"options": "write `choices: […]`", "enum": "write `choices: […]`", "required": _REQUIRED}.get(word)


_REQUIRED = "a parameter without a `default` has to be given"
