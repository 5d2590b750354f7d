"""Edges that nobody wrote: what a stage's script names of other stages (LANGUAGE section 4)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TYPE_CHECKING

from dockercise_prefect.compiler.mounts import PlacedMount
from dockercise_prefect.compiler.names import IDENTIFIER, is_taken
from dockercise_prefect.compiler.shell.paths import absolute, in_out, in_relative_out
from dockercise_prefect.compiler.stages import Draft, env_edges, volume_edges
from dockercise_prefect.compiler.values import Script
from dockercise_prefect.compiler.variables import Variable
from dockercise_prefect.errors import Place
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.positions import Positions, occurrences
from dockercise_prefect.pipeline import (
    CODE,
    Code,
    CodeSnapshot,
    Dependency,
    DependencyKind,
    Mount,
    StageName,
    StageValue,
    StageVolume,
    folded,
)

if TYPE_CHECKING:
    from dockercise_prefect.compiler.shell.mentions import Mentions

_VARIABLES = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUOTES = re.compile(r"['\"\\]")
_PARTS = re.compile(r"[^\s/:\\\"'`$;|&()<>\[\]{}=,]+")


class References:
    """Completes stages by what their scripts name; one for a whole pipeline, since it knows every stage.

    Args:
        stages: the names of all stages.
        positions: find the place of a word in its file.
        findings: take what is not clear (DK041, DK042).
    """

    def __init__(self, stages: Iterable[StageName], positions: Positions, findings: Findings) -> None:
        self._positions = positions
        self._findings = findings
        self._stages = frozenset(stages)
        self._by_variable: dict[str, list[StageName]] = defaultdict(list)
        for stage in stages:
            variable = folded(stage)
            if IDENTIFIER.match(variable) and not is_taken(variable):
                self._by_variable[variable].append(stage)
        # Names with characters that a shell quotes are not found as parts of the text; there are few.
        self._odd = [_QUOTES.sub("", stage) for stage in self._stages if not _PARTS.fullmatch(stage)]

    def complete(self, draft: Draft, inherited: AbstractSet[str]) -> Draft:
        """The stage with the variables, mounts and edges that its script asks for and that nobody wrote.

        Args:
            draft: the stage as written.
            inherited: variables that `meta.env` gives it.
        """
        given = draft.env.keys() | inherited
        if draft.run is None or not self._may_name(draft.run.text, {*given, folded(draft.name)}):
            return draft
        from dockercise_prefect.compiler.shell.mentions import mentions  # noqa: PLC0415  most pipelines never need the grammar

        found = mentions(draft.run.text)
        script = _PlacedScript(draft.run, self._positions)
        variables = list(self._variables(draft, found, script, given | found.assigned))
        mounts = list(self._mounts(draft, found, script))
        outputs = list(self._outputs(draft, found, script))
        if not found.understood:
            self._warn_of_text(draft.name, draft.run)
        return replace(
            draft,
            env={**draft.env, **{variable.name: variable for variable in variables}},
            mounts=[*draft.mounts, *mounts],
            edges=[*draft.edges, *env_edges(variables), *volume_edges(mounts), *outputs],
        )

    def _may_name(self, script: str, given: AbstractSet[str]) -> bool:
        """Whether it is worth the parsing: where the text holds no name of a stage, or of its variable, it names none."""
        if "$" in script or "((" in script:
            names = self._by_variable.keys() & _VARIABLES.findall(script)
            if not names <= given:
                return True
        if "/" not in script:
            return False
        plain = _QUOTES.sub("", script)
        parts = {*_PARTS.findall(script), *_PARTS.findall(plain)}
        return CODE in parts or not self._stages.isdisjoint(parts) or any(stage in plain for stage in self._odd)

    def _variables(self, draft: Draft, found: Mentions, script: _PlacedScript, given: AbstractSet[str]) -> Iterator[Variable]:
        """Each variable that the script uses, neither has nor sets, and that is a stage's."""
        for name, use in found.uses.items():
            stages = [stage for stage in self._by_variable.get(name, ()) if stage != draft.name]
            if name in given or not stages:
                continue
            place = script.place(use.text, use.start)
            if len(stages) == 1:
                yield Variable(name, StageValue(stages[0]), place, inferred=True)
            else:
                self._findings.warn(
                    Code.SEVERAL_STAGES,
                    f"{draft.name}: `{use.text}` could be the value of {' or '.join(f'`{stage}`' for stage in stages)}",
                    place,
                    hint=f"say which one: `env: {{{name}: {{stage: {stages[0]}}}}}`",
                )

    def _mounts(self, draft: Draft, found: Mentions, script: _PlacedScript) -> Iterator[PlacedMount]:
        """The volumes, and the code, that the script names paths below, unless something is mounted there."""
        seen = {draft.name}
        for text in found.literals:
            for part in absolute(text.text):
                name = part.names[0]
                if not part.below or name in seen or (name not in self._stages and name != CODE):
                    continue
                if any(_leads_below(placed.mount.target, text.text, part.start) for placed in draft.mounts):
                    continue
                seen.add(name)
                source = CodeSnapshot() if name == CODE else StageVolume(name)
                place = script.place(part.prefix + name, text.bytes[part.start])
                yield PlacedMount(Mount(source, f"/{name}"), place, inferred=True)

    def _outputs(self, draft: Draft, found: Mentions, script: _PlacedScript) -> Iterator[Dependency]:
        """The stages whose output the script reads and to which no edge is written: any edge brings `/out/<stage>`."""
        seen = {draft.name, *(edge.stage for edge in draft.edges)}
        relative = draft.working_dir == "/"
        for text in found.literals:
            for part in (*in_out(text.text), *(in_relative_out(text.text) if relative else ())):
                name = next((name for name in part.names if name in self._stages), None)
                if name is None or name in seen:
                    continue
                seen.add(name)
                place = script.place(part.prefix + name, text.bytes[part.start])
                yield Dependency(name, DependencyKind.OUT, place, inferred=True)

    def _warn_of_text(self, stage: StageName, script: Script) -> None:
        self._findings.warn(
            Code.NOT_UNDERSTOOD,
            f"{stage}: the script is not understood as a shell's, so what it refers to was looked for in its text",
            script.parts[0][1],
            hint="`dockercise compile --format text` shows what was found; `meta: {implicit: false}` turns that off",
        )


class _PlacedScript:
    """A script whose words have places in a file."""

    def __init__(self, script: Script, positions: Positions) -> None:
        self._script = script
        self._positions = positions
        self._data = script.text.encode("utf-8", "surrogatepass")

    def place(self, piece: str, byte: int) -> Place:
        """Where the piece that begins at that byte of the script was written; where its text began, if that cannot be said."""
        index = len(self._data[:byte].decode("utf-8", "surrogatepass"))
        for text, place in self._script.parts:
            if index <= len(text):
                piece = _common_beginning(piece, text[index:])
                before = sum(1 for start in occurrences(piece, text) if start < index)
                return self._positions.of(piece, before, place)
            index -= len(text) + len("\n")
        raise ValueError(f"byte {byte} lies behind the script")


def _common_beginning(piece: str, text: str) -> str:
    """As much of a piece as the script writes as it is: quotes and backslashes may stand in it."""
    pairs = zip(piece, text, strict=False)
    return piece[: next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(piece), len(text)))]


def _leads_below(target: str, text: str, start: int) -> bool:
    """Whether the path that begins at `start` is `target` or below it."""
    end = start + len(target)
    return text.startswith(target, start) and (end == len(text) or text[end] in "/: \t\n" or target == "/")
