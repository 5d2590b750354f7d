"""When a job runs, in one form for all systems: the conditions of `when` as far as possible, else a script that is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from shlex import quote
from typing import TypeAlias

from dockercise_prefect.compiler.triggers import globs_problem

VARIABLES = {"branch": "DOCKERCISE_BRANCH", "tag": "DOCKERCISE_TAG", "event": "DOCKERCISE_EVENT"}
"""What a script asks in place of a key of `when`."""

EVENTS = ("push", "tag", "pull_request", "schedule", "manual")


@dataclass(frozen=True, slots=True)
class Matches:
    """One condition of `when`: `branch`, `tag`, `event` or `changed`. The last pattern that matches decides; `!` excludes."""

    key: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Test:
    """A command of a shell whose exit code is the answer, and the variables that it uses."""

    __test__ = False

    script: str
    variables: tuple[str, ...] = ()
    needs_code: bool = False


@dataclass(frozen=True, slots=True)
class All:
    """Holds if all parts hold."""

    parts: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds if one of the parts holds."""

    parts: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    """Holds if the part does not."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Unknown:
    """A condition that cannot be written here."""

    text: str


Condition: TypeAlias = Matches | Test | All | AnyOf | Not | Unknown

ALWAYS = All()
NEVER = AnyOf()


def all_of(parts: Iterable[Condition]) -> Condition:
    """A condition that holds if all of these hold, without parts that always hold."""
    found: dict[Condition, None] = {}
    for part in parts:
        found |= dict.fromkeys(part.parts if isinstance(part, All) else (part,))
    if NEVER in found:
        return NEVER
    return next(iter(found)) if len(found) == 1 else All(tuple(found))


def any_of(parts: Iterable[Condition]) -> Condition:
    """A condition that holds if one of these holds, without parts that never hold."""
    found: dict[Condition, None] = {}
    for part in parts:
        found |= dict.fromkeys(part.parts if isinstance(part, AnyOf) else (part,))
    if ALWAYS in found:
        return ALWAYS
    if len(found) == 1:
        return next(iter(found))
    keys = {part.key for part in found if isinstance(part, Matches) and not _excludes(part)}
    if found and len(keys) == 1 and all(isinstance(part, Matches) and not _excludes(part) for part in found):
        patterns = dict.fromkeys(pattern for part in found if isinstance(part, Matches) for pattern in part.patterns)
        return Matches(keys.pop(), tuple(patterns))
    return AnyOf(tuple(found))


def negated(part: Condition) -> Condition:
    """A condition that holds if this one does not."""
    if part == ALWAYS:
        return NEVER
    if part == NEVER:
        return ALWAYS
    if isinstance(part, Not):
        return part.part
    if isinstance(part, Matches) and part.key == "event" and set(part.patterns) <= set(EVENTS):
        return Matches("event", tuple(event for event in EVENTS if event not in part.patterns))
    return Not(part)


def parts_of(condition: Condition) -> frozenset[Condition]:
    """The conditions that must all hold."""
    return frozenset(condition.parts if isinstance(condition, All) else (condition,))


@dataclass(slots=True)
class Wanted:
    """A condition in the words of a stage.

    Attributes:
        when: conditions of `when`.
        questions: scripts whose exit codes are the answers.
        unknown: what cannot be said; then the stage must only be started by hand.
    """

    when: dict[str, tuple[str, ...]] = field(default_factory=dict)
    questions: list[Test] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def script(self) -> str | None:
        """The whole condition as a script; None if it cannot be said."""
        matches = [Matches(key, patterns) for key, patterns in self.when.items()]
        if self.unknown or any(match.key not in VARIABLES for match in matches):
            return None
        return " && ".join([*map(_match_script, matches), *(question.script for question in self.questions)]) or "true"


def wanted(condition: Condition) -> Wanted:
    """Split a condition into what `when` can say, and what a script must be asked."""
    found = Wanted()
    if condition == NEVER:
        found.unknown.append("never")
        return found
    for part in condition.parts if isinstance(condition, All) else (condition,):
        if isinstance(part, Matches) and part.key not in found.when and _is_usable(part):
            found.when[part.key] = part.patterns
            continue
        unknown = list(_unknown(part))
        if unknown:
            found.unknown += unknown
        else:
            variables: dict[str, None] = dict.fromkeys(_variables(part))
            found.questions.append(Test(_script(part), tuple(variables), any(_needs_code(part))))
    return found


def _is_usable(part: Matches) -> bool:
    """Whether `when` can have the patterns as they are."""
    if part.key == "event":
        return bool(part.patterns)
    plain = all(pattern.removeprefix("!").strip() == pattern.removeprefix("!") != "" for pattern in part.patterns)
    including = any(not pattern.startswith("!") for pattern in part.patterns)
    return plain and including and all(map(str.isprintable, part.patterns)) and globs_problem(part.patterns) is None


def _excludes(part: Matches) -> bool:
    return any(pattern.startswith("!") for pattern in part.patterns)


def _unknown(part: Condition) -> Iterator[str]:
    match part:
        case Unknown(text):
            yield text
        case Matches("changed", patterns):
            yield f"changed: {', '.join(patterns)}"
        case All(parts) | AnyOf(parts):
            for each in parts:
                yield from _unknown(each)
        case Not(inner):
            yield from _unknown(inner)


def _variables(part: Condition) -> Iterator[str]:
    match part:
        case Matches(key):
            yield VARIABLES[key]
        case Test(_, variables):
            yield from variables
        case All(parts) | AnyOf(parts):
            for each in parts:
                yield from _variables(each)
        case Not(inner):
            yield from _variables(inner)


def _needs_code(part: Condition) -> Iterator[bool]:
    match part:
        case Test():
            yield part.needs_code
        case All(parts) | AnyOf(parts):
            for each in parts:
                yield from _needs_code(each)
        case Not(inner):
            yield from _needs_code(inner)


def _script(part: Condition) -> str:
    match part:
        case Matches():
            return _match_script(part)
        case Test(script):
            return script
        case All(parts):
            return " && ".join(_grouped(each) for each in parts) or "true"
        case AnyOf(parts):
            return " || ".join(_grouped(each) for each in parts) or "false"
        case Not(inner):
            return f"! {_grouped(inner)}"
        case Unknown():
            return "false"


def _grouped(part: Condition) -> str:
    script = _script(part)
    return f"{{ {script}; }}" if isinstance(part, All | AnyOf) else script


def _match_script(part: Matches) -> str:
    """Whether the variable matches: what a pattern with `!` excludes does not match."""
    variable = f'"${VARIABLES[part.key]}"'
    wanted_patterns = [pattern for pattern in part.patterns if not pattern.startswith("!")]
    excluded = [pattern.removeprefix("!") for pattern in part.patterns if pattern.startswith("!")]
    found = [_one_of(variable, wanted_patterns)] if wanted_patterns else []
    found += [f"! {_one_of(variable, excluded)}"] if excluded else []
    return found[0] if len(found) == 1 else "{ " + " && ".join(found) + "; }"


def _one_of(variable: str, patterns: list[str]) -> str:
    if patterns in (["*"], ["**"]):
        return f"[ -n {variable} ]"
    if len(patterns) == 1 and not re.search(r"[*?\[]", patterns[0]):
        return f"[ {variable} = {quote(patterns[0])} ]"
    return f"case {variable} in {'|'.join(map(_pattern, patterns))}) ;; *) false ;; esac"


def _pattern(glob: str) -> str:
    """A glob as a pattern of a shell: everything but the wildcards is quoted."""
    return "".join(piece if piece in "*?" else quote(piece) for piece in re.split(r"([*?])", glob) if piece)
