"""`env`: where each variable of a stage comes from (LANGUAGE section 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from typing import Protocol

from dockercise_prefect.compiler.reading.names import (
    IDENTIFIER,
    IDENTIFIER_SOURCE,
    NAME_SOURCE,
    OURS_SOURCE,
    REFERENCE,
    is_ours,
    is_taken,
)
from dockercise_prefect.compiler.reading.shapes import ANY, SPACE, Schema, key_names, one_or_many, scalar
from dockercise_prefect.compiler.reading.values import Field, scalars
from dockercise_prefect.compiler.spelling.suggest import StageNames
from dockercise_prefect.errors import Place, Related
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar
from dockercise_prefect.pipeline import (
    Code,
    EnvSource,
    HostVariable,
    LiteralValue,
    Parameter,
    ParameterValue,
    StageName,
    StageValue,
    StageValues,
    folded,
)
from dockercise_prefect.pipeline.run_context import RUN_VARIABLES

_LITERAL_NAME = f"[^={SPACE}]+"

_ENTRY = scalar(rf"{NAME_SOURCE}|{_LITERAL_NAME}=[\s\S]*", "write STAGE, NAME, NAME? or NAME=text")

_VALUE_OF_STAGE: Schema = {
    "type": "object",
    "properties": {"stage": REFERENCE},
    "required": ["stage"],
    "additionalProperties": False,
}

_MAPPING: Schema = {
    "type": "object",
    "propertyNames": key_names(
        rf"(?!(?:{OURS_SOURCE})$){_LITERAL_NAME}", "not a valid variable name, or one that dockercise sets"
    ),
    "patternProperties": {f"^{IDENTIFIER_SOURCE}$": {"anyOf": [ANY, _VALUE_OF_STAGE]}},
    "additionalProperties": ANY,
}

SCHEMA: Schema = {"anyOf": [*one_or_many(_ENTRY)["anyOf"], _MAPPING]}
"""What can be written in an `env`."""

SECRETS_SCHEMA: Schema = {
    "anyOf": [
        *one_or_many(scalar(rf"(?![\s\S]*=){NAME_SOURCE}", "write STAGE, NAME or NAME?"))["anyOf"],
        {**_MAPPING, "patternProperties": {f"^{IDENTIFIER_SOURCE}$": _VALUE_OF_STAGE}, "additionalProperties": False},
    ]
}
"""What can be written in a build's `secrets`: the same as in `env`, but no text, because a text would not be secret."""


@dataclass(slots=True)
class Variable:
    """One variable, its source, its place, and whether it was only inferred from a script.

    For speed, it is not frozen, like the nodes; but it is never changed.
    """

    name: str
    source: EnvSource
    place: Place
    inferred: bool = False


NO_VARIABLES: MappingOf[str, Variable] = {}


class NamedValues(Protocol):
    """The parameters that can be named in one file."""

    @property
    def by_variable(self) -> MappingOf[str, Parameter]:
        """The parameters by their variables."""

    def source(self, variable: str) -> EnvSource | None:
        """The source of a variable that is a parameter's; None for other variables."""


