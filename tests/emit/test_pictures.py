"""Mermaid, DOT and SVG: correct for any names, and what each of them shows."""

from __future__ import annotations

import json
import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html import unescape
from itertools import combinations

import pytest
from hypothesis import given

from dockercise_prefect.emit import FORMATS, Request
from dockercise_prefect.emit.drawing import LONGEST, drawing, shortened
from dockercise_prefect.emit.outline import outline
from dockercise_prefect.emit.svg import svg
from dockercise_prefect.pipeline import Dependency, DependencyKind, Pipeline, Stage
from tests.compiler.sources import compiled
from tests.emit.pictures import HOSTILE, requests

SVG = "{http://www.w3.org/2000/svg}"

# Our part of Mermaid's flowcharts: a text in quotes contains no quote, and nothing that begins an entity except entities.
_TEXT = r'"(?:[^"#<>&`\\\n]|#\d+;|<br/>)*"'
_NODE = re.compile(rf"n(\d+)(\[{_TEXT}\]|\[\[{_TEXT}\]\]|\(\[{_TEXT}\]\))(:::target)?")
_EDGE = re.compile(rf"n(\d+) (-->|-\.->)\|({_TEXT})\| n(\d+)")


def _mermaid(request: Request) -> str:
    return FORMATS["mermaid"].emit(request)


def _dot(request: Request) -> str:
    return FORMATS["dot"].emit(request)


def _every_kind() -> Request:
    text = """
base: {build: app, triggers: [app/**, "*.lock"]}
test: {img: base, run: x}
report: {img: y, env: test}
all: {after: [report, test]}
"""
    return Request(compiled(a=text), ["report"])


def _shown(text: str) -> list[str]:
    """The lines of a Mermaid label as a browser shows them."""
    return [unescape(re.sub(r"#(\d+);", r"&#\1;", line)) for line in text.split("<br/>")]


@given(requests())
def test_mermaid_is_what_its_grammar_takes(request_: Request) -> None:
    """For any names, every line is a node or an edge, and the labels show the exact names."""
    head, *lines = _mermaid(request_).split("flowchart TD\n")[1].split("\n    ") if request_.pipeline.stages else ["", ""]
    body = [head.strip(), *(line.rstrip("\n") for line in lines)]
    picture = drawing(request_)

    nodes = [found for line in body if (found := _NODE.fullmatch(line))]
    edges = [found for line in body if (found := _EDGE.fullmatch(line))]

    others = [line for line in body if line and not line.startswith("classDef ")]
    assert len(nodes) + len(edges) == len(others)
    assert [_shown(found[2].strip("[]()\n").strip('"')) for found in nodes] == [box.lines for box in picture.boxes]
    assert [(int(found[1]), int(found[4])) for found in edges] == [(arrow.source, arrow.target) for arrow in picture.arrows]


