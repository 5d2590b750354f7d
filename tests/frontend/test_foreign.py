"""Files that were written for another program."""

from __future__ import annotations

import pytest

from dockercise_prefect.compiler.keys import STAGE
from dockercise_prefect.compiler.spelling.keys_of_other_tools import hint_for_key
from dockercise_prefect.frontend.foreign import OF_OTHERS, OF_STAGES
from tests.compiler.sources import codes, compiled, findings


def test_every_key_of_a_stage_is_known() -> None:
    """The list of keys that identify a stage has the same keys as the compiler."""
    assert frozenset(STAGE) == OF_STAGES


@pytest.mark.parametrize(
    "text",
    [
        "a: {}\nb: {}\n",
        "a:\nb:\n",
        "a: {noLog: true}\nb: {triggers: x}\n",
        "meta: {defaults: {img: x}}\na: {network: none}\nb: {memory: 1g, cpus: 2}\n",
        "x-a: 1\n.b: [1]\n",
        "services: {img: x}\n",
    ],
)
def test_a_pipeline_is_never_foreign(text: str) -> None:
    """A correct pipeline is recognised, however little its stages contain."""
    compiled(a=text)


@pytest.mark.parametrize("text", ["a: {b: c}\nd: {e: f}\n", "on: push\njobs: {build: {steps: []}}\n", "a: 1\nb: [2]\n"])
def test_a_foreign_file_is_one_finding(text: str) -> None:
    """A file without anything that can be a stage is one finding, and hides nothing in other files."""
    assert codes(a=text, b="c: {img: x, after: nothing}\n") == ["DK015"]
    assert codes(a=text) == ["DK015"]


@pytest.mark.parametrize("key", sorted(OF_OTHERS))
def test_stages_as_other_programs_write_them_are_told_key_by_key(key: str) -> None:
    """If all stages have the keys of another program, each key is a finding with its name here."""
    text = f"a: {{{key}: x}}\nb: {{{key}: y}}\n"

    assert [(finding.code, finding.hint) for finding in findings(a=text)] == [("DK021", hint_for_key(key))] * 2