class Variables:
    """Reads `env`. There is one for a whole pipeline, because it knows every stage's variable."""

    def __init__(
        self, stages: MappingOf[StageName, Place], names: StageNames, parameters: Callable[[str], NamedValues]
    ) -> None:
        self._names = names
        self._parameters = parameters
        self._by_variable = {folded(stage): stage for stage in stages}

    def read(self, fields: Iterable[Field]) -> dict[str, Variable]:
        """The variables of one stage, or those of `meta`, in the order written.

        Two sources for one variable are an error (DK034); the same source twice is not.
        """
        variables: dict[str, Variable] = {}
        for field in fields:
            for variable in self._entries(field):
                self._check_parameter(variable, field)
                known = variables.setdefault(variable.name, variable)
                if known.source != variable.source:
                    field.findings.error(
                        Code.VARIABLE_TWICE,
                        f"{field.owner}: the variable `{variable.name}` has two sources: "
                        f"{_described(known.source)} and {_described(variable.source)}",
                        variable.place,
                        hint="give one of them another name: `env: {OTHER: {stage: …}}`",
                        related=[Related("the first is here", known.place)],
                    )
        return variables

    def _check_parameter(self, variable: Variable, field: Field) -> None:
        """DK034: a variable is set to something else although it is the variable of a parameter."""
        source = self._parameters(field.node.path).source(variable.name)
        if source is not None and source != variable.source:
            field.findings.error(
                Code.VARIABLE_TWICE,
                f"{field.owner}: the variable `{variable.name}` has two sources: {_described(variable.source)} and a parameter",
                variable.place,
                hint="give the variable or the parameter another name",
            )

    def read_secrets(self, field: Field) -> dict[str, Variable]:
        """The variables that a build gets as secrets. A text that is written in the pipeline is not a secret."""
        variables = self.read([field])
        for variable in variables.values():
            if isinstance(variable.source, LiteralValue | ParameterValue):
                # The value is not shown, because it may be the secret itself.
                Field(field.owner, field.key, field.node, field.findings).wrong_value(
                    f"the value of `{variable.name}` is {_WHERE[type(variable.source)]}, so it is not secret",
                    f"write `{variable.name}` alone to take it from outside",
                )
        open_sources = LiteralValue | ParameterValue
        return {name: variable for name, variable in variables.items() if not isinstance(variable.source, open_sources)}

    def from_outside(self, entry: str, field: Field) -> Variable | None:
        """The variable from outside that `NAME` or `NAME?` names; None if it is wrong, which is then reported."""
        return self._outside(entry.removesuffix("?"), field, optional=entry.endswith("?"))

    def _entries(self, field: Field) -> Iterator[Variable]:
        if isinstance(field.node, Mapping):
            found = [self._named(key, field.at(value)) for key, value in field.node]
        else:
            found = [self._listed(item.text, field.at(item)) for item in scalars(field)]
        return (variable for variable in found if variable is not None)

    def _listed(self, entry: str, field: Field) -> Variable | None:
        """`A`, `NAME`, `NAME?` or `NAME=text`."""
        if entry in self._names:
            return self._value_of(entry, field)
        name, equals, literal = entry.partition("=")
        if equals:
            return self._literal(name, literal, field.place, field)
        name = entry.removesuffix("?")
        parameter = self._parameters(field.node.path).source(name.upper())
        if parameter is None:
            return self.from_outside(entry, field)
        if name != entry:
            field.wrong_value(f"`{name}` is a parameter, whose value is always set", "remove the `?`")
        return Variable(name.upper(), parameter, field.place)

    def _named(self, key: Scalar, field: Field) -> Variable | None:
        """`NAME: text` or `NAME: {stage: A}`."""
        node = field.node
        if isinstance(node, Scalar) and node.kind != "null":
            return self._literal(key.text, node.text, key.place, field)
        stage = self._stage_of(node)
        if stage is None:
            hint = f'write `{key.text}: ""` for an empty string, or a list, `- {key.text}`, for a variable from outside'
            Field(field.owner, f"env: {key.text}", node, field.findings).wrong_type("a string, or `{stage: NAME}`", hint)
            return None
        if stage.text not in self._names:
            if self._names.complete:
                field.findings.error(
                    Code.UNKNOWN_STAGE,
                    f"{field.owner} uses the value of `{stage.text}`, which is not a stage",
                    stage.place,
                    hint=self._names.hint(stage.text),
                )
            return None
        if not self._is_variable(key.text, field.at(key)):
            return None
        return Variable(key.text, StageValue(stage.text), stage.place)

    def _stage_of(self, node: Node) -> Scalar | None:
        if isinstance(node, Mapping) and list(node.by_key) == ["stage"]:
            stage = node.by_key["stage"]
            return stage if isinstance(stage, Scalar) and stage.kind != "null" else None
        return None

    def _value_of(self, stage: StageName, field: Field) -> Variable | None:
        variable = folded(stage)
        if IDENTIFIER.match(variable) and not is_taken(variable):
            return Variable(variable, StageValue(stage), field.place)
        why = "is reserved" if is_taken(variable) else "is not a valid variable name"
        field.findings.error(
            Code.VARIABLE_TAKEN,
            f"{field.owner}: the value of `{stage}` would be in `{variable}`, which {why}",
            field.place,
            hint=f"choose a name: `env: {{NAME: {{stage: {stage}}}}}`",
        )
        return None

    def _outside(self, name: str, field: Field, *, optional: bool) -> Variable | None:
        if optional and name in self._names:
            field.wrong_value(f"`{name}` is a stage, whose value is always set", "remove the `?`")
            return None
        variable = name.upper()
        if variable in RUN_VARIABLES:
            return Variable(variable, of_the_run(variable), field.place)
        stage = self._by_variable.get(variable)
        if stage is not None:
            field.findings.error(
                Code.LOOKS_LIKE_STAGE,
                f"{field.owner}: `{name}` is not a stage but the variable of the stage `{stage}`",
                field.place,
                hint=f"did you mean the stage {self._names.named(stage)}? A variable from outside needs another name",
            )
            return None
        if not self._names.complete and not IDENTIFIER.match(name):
            return None
        if not self._is_variable(name, field) or (not name.isascii()):
            return None
        return Variable(variable, HostVariable(name, optional), field.place)

    def _literal(self, name: str, text: str, place: Place, field: Field) -> Variable | None:
        """A variable with a text. Few names are refused: an image may need one that no shell accepts (`discovery.type`)."""
        if not name or "=" in name or any(character.isspace() or not character.isprintable() for character in name):
            field.findings.error(
                Code.VARIABLE_NAME,
                f"{field.owner}: `{name}` is not a valid variable name",
                place,
                hint="write `NAME=text`",
            )
            return None
        if self._is_refused(name, place, field):
            return None
        return Variable(name, LiteralValue(text), place)

    def _is_variable(self, name: str, field: Field) -> bool:
        if not IDENTIFIER.match(name):
            field.findings.error(
                Code.VARIABLE_NAME,
                f"{field.owner}: `{name}` is neither a stage nor a valid variable name",
                field.place,
                hint=self._names.hint(name) or "names of variables contain only letters, digits and `_`",
            )
            return False
        return not self._is_refused(name.upper(), field.place, field)

    def _is_refused(self, name: str, place: Place, field: Field) -> bool:
        if not is_ours(name):
            return False
        named = name in RUN_VARIABLES
        field.findings.error(
            Code.VARIABLE_TAKEN,
            f"{field.owner}: `{name}` is set by dockercise in every stage{' that names it' if named else ''}",
            place,
            hint=f"write `env: {name}` to have it, or choose another name" if named else "remove it, or choose another name",
        )
        return True


