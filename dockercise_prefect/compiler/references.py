"""Inferred edges: the stages that a stage's script refers to (LANGUAGE section 4)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from dockercise_prefect.compiler.drafts import Draft, env_edges, volume_edges
from dockercise_prefect.compiler.reading.mounts import PlacedMount
from dockercise_prefect.compiler.reading.names import IDENTIFIER, is_taken
from dockercise_prefect.compiler.reading.values import Script
from dockercise_prefect.compiler.reading.variables import NamedValues, Variable, of_the_run
from dockercise_prefect.compiler.spelling.misspelt import USED, Misspelt
from dockercise_prefect.errors import Place
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.positions import Positions, occurrences
from dockercise_prefect.pipeline import (
    CODE,
    EACH_VARIABLE,
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
from dockercise_prefect.pipeline.run_context import RUN_VARIABLES

if TYPE_CHECKING:
    from dockercise_prefect.compiler.shell.naming import Mentions

_VARIABLES = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUOTES = re.compile(r"\\\n|['\"\\]")
_PARTS = re.compile(r"[^\s/:\\\"'`$;|&()<>\[\]{}=,@*?!]+")


class _Path(NamedTuple):
    """The first path in a script that leads to a stage, and whether one of its paths certainly does."""

    piece: str
    position: int
    sure: bool


@dataclass(slots=True)
class _Paths:
    """What the paths of a script lead to.

    Attributes:
        volumes: stages, and the code, whose volumes the script uses.
        outputs: stages whose output it reads.
        aside: stages that its texts only mention, or whose folder it makes itself.
    """

    volumes: dict[StageName, _Path]
    outputs: dict[StageName, _Path]
    aside: dict[StageName, _Path]


class References:
    """Completes stages by what their scripts name. There is one for a whole pipeline, because it knows every stage.

    Args:
        stages: the names of all stages.
        positions: finds the place of a word in its file.
        findings: collects what is not clear (DK041, DK042).
        parameters: the parameters that can be named in a file.
    """

    def __init__(
        self,
        stages: Iterable[StageName],
        positions: Positions,
        findings: Findings,
        parameters: Callable[[str], NamedValues],
    ) -> None:
        self._parameters = parameters
        self._positions = positions
        self._findings = findings
        self._stages = frozenset(stages)
        self._by_variable: dict[str, list[StageName]] = defaultdict(list)
        for stage in stages:
            variable = folded(stage)
            if IDENTIFIER.match(variable) and not is_taken(variable):
                self._by_variable[variable].append(stage)
        self._meant: dict[str, str | None] = {}
        self._known: dict[tuple[str, str], Mentions] = {}  # instances of a stage usually have the same script
        # Names with characters that a shell quotes cannot be found as parts of the text. There are few of them.
        self._odd = [_QUOTES.sub("", stage) for stage in self._stages if not _PARTS.fullmatch(stage)]

    def complete(self, draft: Draft, inherited: AbstractSet[str]) -> Draft:
        """The stage with the variables, mounts and edges that are inferred from its script.

        Args:
            draft: the stage as written.
            inherited: variables that `meta.env` gives it.
        """
        if not draft.implicit:
            return draft
        given = draft.env.keys() | inherited | ({EACH_VARIABLE} if draft.each is not None else set())
        draft = self._with_folder(draft)
        if draft.run is None or not self._may_name(draft, given):
            return draft
        from dockercise_prefect.compiler.shell.mentions import mentions  # noqa: PLC0415  most pipelines never need the grammar

        key = draft.run.text, draft.working_dir
        if key not in self._known:
            self._known[key] = mentions(*key)
        found = self._known[key]
        script = _PlacedScript(draft.run, self._positions)
        paths = self._paths(draft, found)
        variables = [
            *self._variables(draft, found, script, given),
            *_of_the_run(found, script, given),
            *self._of_parameters(draft, found, script, given),
        ]
        mounts = [_mount(name, script.place(path.piece, path.position)) for name, path in paths.volumes.items()]
        outputs = [
            Dependency(name, DependencyKind.OUT, script.place(path.piece, path.position), inferred=True)
            for name, path in paths.outputs.items()
        ]
        self._warn(draft, found, paths, script)
        self._warn_of_slips(draft, found, script, given)
        return replace(
            draft,
            env={**draft.env, **{variable.name: variable for variable in variables}},
            mounts=[*draft.mounts, *mounts],
            edges=[*draft.edges, *env_edges(variables), *volume_edges(mounts), *outputs],
            guessed=frozenset(
                (kind, name)
                for kind, found_paths in ((DependencyKind.VOL, paths.volumes), (DependencyKind.OUT, paths.outputs))
                for name, path in found_paths.items()
                if not path.sure
            ),
        )

    def _may_name(self, draft: Draft, given: AbstractSet[str]) -> bool:
        """Whether to parse the script. This is not needed if its text holds no name of a stage or of a stage's variable."""
        script = draft.run.text if draft.run else ""
        plain = _QUOTES.sub("", script) if "\\" in script or '"' in script or "'" in script else script
        words = {*_VARIABLES.findall(script), *_VARIABLES.findall(plain)}
        if not words.isdisjoint(RUN_VARIABLES - given):
            return True
        if not (self._parameters(draft.place.path).by_variable.keys() - given).isdisjoint(words):
            return True
        names = self._by_variable.keys() & words
        if not names <= {*given, folded(draft.written_name)} or any(map(self._meant_by, USED.findall(script))):
            return True
        parts = {*_PARTS.findall(script), *_PARTS.findall(plain)}
        if "." in script:
            parts |= {part.rstrip(".") for part in parts}
        parts.discard(draft.written_name)
        return CODE in parts or not self._stages.isdisjoint(parts) or any(stage in plain for stage in self._odd)

    def _meant_by(self, variable: str) -> str | None:
        """The variable of a stage that a variable is a misspelling of, if it is not one itself."""
        if variable in self._by_variable:
            return None
        if variable not in self._meant:
            self._meant[variable] = self._misspelt.meant_by(variable)
        return self._meant[variable]

    @cached_property
    def _misspelt(self) -> Misspelt:
        return Misspelt(self._by_variable)

    def _with_folder(self, draft: Draft) -> Draft:
        """Add the edge of `dir`, because `dir: /build/app` is a path too."""
        name = draft.working_dir.split("/")[1]
        if draft.dir_place is None or name == draft.written_name or (name not in self._stages and name != CODE):
            return draft
        if any(_leads_below(placed.mount.target, draft.working_dir) for placed in draft.mounts):
            return draft
        mount = _mount(name, draft.dir_place)
        return replace(draft, mounts=[*draft.mounts, mount], edges=[*draft.edges, *volume_edges([mount])])

    def _variables(self, draft: Draft, found: Mentions, script: _PlacedScript, given: AbstractSet[str]) -> Iterator[Variable]:
        """Each variable of a stage that the script uses, but neither has nor sets."""
        for name, use in found.uses.items():
            stages = [stage for stage in self._by_variable.get(name, ()) if stage != draft.written_name]
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
                    hint=f"choose one: `env: {{{name}: {{stage: {stages[0]}}}}}`",
                )

    def _of_parameters(
        self, draft: Draft, found: Mentions, script: _PlacedScript, given: AbstractSet[str]
    ) -> Iterator[Variable]:
        """Each variable of a parameter that the script uses. A file that the script sources earlier may replace its text."""
        scope = self._parameters(draft.place.path)
        for name, use in (*found.uses.items(), *found.doubtful.items()):
            source = None if name in given else scope.source(name)
            if source is not None:
                yield Variable(name, source, script.place(use.text, use.start), inferred=True)

    def _paths(self, draft: Draft, found: Mentions) -> _Paths:
        """What the paths of a script lead to, unless something is mounted there."""
        from dockercise_prefect.compiler.shell.literals import Form  # noqa: PLC0415  as above
        from dockercise_prefect.compiler.shell.paths import mentioned  # noqa: PLC0415  as above

        paths = _Paths({}, {}, {})
        written = {edge.stage for edge in draft.edges}
        for literal in found.literals:
            for mention in mentioned(literal):
                known = self._stages if mention.is_output else self._stages | {CODE}
                name = next((name for name in mention.names if name in known), None)
                if name is None or name == draft.written_name or found.is_ignored(literal.position(mention.start)):
                    continue
                position = literal.position(mention.start)
                path = _Path(mention.prefix + name, position, literal.reading.sure)
                folder = f"/out/{name}" if mention.is_output else f"/{name}"
                if mention.is_output and name in written:
                    continue
                rest = literal.text[mention.start + len(mention.prefix) :]
                if not mention.is_output and any(_leads_below(each.mount.target, f"/{rest}") for each in draft.mounts):
                    continue
                if literal.reading.form is Form.ASIDE or found.made.get(folder, position + 1) <= position:
                    paths.aside.setdefault(name, path)
                    continue
                leads_to = paths.outputs if mention.is_output else paths.volumes
                first = leads_to.setdefault(name, path)
                if path.sure and not first.sure:
                    leads_to[name] = first._replace(sure=True)
        return paths

    def _warn(self, draft: Draft, found: Mentions, paths: _Paths, script: _PlacedScript) -> None:
        """Warn of what could not be known."""
        if not found.understood and draft.run:
            why, hint = _TOO_LONG if found.searched else _NO_SHELL
            self._findings.warn(Code.NOT_UNDERSTOOD, f"{draft.name}: the script {why}", draft.run.parts[0][1], hint=hint)
        for name, path in paths.aside.items():
            if name not in paths.volumes and name not in paths.outputs:
                self._findings.warn(
                    Code.NOT_MOUNTED,
                    f"{draft.name}: `run` names `{path.piece}`, but nothing is mounted there",
                    script.place(path.piece, path.position),
                    hint=(
                        f"if the script reads it, write `vol: {name}`; if not, write `# dockercise: ignore references` "
                        "on its line"
                    ),
                )
        for name, use in found.doubtful.items():
            stages = [stage for stage in self._by_variable.get(name, ()) if stage != draft.written_name]
            if stages and name not in draft.env:
                self._findings.warn(
                    Code.MAY_BE_SET,
                    f"{draft.name}: `{use.text}` is not read as the value of `{stages[0]}`, because a file that the script "
                    "sources earlier may set it",
                    script.place(use.text, use.start),
                    hint=(
                        f"if you mean the stage, write `env: {stages[0]}`; if not, write `# dockercise: ignore "
                        "references` on its line"
                    ),
                )

    def _warn_of_slips(self, draft: Draft, found: Mentions, script: _PlacedScript, given: AbstractSet[str]) -> None:
        for name, use in found.uses.items():
            meant = None if name in RUN_VARIABLES else self._meant_by(name)
            if meant is not None and name not in given and name not in found.assigned:
                self._findings.warn(
                    Code.MISSPELT,
                    f"{draft.name}: nothing sets `{name}`",
                    script.place(use.text, use.start),
                    hint=f"did you mean `{meant}`, the value of `{self._by_variable[meant][0]}`?",
                )


