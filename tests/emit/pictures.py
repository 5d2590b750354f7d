"""Random pipelines for pictures: any names, any edges to earlier stages."""

from __future__ import annotations

from hypothesis import strategies as st

from dockercise_prefect.emit import Request
from dockercise_prefect.pipeline import Dependency, DependencyKind, ImageReference, Pipeline, Stage

HOSTILE = [
    '"',
    "\\",
    "☃",
    "<b>&amp;",
    "]]",
    "a\u202eb",
    "אב",
    "`x`",
    "%%{init}%%",
    "#35;",
    "--",
    "end",
    "n0",
    "_a_",
    "$$x$$",
    "{",
    "|",
]
"""Names that have a meaning in one format or another."""

names = st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=12))


@st.composite
def requests(draw: st.DrawFn, most: int = 12) -> Request:
    """A pipeline to draw, with or without targets."""
    chosen = draw(st.lists(names, unique=True, max_size=most))
    stages = []
    for index, name in enumerate(chosen):
        earlier = draw(st.lists(st.sampled_from(chosen[:index]), unique=True, max_size=4)) if index else []
        kinds = st.tuples(st.sampled_from(DependencyKind), st.booleans())
        edges = [Dependency(other, kind, inferred=inferred) for other in earlier for kind, inferred in [draw(kinds)]]
        image = draw(st.none() | st.builds(ImageReference, names))
        triggers = tuple(draw(st.lists(names, max_size=2)))
        stages.append(Stage(name=name, image=image, depends_on=tuple(edges), triggers=triggers))
    targets = draw(st.lists(st.sampled_from(chosen), unique=True, max_size=2)) if chosen else []
    return Request(Pipeline(draw(names), stages), targets)
