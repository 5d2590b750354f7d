"""What holds for every pipeline, tried on pipelines at random."""

from __future__ import annotations

import random
from collections.abc import Mapping

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dockercise_prefect.compiler import compile_sources
from dockercise_prefect.compiler.graph import circles, in_order
from dockercise_prefect.emit import FORMATS, Request
from dockercise_prefect.errors import DefinitionError, Diagnostic
from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.pipeline import Dependency, DependencyKind, Pipeline, Stage, from_json, to_json
from tests.compiler.strategies import Definition, as_yaml, definitions, pipeline_names

thorough = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

graphs = st.integers(1, 9).flatmap(
    lambda count: st.fixed_dictionaries(
        {f"s{index}": st.lists(st.sampled_from([f"s{other}" for other in range(count)]), max_size=3) for index in range(count)}
    )
)


def _compiled(files: Mapping[str, str], name: str = "test") -> Pipeline:
    return compile_sources([Source(path, text.encode()) for path, text in sorted(files.items())], name).pipeline


def _refusal(data: bytes) -> tuple[Diagnostic, ...] | None:
    """The findings about a file, None when it compiles."""
    try:
        compile_sources([Source("a.dockercise.yaml", data)], "test")
    except DefinitionError as error:
        return error.diagnostics
    return None


def _without_places(pipeline: Pipeline) -> Pipeline:
    data = to_json(pipeline)
    for stage in data["stages"].values():
        for edge in stage["depends_on"]:
            edge |= {"at": None, "inferred": False}
    return from_json(data)


def declared(text: str) -> object:
    """The pipeline of a compiled module, from its declarations alone: Prefect is not asked."""
    head, declarations = text.split("\nROOT = ", 1)
    imports = head[head.index("from dockercise_prefect.pipeline") :]
    namespace: dict[str, object] = {}
    exec(compile(imports + "\n#" + declarations.split("\n\n\n@flow")[0], "compiled.py", "exec"), namespace)  # noqa: S102  as above
    return namespace["pipeline"]


@thorough
@given(st.one_of(st.binary(), st.text().map(str.encode), st.text("ab:- {}[]&*!|>'\"%@`#,?\n\t\\<=~0").map(str.encode)))
def test_any_bytes_compile_or_are_refused(data: bytes) -> None:
    """Whatever a file holds, compiling gives a pipeline or a DefinitionError with findings, never another exception."""
    assert _refusal(data) != ()


@thorough
@given(st.text("ab:- {}[]&*!|>\n<=~01", max_size=80))
def test_any_value_of_any_key_compiles_or_is_refused(value: str) -> None:
    """Whatever is written as the value of a key is taken or refused with findings."""
    keys = ["img", "run", "env", "vol", "on", "after", "timeout", "memory", "triggers", "cpus"]
    text = "".join(f"s{index}: {{img: x, {key}: {value}}}\n" for index, key in enumerate(keys))

    assert _refusal(text.encode()) != ()


@thorough
@given(definitions(), st.randoms(use_true_random=False))
def test_digest_does_not_depend_on_files(definition: dict[str, Definition], chance: random.Random) -> None:
    """Spreading the stages over files of any names, in any order, leaves the digest as it is."""
    names = list(definition)
    chance.shuffle(names)
    cut = chance.randint(0, len(names))
    parts = {
        f"{path}.dockercise.yaml": {name: definition[name] for name in part}
        for path, part in zip(chance.sample(["a", "b/c", "z"], 2), (names[:cut], names[cut:]), strict=True)
    }

    one = _compiled({"a.dockercise.yaml": as_yaml(definition)})
    several = _compiled({path: as_yaml(part) for path, part in parts.items()}, name="other")

    assert several.digest == one.digest


@thorough
@given(definitions())
def test_order_respects_every_edge(definition: dict[str, Definition]) -> None:
    """Every stage stands after all the stages it needs, and none is lost."""
    pipeline = _compiled({"a.dockercise.yaml": as_yaml(definition)})

    position = {stage.name: index for index, stage in enumerate(pipeline)}
    assert position.keys() == definition.keys()
    assert all(position[edge.stage] < position[stage.name] for stage in pipeline for edge in stage.depends_on)


@thorough
@given(definitions())
def test_json_round_trip(definition: dict[str, Definition]) -> None:
    """A pipeline read back from its JSON is the same pipeline, digest included."""
    pipeline = _compiled({"a.dockercise.yaml": as_yaml(definition)})

    again = from_json(to_json(pipeline))

    assert again == pipeline
    assert again.digest == pipeline.digest


@thorough
@given(definitions(), pipeline_names)
def test_module_declares_the_compiled_pipeline(definition: dict[str, Definition], name: str) -> None:
    """The emitted module is Python, and its declarations give the pipeline it was made from, places of edges apart."""
    pipeline = _compiled({"a.dockercise.yaml": as_yaml(definition)}, name)

    text = FORMATS["python"].emit(Request(pipeline))

    compile(text, "compiled.py", "exec")
    again = declared(text)
    assert isinstance(again, Pipeline)
    assert _without_places(again) == _without_places(pipeline)
    assert again.digest == pipeline.digest


@thorough
@given(graphs)
def test_reported_circles_are_circles(graph: dict[str, list[str]]) -> None:
    """Each reported circle follows edges that there are, through different stages, back to where it began."""
    edges = {stage: [Dependency(other, DependencyKind.AFTER) for other in others] for stage, others in graph.items()}

    for circle in circles(edges):
        stages = [stage for stage, _ in circle]
        assert len(set(stages)) == len(stages)
        for (stage, edge), following in zip(circle, [*stages[1:], stages[0]], strict=True):
            assert edge in edges[stage]
            assert edge.stage == following


@thorough
@given(graphs)
def test_a_graph_is_ordered_or_has_a_circle(graph: dict[str, list[str]]) -> None:
    """All stages come out in order exactly when no circle is reported."""
    edges = {stage: [Dependency(other, DependencyKind.AFTER) for other in others] for stage, others in graph.items()}

    ordered = in_order(graph)

    assert (len(ordered) == len(graph)) == (not list(circles(edges)))


@thorough
@given(definitions())
def test_targets_are_kept_with_what_they_need(definition: dict[str, Definition]) -> None:
    """A target keeps all it needs, and nothing that it does not need."""
    pipeline = _compiled({"a.dockercise.yaml": as_yaml(definition)})

    for target in pipeline:
        kept = pipeline.only([target.name]).by_name
        assert all(name in kept for stage in kept.values() for name in stage.needs)
        assert all(_is_needed(stage.name, target, pipeline) for stage in kept.values())


def _is_needed(name: str, by: Stage, pipeline: Pipeline) -> bool:
    return name == by.name or any(_is_needed(name, pipeline.by_name[earlier], pipeline) for earlier in by.needs)
