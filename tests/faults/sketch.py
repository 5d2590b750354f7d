"""Random pipelines: small, of all kinds of edges and ends, and with scripts that note what they did and saw.

A stage is a value that says how each attempt ends. It can be written as YAML for a real engine, where its script notes each
attempt in a file of the folder `/marks`. What a pipeline must do is in `truth`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HANGS = -1
"""In place of an exit code: the attempt does not end by itself."""

EDGES = ("after", "env", "vol", "on", "out", "img", "if", "unless")
ASKING = ("if", "unless")
ONCE = ("on", "img")
"""Edges that a stage can have only one of."""

MARKS = "/marks"
TIMEOUT = 2.0
"""The `timeout` of a stage that hangs, in seconds."""


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge to an earlier stage."""

    kind: str
    to: str

    @property
    def looks(self) -> bool:
        """Whether the stage sees bytes of the other one by it."""
        return self.kind in {"env", "vol", "on", "out", "img"}


@dataclass(frozen=True, slots=True)
class Sketch:
    """A stage.

    Attributes:
        ends: the exit code of each attempt, or `HANGS`; the last one is that of all later attempts.
        retries: how many attempts there may be after the first one.
    """

    name: str
    edges: tuple[Edge, ...] = ()
    ends: tuple[int, ...] = (0,)
    retries: int = 0
    when: str = "success"
    never_fail: bool = False
    no_log: bool = False

    def end_of(self, attempt: int) -> int:
        """How an attempt ends, counted from 1."""
        return self.ends[min(attempt, len(self.ends)) - 1]

    def says(self, attempt: int) -> str:
        """What an attempt prints, writes into its volume, and leaves in its image."""
        return f"{self.name}-{attempt}"


@dataclass(frozen=True, slots=True)
class Mark:
    """What the script of one attempt noted.

    Attributes:
        number: which attempt it was, according to the script.
        saw: for each edge by which it sees bytes, as `kind stage`, what it saw.
        ended: whether it came to its end.
    """

    number: int
    saw: Mapping[str, str]
    ended: bool


def sketched(chance: random.Random, most: int = 7) -> tuple[Sketch, ...]:
    """A random pipeline of at least two and at most `most` stages."""
    stages: list[Sketch] = []
    for number in range(chance.randint(2, most)):
        edges = _edges(chance, [stage.name for stage in stages])
        retries = chance.choice((0, 0, 0, 1, 2))
        ends = tuple(_end(chance) for _ in range(retries + 1))
        when = chance.choices(("success", "always", "failure"), (8, 1, 1))[0] if edges else "success"
        stages.append(
            Sketch(f"s{number}", edges, ends, retries, when, never_fail=chance.random() < 0.1, no_log=chance.random() < 0.1)
        )
    return tuple(stages)


def _edges(chance: random.Random, earlier: Sequence[str]) -> tuple[Edge, ...]:
    chosen: list[Edge] = []
    for name in chance.sample(earlier, min(len(earlier), chance.choice((0, 1, 1, 2, 3)))):
        kind = chance.choice(EDGES)
        if kind not in ONCE or all(edge.kind != kind for edge in chosen):
            chosen.append(Edge(kind, name))
    return tuple(chosen)


def _end(chance: random.Random) -> int:
    return chance.choices((0, chance.randint(1, 5), HANGS), (75, 22, 3))[0]


# As YAML.


def as_yaml(stages: Sequence[Sketch], image: str, marks: Path, timeout: float = TIMEOUT) -> str:
    """The pipeline's file.

    Args:
        stages: its stages.
        image: an image with a POSIX shell.
        marks: an empty folder of the engine's machine, in which scripts note what they did.
        timeout: of the stages that hang, in seconds.
    """
    return yaml.safe_dump({stage.name: _keys(stage, image, marks, timeout) for stage in stages}, sort_keys=False)


def _keys(stage: Sketch, image: str, marks: Path, timeout: float) -> dict[str, Any]:
    to: dict[str, list[str]] = {kind: [edge.to for edge in stage.edges if edge.kind == kind] for kind in EDGES}
    keys: dict[str, Any] = {"img": image, "run": _script(stage), "vol": [f"{marks}:{MARKS}", *to["vol"]]}
    keys |= {kind: to[kind] for kind in ("after", "env", *ASKING) if to[kind]}
    keys |= {kind: to[kind][0] for kind in ONCE if to[kind]}
    if HANGS in stage.ends:
        keys |= {"timeout": f"{timeout:g}s", "stopGrace": "1s"}
    if stage.retries:
        keys["retries"] = stage.retries
    if stage.when != "success":
        keys["when"] = stage.when
    return keys | ({"neverFail": True} if stage.never_fail else {}) | ({"noLog": True} if stage.no_log else {})


def _script(stage: Sketch) -> str:
    return "\n".join(_lines(stage)) + "\n"


def _lines(stage: Sketch) -> Iterator[str]:
    yield f"n=1; while [ -e {MARKS}/{stage.name}.$n ]; do n=$((n+1)); done; m={MARKS}/{stage.name}.$n; : >$m"
    for edge in stage.edges:
        if edge.looks:
            yield f'echo "saw {edge.kind} {edge.to}={_look(edge)}" >>$m'
    yield f'echo "{stage.name}-$n" | tee "$OUT/file" /left'
    yield "echo end >>$m"
    codes = "".join(f"{number}) {_exit(code)};; " for number, code in enumerate(stage.ends[:-1], 1))
    yield f"case $n in {codes}*) {_exit(stage.ends[-1])};; esac"


def _exit(code: int) -> str:
    return "sleep 60" if code == HANGS else f"exit {code}"


def _look(edge: Edge) -> str:
    if edge.kind == "env":
        return f"${edge.to.upper()}"
    path = {"vol": f"/{edge.to}/file", "on": "$OUT/file", "out": f"/out/{edge.to}", "img": "/left"}[edge.kind]
    return f"$(cat {path} 2>/dev/null || :)"


def marks_in(folder: Path) -> dict[str, list[Mark]]:
    """What the scripts of a run noted, for each stage, in order of attempts."""
    marks: dict[str, list[Mark]] = {}
    for file in folder.iterdir():
        name, _, number = file.name.rpartition(".")
        text = file.read_text(encoding="utf-8", errors="replace")
        saw = dict(re.findall(r"^saw (\w+ \w+)=(.*)$", text, re.MULTILINE))
        marks.setdefault(name, []).append(Mark(int(number), saw, "\nend\n" in f"\n{text}"))
    return {name: sorted(found, key=lambda mark: mark.number) for name, found in marks.items()}
