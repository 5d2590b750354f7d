"""The contents of a folder as the one document of a package."""

from __future__ import annotations

from dockercise_prefect.compiler import compile_sources
from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.merge import read_part
from dockercise_prefect.frontend.packaging import packaged
from dockercise_prefect.frontend.yaml_text import to_yaml
from tests.compiler.sources import sources


def _packaged(**files: str) -> str:
    findings = Findings()
    text = to_yaml(packaged(read_part(sources(**files), findings), findings))
    assert findings.in_order() == ()
    return text


def test_several_files_become_one_document() -> None:
    """The joined `meta` of all files comes first, then the stages in order; anchors are resolved and their holders removed."""
    text = _packaged(
        a="meta: {tags: one, subgraphs: base, env: X=1}\nx-h: &h {img: x}\nb: *h\n",
        b="meta: {tags: [two], subgraphs: [more], env: [Y=2], defaults: {timeout: 1m}}\na: {img: z}\n",
    )

    assert text == (
        "meta:\n  tags:\n    - one\n    - two\n  subgraphs:\n    - base\n    - more\n"
        "  defaults:\n    timeout: 1m\n  env:\n    - X=1\n    - Y=2\nb:\n  img: x\na:\n  img: z\n"
    )


def test_mappings_of_variables_are_joined() -> None:
    """`meta.env` as a mapping in two files is one mapping; a variable that both set to the same is in it once."""
    text = _packaged(a='meta: {env: {A: "1", B: 2}}\n', b='meta: {env: {A: "1", C: {stage: s}}}\n')

    assert text == 'meta:\n  env:\n    A: "1"\n    B: 2\n    C:\n      stage: s\n'


def test_the_name_stays_at_home() -> None:
    """The folder's `meta.name` is not in the document, since it would rename or contradict the pipelines that use it."""
    assert _packaged(a="meta: {name: tools}\na: {img: x}\n") == "a:\n  img: x\n"


def test_variables_in_two_forms_are_refused() -> None:
    """A `meta.env` that is a list in one file and a mapping in another is an error with both places."""
    findings = Findings()

    packaged(read_part(sources(a="meta: {env: A=1}\n", b="meta: {env: {B: 2}}\n"), findings), findings)

    (found,) = findings.in_order()
    assert (found.code, str(found.place)) == ("DK011", "b.dockercise.yaml:1:13")
    assert [str(related.place) for related in found.related] == ["a.dockercise.yaml:1:13"]


def test_a_packaged_pipeline_is_the_same_pipeline() -> None:
    """The digest is the same whether the document or the files are compiled."""
    files = {
        "a": "meta: {env: [LEVEL=1.10], defaults: {img: x}}\nbuild: {run: [make, make test], cpus: 0.5}\n",
        "b": "test:\n  env: {V: {stage: build}}\n  vol: code\n  neverFail: true\n  run: |\n    echo on\n\n    echo off\n",
    }

    document = Source("p", _packaged(**files).encode())

    assert compile_sources([document], "test").pipeline.digest == compile_sources(sources(**files), "test").pipeline.digest
