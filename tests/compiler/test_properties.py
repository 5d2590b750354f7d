"""What is true for every pipeline, tested with random pipelines."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from dockercise_prefect.compiler import compile_sources
from dockercise_prefect.compiler.graph import cycles, in_order
from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.pipeline import Dependency, DependencyKind, Pipeline, Stage
from dockercise_prefect.pipeline.as_json.stages import meaning_of
from tests.compiler.invariants import check_file, check_pipeline
from tests.compiler.strategies import (
    Definition,
    as_yaml,
    changed_files,
    definitions,
    documents,
    flow_style,
    pipeline_names,
    settings_of_meta,
)

graphs = st.integers(1, 9).flatmap(
    lambda count: st.fixed_dictionaries(
        {f"s{index}": st.lists(st.sampled_from([f"s{other}" for other in range(count)]), max_size=3) for index in range(count)}
    )
)


def _compiled(files: Mapping[str, str], name: str = "test") -> Pipeline:
    return compile_sources([Source(path, text.encode()) for path, text in sorted(files.items())], name).pipeline


@given(
    st.one_of(
        st.binary(), st.text().map(str.encode), st.text("ab:- {}[]&*!|>'\"%@`#,?\n\t\\<=~0").map(str.encode), changed_files
    )
)
def test_any_bytes_compile_or_are_refused(data: bytes) -> None:
    """Whatever a file contains, compiling gives a pipeline or a DefinitionError whose places are in the file."""
    check_file(data)


@given(documents)
def test_any_document_compiles_or_is_refused(document: object) -> None:
    """Any nesting of mappings, lists and texts, with keys of stages, is accepted or refused with findings."""
    check_file(flow_style(document).encode())


@given(st.text("ab:- {}[]&*!|>\n<=~01", max_size=80))
def test_any_value_of_any_key_compiles_or_is_refused(value: str) -> None:
    """Any value of any key is accepted or refused with findings."""
    keys = ["img", "run", "env", "vol", "on", "after", "timeout", "memory", "triggers", "cpus"]
    text = "".join(f"s{index}: {{img: x, {key}: {value}}}\n" for index, key in enumerate(keys))

    check_file(text.encode())


@given(settings_of_meta, st.randoms(use_true_random=False))
def test_digest_does_not_depend_on_the_order_of_meta(parts: list[Definition], chance: random.Random) -> None:
    """Files that each add to `meta` give the same digest whatever their names and their order are."""
    stages = Source("s.dockercise.yaml", b"a: {img: x}\nb: {img: x, on: a}\n")
    texts = [f"meta: {flow_style(part)}\n".encode() for part in parts]
    files = [stages, *(Source(f"m{index}.dockercise.yaml", text) for index, text in enumerate(texts))]
    shuffled = chance.sample(files, len(files))

    assert compile_sources(shuffled, "test").pipeline.digest == compile_sources(files, "test").pipeline.digest


@given(definitions(), st.randoms(use_true_random=False))
def test_digest_does_not_depend_on_files(definition: dict[str, Definition], chance: random.Random) -> None:
    """Stages in files of any names and in any order give the same digest."""
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


@given(definitions())
def test_order_respects_every_edge(definition: dict[str, Definition]) -> None:
    """Every stage comes after all the stages that it needs, and none is lost."""
    pipeline = _compiled({"a.dockercise.yaml": as_yaml(definition)})

    position = {stage.name: index for index, stage in enumerate(pipeline)}
    assert position.keys() == definition.keys()
    assert all(position[edge.stage] < position[stage.name] for stage in pipeline for edge in stage.depends_on)


@given(definitions(), pipeline_names)
def test_everything_written_says_the_same(definition: dict[str, Definition], name: str) -> None:
    """JSON can be read back and is indented like that of the standard library; the module declares the same pipeline."""
    pipeline = _compiled({"a.dockercise.yaml": as_yaml(definition)}, name)

    check_pipeline(pipeline)


@given(definitions())
def test_digest_is_over_the_meaning(definition: dict[str, Definition]) -> None:
    """The digest is computed from the meaning of every stage, as JSON with sorted keys."""
    pipeline = _compiled({"a.dockercise.yaml": as_yaml(definition)})

    stages = {stage.name: meaning_of(stage) for stage in pipeline}
    meaning = {"secrets": sorted(pipeline.secrets), "tags": sorted(pipeline.tags), "stages": stages}
    text = json.dumps(meaning, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert pipeline.digest == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@settings(max_examples=3)
@given(
    st.lists(
        st.sampled_from(["'", '"', "\\", "\n", '"""', "\u202e", "\u05d0", "$A", " \n", "\t", "\r\n", "\x1b", "é🐳"]), min_size=1
    )
)
def test_huge_scripts_arrive_whole(pieces: list[str]) -> None:
    """A script of a million difficult characters is in the JSON and in the module as it was written."""
    text = "".join(pieces)
    script = "x" + text * (1_000_000 // len(text))

    pipeline = _compiled({"a.dockercise.yaml": f"a: {{img: x, run: {_in_ascii(script)}}}\n"})

    assert pipeline.by_name["a"].run == script
    check_pipeline(pipeline)


@given(graphs)
def test_reported_cycles_are_cycles(graph: dict[str, list[str]]) -> None:
    """Each reported cycle follows existing edges through different stages back to its beginning."""
    edges = {stage: [Dependency(other, DependencyKind.AFTER) for other in others] for stage, others in graph.items()}

    for cycle in cycles(edges):
        stages = [stage for stage, _ in cycle]
        assert len(set(stages)) == len(stages)
        for (stage, edge), following in zip(cycle, [*stages[1:], stages[0]], strict=True):
            assert edge in edges[stage]
            assert edge.stage == following


@given(graphs)
def test_a_graph_is_ordered_or_has_a_cycle(graph: dict[str, list[str]]) -> None:
    """Either all stages are ordered or a cycle is reported, never both."""
    edges = {stage: [Dependency(other, DependencyKind.AFTER) for other in others] for stage, others in graph.items()}

    ordered = in_order(graph)

    assert (len(ordered) == len(graph)) == (not list(cycles(edges)))


@given(definitions())
def test_targets_are_kept_with_what_they_need(definition: dict[str, Definition]) -> None:
    """A target keeps everything that it needs, and nothing else."""
    pipeline = _compiled({"a.dockercise.yaml": as_yaml(definition)})

    for target in pipeline:
        kept = pipeline.only([target.name]).by_name
        assert all(name in kept for stage in kept.values() for name in stage.needs)
        assert all(_is_needed(stage.name, target, pipeline) for stage in kept.values())


def _in_ascii(text: str) -> str:
    """A text in YAML's double quotes."""
    escaped = text.encode("unicode_escape").decode("ascii").replace('"', r"\"")
    return f'"{escaped}"'


def _is_needed(name: str, by: Stage, pipeline: Pipeline) -> bool:
    return name == by.name or any(_is_needed(name, pipeline.by_name[earlier], pipeline) for earlier in by.needs)