def _of_the_run(found: Mentions, script: _PlacedScript, given: AbstractSet[str]) -> Iterator[Variable]:
    """Each variable of the run that the script uses. A file that the script sources earlier may replace its text."""
    for name, use in (*found.uses.items(), *found.doubtful.items()):
        if name in RUN_VARIABLES and name not in given:
            yield Variable(name, of_the_run(name), script.place(use.text, use.start), inferred=True)


_NO_SHELL = (
    "is not valid shell, so some references to other stages may be missed",
    "look for an open quote, bracket, `if` or here-document; `dockercise explain STAGE` shows what was found",
)
_TOO_LONG = (
    "is too long or too deeply nested to be read as shell, so everything that looks like a reference to a stage counts as one",
    "move it into a file next to the pipeline, and run that: `sh /code/FILE`; `dockercise explain STAGE` shows what was found",
)


class _PlacedScript:
    """A script whose words have places in a file."""

    def __init__(self, script: Script, positions: Positions) -> None:
        self._script = script
        self._positions = positions

    def place(self, piece: str, index: int) -> Place:
        """The place of the piece that begins at that character; the place where its text begins, if that is not known."""
        for text, place in self._script.parts:
            if index <= len(text):
                piece = _common_beginning(piece, text[index : index + len(piece)])
                before = sum(1 for start in occurrences(piece, text, 0, index + len(piece)) if start < index)
                return self._positions.of(piece, before, place)
            index -= len(text) + len("\n")
        return self._script.parts[-1][1]


def _common_beginning(piece: str, text: str) -> str:
    """The beginning of a piece that is written unchanged in the script, which may contain quotes and backslashes."""
    pairs = zip(piece, text, strict=False)
    return piece[: next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(piece), len(text)))]


def _mount(name: StageName, place: Place) -> PlacedMount:
    return PlacedMount(Mount(CodeSnapshot() if name == CODE else StageVolume(name), f"/{name}"), place, inferred=True)


def _leads_below(target: str, path: str) -> bool:
    """Whether the path is `target` or below it; other text may follow the path."""
    return path.startswith(target) and (len(path) == len(target) or path[len(target)] in "/: \t\n\"'" or target == "/")
