"""Makes one definition for each instance of a stage with `matrix`. After this, an instance is read like any other stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dockercise_prefect.compiler.expansion import expanded_node
from dockercise_prefect.compiler.keys import EXPANDED
from dockercise_prefect.compiler.reading.matrices import Combination, read_matrix
from dockercise_prefect.compiler.reading.values import Field
from dockercise_prefect.compiler.reading.variables import Variable
from dockercise_prefect.errors import Place, Related
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.merge import StageDefinition
from dockercise_prefect.frontend.nodes import Mapping as MappingNode
from dockercise_prefect.frontend.nodes import Scalar, is_null
from dockercise_prefect.pipeline import Code, Instance, LiteralValue, StageName, folded, instance_key

_KEY = "matrix"
_EACH = "each"

MAX_INSTANCES = 1_024
"""The most instances in one pipeline. A file with few lines, and aliases in them, could otherwise make millions of stages."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A stage to read.

    Attributes:
        stage: the stage as written; of an instance, with the name and the values of the instance.
        instance: which instance of a stage with `matrix` it is; None if it is not an instance.
        axes: the variables that the instance has because of its matrix.
    """

    stage: StageDefinition
    instance: Instance | None = None
    axes: Mapping[str, Variable] = field(default_factory=dict)


def definitions(stages: Sequence[StageDefinition], findings: Findings) -> list[Definition]:
    """The stages to read: in place of each stage with `matrix`, its instances.

    A stage whose matrix is wrong is read without it, so that everything else that is wrong in it is also found.
    """
    if not any(_has_matrix(stage) for stage in stages):
        return [Definition(stage) for stage in stages]
    places = {stage.name: stage.key.place for stage in stages}
    by_variable = {folded(name): name for name in places}
    found: list[Definition] = []
    left = MAX_INSTANCES
    for stage in stages:
        instances = _instances(stage, places, by_variable, findings) if left >= 0 else []
        left -= len(instances)
        if instances and left < 0:
            findings.error(
                Code.WRONG_COUNT,
                f"{stage.name}: with this stage, the pipeline has more than {MAX_INSTANCES:,} instances",
                stage.key.place,
                hint="use fewer values, or several pipelines",
            )
            instances = []
        found += instances or [Definition(_without_matrix(stage))]
    return found


def _has_matrix(stage: StageDefinition) -> bool:
    return isinstance(stage.body, MappingNode) and not is_null(stage.body.by_key.get(_KEY))


def _without_matrix(stage: StageDefinition) -> StageDefinition:
    if not isinstance(stage.body, MappingNode) or _KEY not in stage.body.by_text:
        return stage
    return _changed(stage, stage.name, {})


def _instances(
    stage: StageDefinition, places: Mapping[StageName, Place], by_variable: Mapping[str, StageName], findings: Findings
) -> list[Definition]:
    """The instances of a stage; none if it has no matrix, or one that is wrong."""
    node = stage.body.by_key.get(_KEY) if isinstance(stage.body, MappingNode) else None
    if node is None or is_null(node):
        return []
    combinations = read_matrix(Field(stage.name, _KEY, node, findings))
    each = stage.body.by_key.get(_EACH) if isinstance(stage.body, MappingNode) else None
    if each is not None and not is_null(each):
        hint = "remove one of the two; a loop in the script can go over the values of the other"
        findings.error(Code.NO_MEMBERS, f"{stage.name}: a stage with `matrix` cannot have `each`", each.place, hint=hint)
        return []
    if combinations is None:
        return []
    _report_taken(stage, combinations, places, by_variable, findings)
    found: dict[StageName, Definition] = {}
    for combination in combinations:
        one = _instance(stage, combination)
        known = found.get(one.stage.name)
        if known is None and one.stage.name not in places:
            found[one.stage.name] = one
            continue
        first = places[one.stage.name] if known is None else _place(known.axes.values())
        findings.error(
            Code.SAME_INSTANCE,
            f"{stage.name}: {'two combinations of the matrix have' if known else 'a stage and an instance have'} "
            f"the name `{one.stage.name}`",
            _place(one.axes.values()),
            hint="remove one of the two, or change a value: only characters that names can have make a difference",
            related=[Related("the first is here", first)],
        )
    return list(found.values())


def _place(axes: Iterable[Variable]) -> Place:
    return next(iter(axes)).place


def _report_taken(
    stage: StageDefinition,
    combinations: Sequence[Combination],
    places: Mapping[StageName, Place],
    by_variable: Mapping[str, StageName],
    findings: Findings,
) -> None:
    """DK084: a variable of the matrix is the variable of a stage's value."""
    written = {name: value.place for one in combinations for name, value in {**one.axes, **one.more}.items()}
    for name, place in written.items():
        taken = by_variable.get(name)
        if taken is not None:
            findings.error(
                Code.AXIS_TAKEN,
                f"{stage.name}: `{name}` is a variable of the matrix and the variable of the stage `{taken}`",
                place,
                hint="rename one of the two",
                related=[Related("the stage is here", places[taken])],
            )


def _instance(stage: StageDefinition, combination: Combination) -> Definition:
    values = {name: value.text for name, value in combination.axes.items()}
    instance = Instance(stage.name, instance_key(values.values()), values)
    all_values = {**combination.axes, **combination.more}
    axes = {name: Variable(name, LiteralValue(value.text), value.place) for name, value in all_values.items()}
    texts = {name: value.text for name, value in all_values.items()}
    return Definition(_changed(stage, instance.name, texts), instance, axes)


def _changed(stage: StageDefinition, name: StageName, values: Mapping[str, str]) -> StageDefinition:
    """The stage with another name and without its matrix, with these values in place of their variables."""
    key = Scalar(stage.key.path, stage.key.mark, name)
    if not isinstance(stage.body, MappingNode):
        return StageDefinition(key, stage.body)
    entries = {
        text: (written, expanded_node(node, values) if values and text in EXPANDED else node)
        for text, (written, node) in stage.body.by_text.items()
        if text != _KEY
    }
    return StageDefinition(key, MappingNode(stage.body.path, stage.body.mark, entries))
