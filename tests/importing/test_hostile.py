"""Files that are wrong, strange or made to do harm."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dockercise_prefect.errors import DefinitionError, DockerciseError
from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.importing import Draft, Kind, imported
from tests.compiler.sources import compiled
from tests.importing.cases import case_names, file_of, kind_of

ODD: list[Any] = [
    *(None, True, 7, -1.5, "", " ", "text", "$", "${{", "${{ a.b }}", "<< parameters.x >>", "a\nb", "!x", "/(/", "\u2028"),
    *([], [[]], [None], ["a", {"b": "c"}], {}, {"a": None}, {"": ""}, {"name": "x"}, {"image": ["a"]}, "a" * 300),
    *({"if": "$A =~ /(/"}, {"from_secret": []}, {"max": {}}, {"matrix": {"A": [[], {}]}}, [{"run": {"command": []}}]),
]


def _imported(text: str, kind: Kind) -> Draft:
    return imported(Source("pipeline.yml", text.encode()), kind)


def _draft_of(text: str, kind: Kind) -> Draft | None:
    """The draft; None if the file was refused with a message."""
    try:
        return _imported(text, kind)
    except DockerciseError:
        return None


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in _places(each, (*path, key)))]


def _changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _changed(value[path[0]], path[1:], new)
    return copy


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Kind, str]:
    """A file of a golden case with odd values at a few places."""
    name = draw(st.sampled_from(case_names()))
    text = file_of(name).read_text().replace("!reference ", "")
    documents = list(yaml.load_all(text, Loader=yaml.BaseLoader))
    for _ in range(draw(st.integers(1, 3))):
        number = draw(st.integers(0, len(documents) - 1))
        place = draw(st.sampled_from(_places(documents[number])))
        documents[number] = _changed(documents[number], place, draw(st.sampled_from(ODD)))
    return kind_of(name), yaml.safe_dump_all(documents, sort_keys=False, width=200)


@pytest.mark.hypothesis
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_odd_values_give_a_finding_or_a_pipeline(given_file: tuple[Kind, str]) -> None:
    """A file with values that nobody expects is refused with a message, or its draft compiles."""
    kind, text = given_file
    draft = _draft_of(text, kind)

    assert draft is None or len(compiled(draft=draft.text)) > 0


@pytest.mark.hypothesis
@given(st.sampled_from(list(Kind)), st.recursive(st.sampled_from(["", "a", "run", "$A", None]), lambda inner: st.lists(inner) |
       st.dictionaries(st.sampled_from(["jobs", "steps", "script", "image", "on", "a"]), inner), max_leaves=20))  # fmt: skip
def test_any_shape_gives_a_finding_or_a_pipeline(kind: Kind, shape: Any) -> None:
    """A file of any shape is refused with a message, or its draft compiles."""
    draft = _draft_of(yaml.safe_dump(shape), kind)

    assert draft is None or len(compiled(draft=draft.text)) > 0


def _bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join([*lines, f"job: {{ image: a, script: *a{levels - 1} }}", ""])


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(_bomb(8), "DK005", id="aliases"),
        pytest.param("a: " + "[" * 200 + "]" * 200, "DK005", id="nesting"),
        pytest.param("a: b\n---\n" * 200, "DK005", id="documents"),
        pytest.param("- a\n- b\n", "DK008", id="list"),
        pytest.param("a: [", "DK003", id="no YAML"),
        pytest.param("a: *b", "DK003", id="unknown alias"),
        pytest.param("a: !python/object x", "DK006", id="tag"),
        pytest.param("a: \x07", "DK002", id="control character"),
    ],
)
def test_what_cannot_be_read_is_a_finding_with_its_place(kind: Kind, text: str, code: str) -> None:
    """What YAML or its limits forbid is a finding with a code and a place."""
    with pytest.raises(DefinitionError) as caught:
        _imported(text, kind)

    first = caught.value.diagnostics[0]
    assert (str(first.code), first.place is not None) == (code, True)


@pytest.mark.parametrize("kind", [Kind.GITLAB, Kind.WOODPECKER, Kind.CIRCLECI, Kind.GITHUB])
def test_repeated_scripts_are_limited(kind: Kind) -> None:
    """A few lines with aliases cannot stand for more text than fits in a file."""
    line = "x" * 200_000
    jobs = {
        Kind.GITLAB: "a: &a { image: a, script: [*t, *t, *t, *t] }\n" + "".join(f"b{n}: *a\n" for n in range(100)),
        Kind.WOODPECKER: "steps:\n  a: &a { image: a, commands: [*t, *t] }\n" + "".join(f"  b{n}: *a\n" for n in range(100)),
        Kind.CIRCLECI: "jobs:\n  a: { docker: [{ image: a }], steps: [ { run: *t }, { run: *t } ] }\nworkflows: { w: { jobs: ["
        + ", ".join(f"{{ a: {{ name: a{n} }} }}" for n in range(100)) + "] } }\n",
        Kind.GITHUB: "jobs:\n  a: &a { steps: [ { run: *t }, { run: *t } ] }\n" + "".join(f"  b{n}: *a\n" for n in range(100)),
    }  # fmt: skip

    with pytest.raises(DefinitionError) as caught:
        _imported(f"x-text: &t {line}\n{jobs[kind]}", kind)

    assert [str(finding.code) for finding in caught.value.diagnostics] == ["DK005"]


def test_jobs_that_wait_for_each_other_are_said() -> None:
    """A circle of `needs` is broken, and the table says where."""
    draft = _imported("a: { image: a, needs: [b], script: x }\nb: { image: a, needs: [a], script: x }\n", Kind.GITLAB)

    assert [note.text for note in draft.notes if note.what == "needs"] == ["`a` comes after this job"]
    assert len(compiled(draft=draft.text)) == 2


def test_jobs_that_extend_each_other_are_said() -> None:
    """A circle of `extends` is broken, and the table says where."""
    draft = _imported("a: { extends: b, image: a, script: x }\nb: { extends: a }\n", Kind.GITLAB)

    assert "`a` extends itself, or too many others" in [note.text for note in draft.notes]
