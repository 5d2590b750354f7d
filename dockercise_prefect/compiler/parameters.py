"""The parameters that stages can name, and what is made of them where they are named (LANGUAGE section 9, docs/adr/0063).

A stage of the pipeline names the parameters of the pipeline, and a stage of a package names those of its package.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, replace

from dockercise_prefect.compiler.expansion import expanded, expanded_node
from dockercise_prefect.compiler.keys import EXPANDED
from dockercise_prefect.compiler.reading.parameters import read_parameters
from dockercise_prefect.errors import Place, Related, did_you_mean
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.merge import MergedDocument, StageDefinition
from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar, Sequence, is_null
from dockercise_prefect.frontend.subgraphs import PackageUse
from dockercise_prefect.pipeline import Code, EnvSource, LiteralValue, Parameter, folded
from dockercise_prefect.pipeline.parameters.values import Value, WrongValueError, given_problems, with_values

_OF_PATHS = frozenset({"build", "dir", "vol"})
_NUMBERS = frozenset({"cpus", "memory", "timeout"})


@dataclass(frozen=True, slots=True)
class Scope:
    """What the stages of one file or package can name.

    Attributes:
        by_variable: the parameters by their variables.
        is_settled: whether their values are part of the compiled pipeline: those of a package are.
    """

    by_variable: MappingOf[str, Parameter]
    is_settled: bool = False

    def source(self, variable: str) -> EnvSource | None:
        """The source of a variable that is a parameter's; None for other variables."""
        parameter = self.by_variable.get(variable)
        if parameter is None:
            return None
        return LiteralValue(parameter.text or "") if self.is_settled else parameter.value


