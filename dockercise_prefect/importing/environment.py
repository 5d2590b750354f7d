"""The variables of one job: what its `env` says, and what its script has to set itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dockercise_prefect.compiler.reading.names import IDENTIFIER, is_environment, is_ours
from dockercise_prefect.compiler.shell.mentions import mentions
from dockercise_prefect.errors import Place
from dockercise_prefect.importing.literals import is_secret, replaced
from dockercise_prefect.importing.model import Job, Outside, Variable
from dockercise_prefect.importing.notes import Notes, quoted
from dockercise_prefect.importing.scripts import joined
from dockercise_prefect.importing.variables import Predefined, filled_in, used_in
from dockercise_prefect.pipeline.run_context import RUN_VARIABLES

_IN_DOUBLE_QUOTES = re.compile(r'["`\\]|\$(?![A-Za-z_{])')


@dataclass(slots=True)
class Environment:
    """The variables of a stage.

    Attributes:
        script: the whole script, with what it sets itself.
        literals: variables with their texts.
        outside: variables from outside; true if the stage cannot run without.
        secrets: those of them that are never shown.
        axes: variables of the matrix.
        unknown: those from outside that the other system sets itself.
    """

    script: str
    literals: dict[str, str] = field(default_factory=dict)
    outside: dict[str, bool] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)
    axes: frozenset[str] = frozenset()
    unknown: list[str] = field(default_factory=list)


def environment_of(job: Job, predefined: Predefined, notes: Notes) -> Environment:
    """Sort the variables of a job, and complete its script.

    Args:
        job: the job.
        predefined: what its system sets in each job.
        notes: of the job.
    """
    axes = frozenset(job.matrix.axes if job.matrix else ()) | {name for each in _further(job) for name in each}
    found = Environment("", axes=axes)
    exports: list[str] = []
    for variable in job.env:
        if variable.name not in axes:
            exports += _declared(variable, found, predefined, notes, has_script=bool(job.script))
    script = _without_secrets(joined([job.prelude, job.script]), job.place, found, notes)
    script = predefined.translated(script)
    if job.script:
        exports = [*_computed([*exports, script], predefined, found), *exports]
    _from_outside(exports, script, predefined, found)
    begin = ["set -e"] if script.startswith("-") and not exports else []  # such a text is not taken for a command
    found.script = joined([*begin, *exports, script]) if job.script else ""
    return found


def _further(job: Job) -> Iterable[Mapping[str, str]]:
    return job.matrix.include if job.matrix else ()


def _declared(variable: Variable, found: Environment, predefined: Predefined, notes: Notes, *, has_script: bool) -> list[str]:
    """The lines of the script that a variable needs."""
    name, value = variable.name, variable.value
    if is_ours(name) or not name or re.search(r"[\s=]", name) or not name.isprintable():
        notes.left_out(f"variable {name}", "a stage cannot set a variable of this name", variable.place)
        return []
    if isinstance(value, str) and is_secret(name, value):
        notes.changed(f"variable {name}", f"its text looks like a secret: it comes from outside, as `{name}`", variable.place)
        value = Outside(name, secret=True)
    if isinstance(value, Outside):
        return _taken(name, value, found, notes, variable.place)
    text = filled_in(predefined.translated(value), found.literals)
    if not used_in(text):
        found.literals[name] = text
        found.outside.pop(name, None)
        return []
    found.literals.pop(name, None)
    if not IDENTIFIER.match(name) or not has_script:
        notes.left_out(f"variable {name}", "its text names other variables, and no script can set it", variable.place)
        return []
    return [f'export {name}="{_IN_DOUBLE_QUOTES.sub(_escaped, text)}"']


def _escaped(match: re.Match[str]) -> str:
    return "\\" + match[0]


def _taken(name: str, value: Outside, found: Environment, notes: Notes, place: Place) -> list[str]:
    source = value.name.upper()
    if not IDENTIFIER.match(source) or not source.isascii():
        notes.left_out(f"variable {name}", f"{quoted(value.name)} is not the name of a variable", place)
        return []
    found.outside[source] = found.outside.get(source, False) or not value.optional
    found.literals.pop(source, None)
    if value.secret:
        found.secrets.add(source)
    if name != source and not IDENTIFIER.match(name):
        notes.left_out(f"variable {name}", "a shell cannot set it", place)
        return []
    return [] if name == source else [f'export {name}="${source}"']


def _without_secrets(script: str, place: Place, found: Environment, notes: Notes) -> str:
    """The script with names in place of the keys of well-known services."""

    def name() -> str:
        new = f"IMPORTED_SECRET_{sum(each.startswith('IMPORTED_SECRET_') for each in found.secrets) + 1}"
        found.secrets.add(new)
        found.outside[new] = True
        notes.changed(
            "script", f"it contains a secret: it comes from outside now, as `{new}`; change it where it is valid", place
        )
        return new

    return replaced(script, name)


def _computed(texts: Iterable[str], predefined: Predefined, found: Environment) -> list[str]:
    """Lines that compute variables which the other system sets."""
    used = [name for text in texts for name in used_in(text)]
    return [
        f"export {name}={predefined.computed[name]}"
        for name in dict.fromkeys(used)
        if name in predefined.computed and name not in found.literals and name not in found.outside
    ]


def _from_outside(exports: Sequence[str], script: str, predefined: Predefined, found: Environment) -> None:
    """Take what the script uses and nothing sets from the run, or from outside."""
    text = "\n".join([*exports, script])
    known = {*found.literals, *found.outside, *found.axes}
    for name in used_in(text):
        if name in RUN_VARIABLES:
            found.outside[name] = False
        elif predefined.is_predefined(name) and name not in known | predefined.computed.keys() and not _is_set(name, text):
            found.outside[name] = name in used_in(script)
            found.unknown.append(name)
    read = mentions(text)
    if read.evaluates or not read.understood:
        return
    for name, use in read.uses.items():
        if name in known or name in found.outside or name in read.assigned or is_environment(name):
            continue
        if use.text.startswith("$") and name == name.upper() and IDENTIFIER.match(name):
            found.outside[name] = False


def _is_set(name: str, text: str) -> bool:
    return re.search(rf"(?:^|[\s;]){name}=", text) is not None
