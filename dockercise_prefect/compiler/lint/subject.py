"""What lint rules check: a pipeline that compiles, and how it was written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from dockercise_prefect.compiler.compile import Origin
from dockercise_prefect.compiler.reading.values import Field, boolean
from dockercise_prefect.compiler.shell.commands import Command, commands_of
from dockercise_prefect.compiler.shell.expansions import TooDeepError
from dockercise_prefect.compiler.shell.script import Script, read
from dockercise_prefect.errors import Place
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar, Sequence, is_null
from dockercise_prefect.frontend.positions import Positions
from dockercise_prefect.pipeline import Pipeline, Stage, StageName
from dockercise_prefect.pipeline.shells import is_posix_shell

_LINE_END = re.compile(r"\r\n|\r|\n")

DEFAULTS = "meta.defaults"


class Written(NamedTuple):
    """A value of a key, and its owner: a stage, `meta` or `meta.defaults`."""

    owner: str
    node: Node


class Subject:
    """A pipeline for the rules to check. A script is parsed once, and only if a rule asks for it.

    Attributes:
        pipeline: the pipeline to check.
        positions: finds places in the files of the pipeline.
        lines: the lines of each file, by its path.
    """

    def __init__(self, pipeline: Pipeline, origin: Origin) -> None:
        self.pipeline = pipeline
        self._document = origin.document
        self.positions = Positions(self._document.texts)
        self.lines = {path: _LINE_END.split(text) for path, text in self._document.texts.items()}
        self._scripts: dict[str, Script | None] = {}

    def script(self, stage: Stage) -> Script | None:
        """The stage's script; None if it has no script, one with too deep nesting, or one for another kind of shell."""
        if stage.script is None or not is_posix_shell(stage.shell):
            return None
        if stage.script not in self._scripts:
            try:
                self._scripts[stage.script] = read(stage.script)
            except TooDeepError:
                self._scripts[stage.script] = None
        return self._scripts[stage.script]

    def commands(self, stage: Stage) -> tuple[Command, ...] | None:
        """The commands of the stage's script; None if it has no script, or one that is not understood."""
        script = self.script(stage)
        return commands_of(script) if script is not None else None

    def written(self, stage: Stage, key: str) -> Written | None:
        """The stage's own value of a key, or else the inherited value; None if nothing was written."""
        body = self._bodies.get(stage.written_name, {})
        if key in body:
            return None if is_null(body[key]) else Written(stage.written_name, body[key])
        inherited = self._defaults.get(key)
        return None if inherited is None or is_null(inherited) else Written(DEFAULTS, inherited)

    def infers(self, stage: Stage) -> bool:
        """Whether the compiler looks for other stages' names in the stage's script."""
        if stage.entrypoint is not None or not is_posix_shell(stage.shell):
            return False
        _, general = self._document.meta.get("implicit", (None, None))
        own = self._bodies.get(stage.written_name, {}).get("implicit")
        node = general if own is None or is_null(own) else own
        return node is None or is_null(node) or boolean(Field(stage.name, "implicit", node, Findings())) is not False

    def environments(self) -> Iterator[Written]:
        """Every `env`, those of `meta` first."""
        yield from (Written("meta", node) for node in self._document.meta_env if not is_null(node))
        for name in dict.fromkeys(stage.written_name for stage in self.pipeline):
            own = self._bodies.get(name, {}).get("env")
            if own is not None and not is_null(own):
                yield Written(name, own)

    def script_place(self, stage: Stage, offset: int) -> Place | None:
        """The place of a character of the stage's script. A script that is a list is its items joined by newlines."""
        written = self.written(stage, "run")
        if written is None:
            return stage.place
        for scalar in scalars(written.node):
            if offset <= len(scalar.text):
                return self.positions.within(scalar.text, offset, scalar.place)
            offset -= len(scalar.text) + 1
        return written.node.place

    @cached_property
    def _bodies(self) -> dict[StageName, dict[str, Node]]:
        return {stage.name: stage.body.by_key for stage in self._document.stages if isinstance(stage.body, Mapping)}

    @cached_property
    def _defaults(self) -> dict[str, Node]:
        _, node = self._document.meta.get("defaults", (None, None))
        return node.by_key if isinstance(node, Mapping) else {}


def scalars(node: Node) -> Iterator[Scalar]:
    """The scalars of a value that is a text or a list of texts."""
    for item in node.items if isinstance(node, Sequence) else (node,):
        if isinstance(item, Scalar):
            yield item