@given(requests())
def test_graphviz_takes_the_dot(request_: Request) -> None:
    """For any names, Graphviz reads the graph and finds the boxes, the arrows and the exact names."""
    done = subprocess.run(["dot", "-Tjson0"], input=_dot(request_).encode(), capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")
    graph = json.loads(done.stdout)
    picture = drawing(request_)
    labels = [unescape(node["label"]) for node in graph.get("objects", [])]
    assert labels == [r"\n".join(line.replace("\\", r"\\") for line in box.lines) for box in picture.boxes]
    assert len(graph.get("edges", [])) == len(picture.arrows)


@given(requests())
def test_svg_is_xml_that_holds_every_name(request_: Request) -> None:
    """For any names, the picture is well-formed, shows them, and loads nothing from elsewhere."""
    text = svg(request_)

    root = ET.fromstring(text)  # noqa: S314  our own text
    shown = [element.text for element in root.iter(f"{SVG}text") if element.get("class") == "name"]
    assert sorted(map(str, shown)) == sorted(shortened(box.name) for box in drawing(request_).boxes)
    assert re.fullmatch(r"0 0 \d+ \d+", root.get("viewBox") or "")
    assert not re.search(r"<script|href|@import|url\(", text)


def test_svg_tells_the_place_of_every_edge() -> None:
    """Each edge has a title with both stages, the kind, and the place where it was written."""
    titles = [str(title.text) for title in ET.fromstring(svg(_every_kind())).iter(f"{SVG}title")]  # noqa: S314  our own text

    assert any("report needs test: env (a.dockercise.yaml:4:23)" in title for title in titles)
    assert any("test needs base: img (inferred, a.dockercise.yaml:3:13)" in title for title in titles)


@pytest.mark.parametrize("emit", [_mermaid, _dot, svg])
def test_stages_of_different_kinds_differ_without_colour(emit: Callable[[Request], str]) -> None:
    """Running, building, joining and being a target differ by more than colour, and triggers are named."""
    text = re.sub(r"#[0-9a-f]{6}", "#", emit(_every_kind()))
    made = {name: _without_texts(_one(emit, name)) for name in ("base", "test", "report", "all")}

    assert "on app/**" in text or "on app/#42;#42;" in text
    assert [pair for pair in combinations(made, 2) if made[pair[0]] == made[pair[1]]] == []


def _one(emit: Callable[[Request], str], name: str) -> str:
    """A picture of only one stage, without colours."""
    request = _every_kind()
    stage = request.pipeline.by_name[name]
    alone = Stage(name="s", image=stage.image, build=stage.build, run=stage.run)
    return re.sub(r"#[0-9a-f]{6}", "#", emit(Request(Pipeline("p", [alone]), ["s"] if name == "report" else [])))


def _without_texts(text: str) -> str:
    """A picture without its texts and without everything that depends on their width."""
    return re.sub(r">[^<>\n]+<|(x|width|viewBox|label|aria-label)=(\"[^\"]*\")|\[?\"[^\"\n]*\"(?=\])", "", text)


@pytest.mark.parametrize(
    ("emit", "dashed"),
    [(_mermaid, "n0 -.->|"), (_dot, "style=dashed"), (svg, 'class="line inferred"')],
)
def test_inferred_edges_are_dashed_and_named(emit: Callable[[Request], str], dashed: str) -> None:
    """An edge that nobody wrote is dashed, and its kind is in brackets."""
    text = emit(_every_kind())

    assert dashed in text
    assert "(img)" in text


def test_one_arrow_for_two_kinds() -> None:
    """Two edges between the same stages are one arrow with both kinds, which is solid if one of them was written."""
    edges = (Dependency("a", DependencyKind.AFTER), Dependency("a", DependencyKind.ENV, inferred=True))
    request = Request(Pipeline("p", [Stage(name="a"), Stage(name="b", depends_on=edges)]))

    assert '    n0 -->|"after, (env)"| n1\n' in _mermaid(request)


def test_long_lines_lose_their_middle() -> None:
    """A line that is too long for the drawing keeps its beginning and its end."""
    line = shortened("registry.example/" + "x" * 80 + ":1.24")

    assert len(line) == LONGEST
    assert line.startswith("registry.example/")
    assert line.endswith(":1.24")


def test_five_hundred_stages_are_drawn() -> None:
    """A pipeline of 500 stages has a picture with every stage in it."""
    stages = [Stage(name="s0")]
    for index in range(1, 500):
        edges = tuple(Dependency(f"s{earlier}", DependencyKind.ENV) for earlier in {index // 2, index * 7 // 8} - {index})
        stages.append(Stage(name=f"s{index}", depends_on=edges))

    text = svg(Request(Pipeline("big", stages)))

    assert text.count('class="name"') == 500


def test_outline_says_what_each_comes_after() -> None:
    """The listing names each stage in order, the stages before it and why, and its triggers."""
    assert outline(_every_kind()).splitlines() == [
        "base    [on app/** and 1 more]",
        "test    after base (inferred img)",
        "report  after test (env)",
        "all     after report (after), test (after)",
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_outline_shows_nothing_that_moves_the_cursor(name: str) -> None:
    """For any names, the listing is printable, with one line per stage."""
    (line,) = outline(Request(Pipeline("p", [Stage(name=name)]))).splitlines()

    assert line.isprintable()
