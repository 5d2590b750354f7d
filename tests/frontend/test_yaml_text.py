"""Nodes as YAML: the written text is read back as the same nodes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.frontend.document import read_document
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Mapping, Node, Position, Scalar, ScalarKind, Sequence
from dockercise_prefect.frontend.yaml_text import to_yaml

NOWHERE = "", Position(0, 0)

characters = st.characters(codec="utf-8", exclude_characters="\0\ufeff")
texts = st.one_of(
    st.text(characters, max_size=40),
    st.text("ab \n\t:#-'\"|>&*!%@`{}[],?~<=\\0.", max_size=30),
    st.lists(st.text("ab \t#:", max_size=6), min_size=2, max_size=6).map("\n".join),
    st.sampled_from([400, 600, 1500]).map(lambda length: "é" * length),
    st.sampled_from(["", "on", "yes", "No", "null", "~", "true", "1.10", "0x1F", "22:22", "<<", "=", "---", "...", "- a", "?",
                     "a: b", "a #b", "a:", "busybox:1", "\u2028", "\x85", "\r\n"]),
)  # fmt: skip


def _scalars(kind: ScalarKind, found: st.SearchStrategy[str]) -> st.SearchStrategy[Scalar]:
    return found.map(lambda text: Scalar(*NOWHERE, text, kind))


scalars = st.one_of(
    _scalars("text", texts),
    _scalars("null", st.sampled_from(["", "~", "null", "Null", "other: text"])),
    _scalars("bool", st.sampled_from(["true", "False", "TRUE", "other\ntext"])),
    _scalars(
        "number", st.sampled_from(["1", "-12", "1.10", "0x1F", "0o17", ".5", "+1", "-.inf", ".NaN", "1e3", "1.", "a # b"])
    ),
)


def mappings(values: st.SearchStrategy[Node]) -> st.SearchStrategy[Mapping]:
    """Mappings with any keys, each of them once."""
    entries = st.lists(st.tuples(scalars, values), max_size=4, unique_by=lambda entry: entry[0].text)
    return entries.map(lambda found: Mapping(*NOWHERE, {key.text: (key, value) for key, value in found}))


nodes: st.SearchStrategy[Node] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4).map(lambda items: Sequence(*NOWHERE, tuple(items))), mappings(inner)),
    max_leaves=12,
)


def _without_places(node: Node) -> object:
    match node:
        case Mapping():
            return [(key.text, key.kind, _without_places(value)) for key, value in node]
        case Sequence(items=items):
            return (*map(_without_places, items),)
        case Scalar(text=text, kind=kind):
            return text, kind


def _read(text: str) -> Mapping:
    findings = Findings()
    document = read_document(Source("f", text.encode()), findings)
    assert [str(finding) for finding in findings.in_order()] == [], text
    assert document is not None
    assert document.body is not None
    return document.body


@given(mappings(nodes).filter(lambda body: len(body.entries) > 0))
def test_what_is_written_is_read(body: Mapping) -> None:
    """Any document is read back as itself: keys and values in order, source texts and kinds."""
    text = to_yaml(body)

    assert _without_places(_read(text)) == _without_places(body)


def test_it_reads_like_written_by_hand() -> None:
    """Words are plain, scripts are blocks, look-alikes are quoted, and numbers stay as they were written."""
    written = (
        "x: &x {img: busybox:1, cpus: 0.50}\n"
        'a: {<<: *x, run: "echo a\\necho b\\n", env: [on, "1.10", X=1, yes], user: 1000, dir: null, vol: []}\n'
        "b:\n"
    )

    text = to_yaml(_read(written))

    assert text == (
        "x:\n  img: busybox:1\n  cpus: 0.50\n"
        'a:\n  img: busybox:1\n  cpus: 0.50\n  run: |\n    echo a\n    echo b\n  env:\n    - "on"\n    - "1.10"\n    - X=1\n'
        '    - "yes"\n  user: 1000\n  dir: null\n  vol: []\n'
        "b:\n"
    )


@pytest.mark.parametrize("end", ["", "\n", "\n\n\n"])
def test_a_script_keeps_its_end(end: str) -> None:
    """The line ends at the end of a script are kept, whether none, one or several, also in the last value."""
    script = f"if true; then\n\techo 'a: b' # c\n\n    echo\nfi{end}"
    body = Mapping(*NOWHERE, {"run": (Scalar(*NOWHERE, "run"), Scalar(*NOWHERE, script))})

    text = to_yaml(body)

    assert text.startswith("run: |")
    assert _without_places(_read(text)) == _without_places(body)
