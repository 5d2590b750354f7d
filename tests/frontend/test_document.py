"""How the text of a file becomes nodes with places."""

from __future__ import annotations

import pytest

from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.frontend.document import read_document
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar, Sequence


def _read(text: str) -> Mapping:
    findings = Findings()
    document = read_document(Source("f", text.encode()), findings)
    assert findings.in_order() == ()
    assert document is not None
    assert document.body is not None
    return document.body


def _plain(node: Node) -> object:
    match node:
        case Mapping():
            return {key.text: _plain(value) for key, value in node}
        case Sequence(items=items):
            return [_plain(item) for item in items]
        case Scalar(text=text):
            return text


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("", "null"), ("~", "null"), ("null", "null"), ("NULL", "null"), ("nil", "text"), ('""', "text"),
        ("true", "bool"), ("False", "bool"), ("yes", "text"), ("on", "text"), ("y", "text"), ("'true'", "text"),
        ("0", "number"), ("-12", "number"), ("0o17", "number"), ("0x1F", "number"), ("1.10", "number"), ("1e3", "number"),
        (".5", "number"), ("-.inf", "number"), (".NaN", "number"), ("1_000", "text"), ("22:22", "text"), ("0b1", "text"),
        ("2026-11-22", "text"), ("1.2.3", "text"), ("-", "text"), ("<<", "text"), ("=", "text"), ("nothing", "text"),
    ],
)  # fmt: skip
def test_scalars_follow_yaml_1_2(written: str, kind: str) -> None:
    """A plain scalar has the type of YAML 1.2's core schema."""
    value = _read(f"a: {written}\n" if written != "-" else "a: '-'\n").by_key["a"]

    assert isinstance(value, Scalar)
    assert value.kind == kind


def test_source_text_is_kept() -> None:
    """The text of a scalar is kept as it was written, whatever it looks like."""
    body = _read("a: [1.10, 010, 0x1F, TRUE, ~, 1e3, 'it''s', \"\\x41\\t\"]\n")

    assert _plain(body) == {"a": ["1.10", "010", "0x1F", "TRUE", "~", "1e3", "it's", "A\t"]}


def test_places_count_from_one() -> None:
    """A place is the line and column of the value's first character, also after characters of several bytes and CRLF."""
    body = _read("\ufeff# ☃\r\nkey: ☃🐳\r\n'ö': {b: c}\r\n")

    key, _ = body.entries[1]
    value = body.by_key["ö"]
    assert isinstance(value, Mapping)
    assert (str(body.by_key["key"].place), str(key.place), str(value.by_key["b"].place)) == ("f:2:6", "f:3:1", "f:3:10")


def test_merge_keys() -> None:
    """`<<` merges keys: own keys win, then those of the earlier mapping; a quoted `<<` is a normal key."""
    body = _read(
        "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\n"
        "one: {<<: *x, b: own}\nboth: {<<: [*x, *y]}\nchain: &z {<<: *x, d: 4}\nlast: {<<: *z, '<<': text}\n"
    )

    read = _plain(body)
    assert isinstance(read, dict)
    assert read["one"] == {"a": "1", "b": "own"}
    assert read["both"] == {"a": "1", "b": "1", "c": "2"}
    assert read["last"] == {"a": "1", "b": "1", "d": "4", "<<": "text"}


def test_merged_keys_keep_their_place() -> None:
    """A merged key has the place where it was written."""
    body = _read("x: &x\n  a: 1\none: {<<: *x}\n")

    one = body.by_key["one"]
    assert isinstance(one, Mapping)
    assert str(one.entries[0][0].place) == "f:2:3"


def test_merges_count_what_they_bring() -> None:
    """Merges that double a mapping again and again are refused before they fill the memory."""
    text = "x0: &x0 {" + ", ".join(f"k{index}: v" for index in range(1000)) + "}\n"
    text += "".join(f"x{index}: &x{index} {{<<: [{', '.join([f'*x{index - 1}'] * 20)}]}}\n" for index in range(1, 9))
    findings = Findings()

    document = read_document(Source("f", text.encode()), findings)

    assert document is None
    assert [str(finding.code) for finding in findings.in_order()] == ["DK005"]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused(opening: str) -> None:
    """A document with a depth of a hundred thousand is a finding and does not crash the interpreter."""
    findings = Findings()

    document = read_document(Source("f", (opening * 100_000).encode()), findings)

    assert document is None
    assert findings.failed


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "--- # nothing\n...\n", "null\n", "\ufeff"])
def test_a_document_may_say_nothing(text: str) -> None:
    """An empty file, a file of comments and a file with null have no body and no findings."""
    findings = Findings()

    document = read_document(Source("f", text.encode()), findings)

    assert document is not None
    assert document.body is None
    assert findings.in_order() == ()


def test_one_document_marker_is_no_second_document() -> None:
    """A file may begin with `---` and end with `...`."""
    assert _plain(_read("%YAML 1.2\n---\na: b\n...\n")) == {"a": "b"}


def test_line_ends_of_old_yaml_are_refused() -> None:
    """U+2028, which ends a line only for the YAML reader, is refused with its place."""
    findings = Findings()

    document = read_document(Source("f", "a: x\r\nb: x\u2028y\n".encode()), findings)

    assert document is None
    assert str(findings.in_order()[0]).startswith("f:2:5: DK002 the character U+2028")


@pytest.mark.parametrize(
    "text", ["a: [b", "a: {b: c", "a: 'b", "a: [b\n", "? ", "a: &", "a: {b: [c\n---\n", "a: b\n---", "%YAML"]
)
def test_places_lie_in_the_file(text: str) -> None:
    """A missing part at the end of a file has a place at its end, not on a line that does not exist."""
    findings = Findings()

    read_document(Source("f", text.encode()), findings)

    lines = text.split("\n")
    places = [finding.place for finding in findings.in_order() if finding.place]
    assert all(place.line <= len(lines) and place.column <= len(lines[place.line - 1]) + 1 for place in places)


def test_merge_conflicts_are_recognised() -> None:
    """The conflict marks of git in a file are reported at the first of them."""
    findings = Findings()

    document = read_document(Source("f", b"a:\n<<<<<<< HEAD\n  b: c\n=======\n  b: d\n>>>>>>> other\n"), findings)

    assert document is None
    assert [str(finding).split("\n")[0] for finding in findings.in_order()] == [
        "f:2:1: DK003 this is an unresolved merge conflict"
    ]