def with_axes(
    owner: str, env: MappingOf[str, Variable], axes: MappingOf[str, Variable], findings: Findings
) -> MappingOf[str, Variable]:
    """The variables of an instance: those of its matrix and its own. A variable that is both is an error (DK084)."""
    for name in axes.keys() & env.keys():
        findings.error(
            Code.AXIS_TAKEN,
            f"{owner}: `{name}` is a variable of the matrix and of `env`",
            axes[name].place,
            hint="rename one of the two",
            related=[Related("the other is here", env[name].place)],
        )
    return {**axes, **env} if axes else env


def of_the_run(variable: str) -> HostVariable:
    """The source of a variable that the run itself sets."""
    return HostVariable(variable, optional=True)


def _described(source: EnvSource) -> str:
    match source:
        case StageValue(stage):
            return f"the value of `{stage}`"
        case StageValues(stages):
            return f"the values of {', '.join(f'`{stage}`' for stage in stages)}"
        case HostVariable(name):
            return f"`{name}` from outside"
        case LiteralValue():
            return "a string written here"
        case ParameterValue(parameter):
            return f"the parameter `{parameter}`"


_WHERE: MappingOf[type, str] = {LiteralValue: "written in the pipeline", ParameterValue: "a parameter"}
"""Why some values are not secret."""
