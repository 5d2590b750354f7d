"""Variables from outside the run: where they are looked up, and their texts (LANGUAGE section 3, "Variables")."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from dockercise_prefect.errors import DefinitionError, Diagnostic, Place
from dockercise_prefect.pipeline import EACH_VARIABLE, HostVariable, LiteralValue, Pipeline, Stage, StageName, folded
from dockercise_prefect.pipeline.sources import is_secret_file
from dockercise_prefect.runtime.stage.variables import trouble_with

Lookup: TypeAlias = Callable[[str], str | None]
"""Returns the text of a variable by its exact name; None if it is not set. An empty text counts as set."""


@dataclass(frozen=True, slots=True)
class OutsideSource:
    """One source of variables from outside.

    Attributes:
        label: its name in messages.
        secret: whether its texts are secret.
        explicit: whether the user gave it for this run. Stages that only join others use only such sources.
    """

    label: str
    lookup: Lookup
    explicit: bool = False
    secret: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    text: str
    label: str
    secret: bool


@dataclass(frozen=True, slots=True)
class Outside:
    """The variables that stages get from outside.

    Attributes:
        variables: for each stage and service, from variable, or path of a secret file, to text. Optional ones that no source
            has are left out. A stage that only joins others has at most one variable, under its folded name.
        secret: for each stage that has any, the variables whose texts came from a source of secrets, and its secret files.
    """

    variables: Mapping[StageName, Mapping[str, str]]
    secret: Mapping[StageName, Sequence[str]]


@dataclass(frozen=True, slots=True)
class VariableTexts:
    """The texts of the variables of stages (`ports.Texts`).

    Attributes:
        pipeline: has the texts that are written in it.
        outside: the texts from outside, as `resolve_outside` found them.
        lines: for each member of a group, its line. Members are added while the run goes on.
    """

    pipeline: Pipeline
    outside: Mapping[StageName, Mapping[str, str]]
    lines: Mapping[StageName, str] = field(default_factory=dict)

    def of(self, stage: StageName) -> Mapping[str, str]:
        """All texts of one stage, by the names of the variables in its container."""
        known = self.pipeline.container(stage)
        written = {name: source.text for name, source in known.env.items() if isinstance(source, LiteralValue)}
        line = {EACH_VARIABLE: self.lines[stage]} if stage in self.lines else {}
        return {**written, **self.outside.get(known.declared_name, {}), **line}


def resolve_outside(pipeline: Pipeline, sources: Sequence[OutsideSource]) -> Outside:
    """The variables of every stage and service from outside, before anything starts.

    Each source, first to last, is asked for the name in upper case, then for the name as written. A source is asked for a name
    only once per run.

    Args:
        pipeline: only the stages that will run.
        sources: first to last.

    Raises:
        DefinitionError: a variable is not set in any source (DK050), or cannot be passed on (DK051). Has all such variables.
    """
    lookup = _Chain(sources)
    variables: dict[StageName, dict[str, str]] = {}
    secret: dict[StageName, list[str]] = defaultdict(list)
    findings: list[Diagnostic] = []
    for stage in pipeline.containers.values():
        variables[stage.name] = {}
        for variable, answer in _wanted(stage, lookup):
            if isinstance(answer, Diagnostic):
                findings.append(answer)
                continue
            variables[stage.name][variable] = answer.text
            if answer.secret or is_secret_file(variable):
                secret[stage.name].append(variable)
    if findings:
        raise DefinitionError(sorted(findings, key=_reading_order))
    return Outside(variables, secret)


class _Chain:
    """The sources, first to last. Remembers their answers, since some sources are slow to ask."""

    def __init__(self, sources: Sequence[OutsideSource]) -> None:
        self.explicit = functools.cache(lambda name: self._ask(name, [source for source in sources if source.explicit]))
        self.is_given = all(source.explicit or source.secret for source in sources)
        self.any = functools.cache(lambda name: self._ask(name, sources))

    def _ask(self, name: str, sources: Sequence[OutsideSource]) -> _Found | None:
        for source in sources:
            for spelling in dict.fromkeys((name.upper(), name)):
                text = source.lookup(spelling)
                if text is not None:
                    return _Found(spelling, text, source.label, source.secret)
        return None


def _wanted(stage: Stage, chain: _Chain) -> Iterator[tuple[str, _Found | Diagnostic]]:
    if stage.joins_only:
        variable = folded(stage.name)
        value = chain.explicit(variable) or chain.explicit(stage.name)
        if value is not None:
            yield variable, value
        return
    for variable, source in stage.env.items():
        if not isinstance(source, HostVariable):
            continue
        found = chain.any(source.name)
        if found is None:
            if not source.optional:
                yield variable, _unset(stage, source.name, is_given=chain.is_given)
            continue
        # `http_proxy` means HTTP_PROXY, or http_proxy if only that exists. A different variable name was given on purpose.
        actual = found.name if variable == source.name.upper() else variable
        trouble = None if is_secret_file(actual) else trouble_with(actual, found.text.encode("utf-8", "surrogateescape"))
        yield actual, found if trouble is None else _unfit(stage, found, trouble)


def _unset(stage: Stage, name: str, *, is_given: bool) -> Diagnostic:
    """The error for a variable that is not set. If only given variables are used, the hint does not say to set it."""
    upper = name.upper()
    why, do = ("which was not passed to it", "") if is_given else ("which is not set", f"set {upper}, ")
    hint = f"{do}pass `--env {upper}=…`, or write `{name}?` if it may be unset"
    return Diagnostic("DK050", f"{stage.name} needs the variable `{name}`, {why}", stage.place, hint=hint)


def _unfit(stage: Stage, found: _Found, trouble: str) -> Diagnostic:
    message = f"the variable `{found.name}` from {found.label} cannot be passed to {stage.name}: {trouble}"
    return Diagnostic("DK051", message, stage.place, hint="pass it as a file: `vol: code`, or a mounted folder")


def _reading_order(finding: Diagnostic) -> tuple[Place, str]:
    return finding.place or Place("", 0, 0), finding.message