class Parameters:
    """The parameters of a pipeline and of its packages.

    Args:
        document: all files and packages, merged.
        given: values of the pipeline's parameters, for this compilation.
        findings: collects what is wrong.
    """

    def __init__(self, document: MergedDocument, given: MappingOf[str, object], findings: Findings) -> None:
        self._findings = findings
        self._in_keys: set[str] = set()
        _, node = document.meta.get("parameters", (None, None))
        declared = read_parameters(node, "meta", findings) if node is not None else []
        problems = [*given_problems(declared, given)]
        for problem in problems:
            findings.error(Code.WRONG_PARAMETER, problem.message, problem.place, hint=problem.hint)
        self._own = Scope({one.variable: one for one in (declared if problems else with_values(declared, given))})
        self._packages: dict[str, Scope] = {}
        for path, use in document.packages.items():  # the package that names another one comes first
            self._packages[path] = Scope(self._settled(use), is_settled=True)
        self._report_stages(document)
        self._report_axes(document)

    @property
    def of_the_pipeline(self) -> tuple[Parameter, ...]:
        """The parameters of the pipeline, complete after `expand`."""
        return tuple(replace(one, is_fixed=one.name in self._in_keys) for one in self._own.by_variable.values())

    def of(self, path: str) -> Scope:
        """What can be named in that file or package."""
        return self._packages.get(path, self._own)

    def expand(self, document: MergedDocument) -> MergedDocument:
        """The document with the values of parameters in the keys that take them."""
        if not self._own.by_variable and not any(scope.by_variable for scope in self._packages.values()):
            return document
        meta = dict(document.meta)
        for key in meta.keys() & {"defaults", "platform"}:
            name, node = meta[key]
            meta[key] = name, self._body(f"meta.{key}", node) if key == "defaults" else self._value("meta", key, node)
        stages = tuple(StageDefinition(stage.key, self._body(stage.name, stage.body)) for stage in document.stages)
        return replace(document, stages=stages, meta=meta)

    def report_secrets(self, secrets: MappingOf[str, Place]) -> None:
        """DK092: `meta.secrets` names a parameter, whose value everyone sees who can see the run."""
        for name, place in secrets.items():
            parameter = self._own.by_variable.get(name)
            if parameter is not None:
                self._findings.error(
                    Code.PARAMETER_NAME,
                    f"meta.secrets: `{name}` is the parameter `{parameter.name}`, and Prefect shows the values of parameters",
                    place,
                    hint="pass a secret as a variable from outside: `--env`, or a Secret block",
                )

    def _body(self, owner: str, body: Node) -> Node:
        """A stage with values in the keys that take them."""
        if not isinstance(body, Mapping):
            return body
        entries = {
            word: (key, self._in_stage(owner, word, node) if word in EXPANDED else node)
            for word, (key, node) in body.by_text.items()
        }
        return Mapping(body.path, body.mark, entries)

    def _in_stage(self, owner: str, key: str, node: Node) -> Node:
        if key != "services" or not isinstance(node, Mapping):
            return self._value(owner, key, node)
        entries = {name: (word, self._service(f"{owner}.{name}", one)) for name, (word, one) in node.by_text.items()}
        return Mapping(node.path, node.mark, entries)

    def _service(self, owner: str, node: Node) -> Node:
        """A service: an image, or a mapping with scripts and variables, in which nothing is expanded."""
        return self._body(owner, node) if isinstance(node, Mapping) else self._value(owner, "img", node)

    def _value(self, owner: str, key: str, node: Node) -> Node:
        scope = self.of(node.path)
        texts: dict[str, str] = {}
        for item in _texts_in(node):
            for variable in _named(item.text, scope):
                parameter = scope.by_variable[variable]
                texts[variable] = self._text(owner, key, item, parameter)
                if not scope.is_settled:
                    self._in_keys.add(parameter.name)
        return expanded_node(node, texts) if texts else node

    def _text(self, owner: str, key: str, item: Scalar, parameter: Parameter) -> str:
        """The text of a parameter in a key. A wrong one is reported."""
        text = parameter.text
        if text is None:
            self._findings.error(
                Code.NO_DEFAULT,
                f"{owner}: `{key}` uses the parameter `{parameter.name}`, which has no default",
                item.place,
                hint="give it a `default`: a pipeline is checked before a run gives values",
                related=[Related("the parameter is here", parameter.place)] if parameter.place else (),
            )
            return "10m" if key in _NUMBERS - {"cpus"} else "1"  # so that nothing else is reported
        if key in _OF_PATHS and (":" in text or ".." in text.split("/")):
            self._findings.error(
                Code.WRONG_PARAMETER,
                f"{owner}: `{key}` cannot have the value `{text}` of the parameter `{parameter.name}`",
                item.place,
                hint="in a path, a value has no `:` and no `..`",
            )
            return "1"
        return text

    def _settled(self, use: PackageUse) -> dict[str, Parameter]:
        """The parameters of a package, with the values that `with` gives (DK094)."""
        owner = f"the package {use.image.text}"
        declared = {one.name: one for one in read_parameters(use.declared, owner, self._findings)} if use.declared else {}
        for key, node in use.given.entries if use.given else ():
            parameter = declared.get(key.text)
            if parameter is None:
                self._report_unknown(owner, key, declared)
                continue
            value = self._value(owner, "with", node)
            if not isinstance(value, Scalar) or is_null(value):
                self._wrong(f"{owner}: the parameter `{key.text}` must be a string, a number or a boolean", value.place, None)
                continue
            try:
                declared[key.text] = replace(parameter, default=parameter.value_of(value.text))
            except WrongValueError as error:
                self._wrong(f"{owner}: the parameter `{key.text}`: {error}", value.place, error.hint)
        given = {key.text for key, _ in use.given.entries} if use.given else set()
        for one in declared.values():
            if one.default is None and one.name not in given:
                hint = f"write `{{image: {use.image.text}, with: {{{one.name}: …}}}}`"
                self._wrong(f"{owner} needs a value for its parameter `{one.name}`", use.image.place, hint)
        return {one.variable: one if one.default is not None else replace(one, default=_any(one)) for one in declared.values()}

    def _report_unknown(self, owner: str, key: Scalar, declared: MappingOf[str, Parameter]) -> None:
        meant = did_you_mean(key.text, list(declared))
        has = f"it has {', '.join(f'`{name}`' for name in declared)}" if declared else "it has no parameters"
        hint = f"did you mean `{meant}`?" if meant else has
        self._wrong(f"{owner} has no parameter `{key.text}`", key.place, hint)

    def _wrong(self, message: str, place: Place, hint: str | None) -> None:
        self._findings.error(Code.WRONG_WITH, message, place, hint=hint)

    def _report_stages(self, document: MergedDocument) -> None:
        """DK092: the variable of a parameter is that of a stage."""
        stages = {folded(stage.name): stage for stage in document.stages}
        for scope in (self._own, *self._packages.values()):
            for variable, parameter in scope.by_variable.items():
                if variable in stages:
                    stage = stages[variable]
                    self._findings.error(
                        Code.PARAMETER_NAME,
                        f"the parameter `{parameter.name}` and the stage `{stage.name}` have the same variable: {variable}",
                        parameter.place,
                        hint="give one of them another name",
                        related=[Related("the stage is here", stage.key.place)],
                    )

    def _report_axes(self, document: MergedDocument) -> None:
        """DK092: the variable of a parameter is that of a matrix."""
        for stage in document.stages:
            for axis in _axes(stage.body):
                parameter = self.of(axis.path).by_variable.get(axis.text.upper())
                if parameter is not None:
                    self._findings.error(
                        Code.PARAMETER_NAME,
                        f"the parameter `{parameter.name}` and the matrix of `{stage.name}` have the same variable",
                        axis.place,
                        hint="give one of them another name",
                    )


def _axes(body: Node) -> Iterator[Scalar]:
    """The variables of a stage's `matrix`."""
    matrix = body.by_key.get("matrix") if isinstance(body, Mapping) else None
    return (key for key, _ in matrix) if isinstance(matrix, Mapping) else iter(())


def _any(parameter: Parameter) -> Value:
    """A value in place of one that is missing or wrong, so that nothing else is reported."""
    return parameter.choices[0] if parameter.choices else "1"


def _named(text: str, scope: Scope) -> Iterator[str]:
    """The variables of parameters that a text names as `$NAME` or `${NAME}`."""
    if "$" in text:
        yield from (variable for variable in scope.by_variable if expanded(text, {variable: ""}) != text)


def _texts_in(node: Node) -> Iterator[Scalar]:
    match node:
        case Scalar():
            yield node
        case Sequence(items=items):
            for item in items:
                yield from _texts_in(item)
        case Mapping():
            for _, item in node:
                yield from _texts_in(item)
