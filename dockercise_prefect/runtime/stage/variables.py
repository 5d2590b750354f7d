"""The variables of one container: which are stored with it, which are passed without storing, and what the kernel accepts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dockercise_prefect.errors import StageError
from dockercise_prefect.pipeline import HostVariable, Stage, StageName, StageValue, StageValues, folded, stages_of
from dockercise_prefect.pipeline.sources import is_secret_file
from dockercise_prefect.runtime.cleanup.labels import RunIdentity
from dockercise_prefect.runtime.files.output import Printed
from dockercise_prefect.runtime.stage.boot import LONGEST_ARGUMENT
from dockercise_prefect.runtime.stage.job import VariableSource, WrittenText

TOGETHER = 2_097_152 - 131_072
"""Bytes that Linux accepts for all arguments and variables (a quarter of the usual 8 MB stack), less what an image adds."""

POINTER = 8
"""Bytes that the kernel counts for each variable besides its text."""


IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Variables:
    """A container's variables.

    Attributes:
        stored: part of the container's configuration, which everyone who can reach the engine can read.
        unseen: values of stages and variables from outside. They are never part of the configuration.
        files: the content of secret files, by their paths. It is never part of the configuration either.
    """

    stored: Mapping[str, str]
    unseen: Mapping[str, bytes]
    files: Mapping[str, bytes] = field(default_factory=dict)

    def unstored(self) -> Variables:
        """The same variables, but not stored, since an image made from the container would keep them.

        Only variables whose names a shell does not accept stay stored.
        """
        moved = {name: text for name, text in self.stored.items() if IDENTIFIER.fullmatch(name)}
        encoded = {name: text.encode("utf-8", "surrogateescape") for name, text in moved.items()}
        stored = {name: text for name, text in self.stored.items() if name not in moved}
        return replace(self, stored=stored, unseen=encoded | dict(self.unseen))


def runtime_variables(identity: RunIdentity, stage: Stage) -> dict[str, str]:
    """The variables that are always set. `GRAPH_CI_RUN_ID` is for scripts of the first dockercise."""
    return {
        "OUT": stage.folder,
        "DOCKERCISE_RUN_ID": identity.run_id,
        "DOCKERCISE_STAGE": stage.name,
        "DOCKERCISE_PIPELINE": identity.pipeline,
        "GRAPH_CI_RUN_ID": identity.run_id,
    }


def container_variables(
    sources: Mapping[str, VariableSource],
    *,
    script: str | None,
    always: Mapping[str, str],
    values: Mapping[StageName, Printed],
    texts: Mapping[str, str],
    secrets: Collection[str] = (),
) -> Variables:
    """Sort a stage's variables by who may see them.

    Args:
        sources: where each of them comes from.
        script: the stage's script, which counts towards the same limit of the kernel.
        always: the variables that are always set. They take precedence over the stage's own variables.
        values: the output of the stages whose values the stage uses.
        texts: of the variables that are written in the pipeline or come from outside.
        secrets: variables that are never stored, by their folded names. Texts that are written in the pipeline may be included.

    Raises:
        StageError: the kernel does not accept them. The message says what to do instead.
    """
    literals = {name: texts[name] for name, source in sources.items() if isinstance(source, WrittenText)}
    open_texts = {name: text for name, text in literals.items() if folded(name) not in secrets}
    stored = {**open_texts, **always}
    unseen: dict[str, bytes] = {}
    files = {name: text.encode("utf-8", "surrogateescape") for name, text in texts.items() if _is_secret_file(name, sources)}
    for name in literals.keys() - open_texts.keys():
        unseen[name] = _fit(name, literals[name].encode("utf-8", "surrogateescape"), "", "pass it as a file instead")
    for name, source in sources.items():
        match source:
            case StageValue(stage):
                hint = f"read /out/{stage} instead, which contains it byte for byte"
                unseen[name] = _fit_value(name, values[stage], f"the value of {stage} as ", hint)
            case StageValues(stages):
                hint = "read the files in /out instead, which contain them byte for byte"
                unseen[name] = _fit_values(name, [values[stage] for stage in stages], "the values of a matrix as ", hint)
    for name, text in texts.items():
        if name not in literals and name not in files:
            unseen[name] = _fit(name, text.encode("utf-8", "surrogateescape"), "", "pass it as a file instead")
    for name, text in stored.items():
        trouble = _trouble_with_text(name, text.encode("utf-8", "surrogateescape"))
        if trouble is not None:
            raise StageError(f"{name} cannot be a variable: {trouble}", "write the text into a file of the code instead")
    variables = Variables(stored, {name: text for name, text in unseen.items() if name not in always}, files)
    _check_together(script, sources, variables)
    return variables


def chosen_variables(
    sources: Mapping[str, VariableSource],
    names: Iterable[str],
    *,
    values: Mapping[StageName, Printed],
    texts: Mapping[str, str],
) -> dict[str, bytes]:
    """The texts of some of a stage's variables, for example of the secrets of its build.

    Args:
        sources: where each variable of the stage comes from.
        names: the names of the variables. An optional variable that is not set is left out.
        values: the output of the stages whose values the stage uses.
        texts: of the variables that are written in the pipeline or come from outside.

    Raises:
        StageError: a name is not a variable of the stage, or its text cannot be passed as a variable.
    """
    hint = "a build gets secrets as variables of the `docker` command"
    chosen: dict[str, bytes] = {}
    for name in names:
        match sources.get(name):
            case StageValue(earlier):
                chosen[name] = _fit_value(name, values[earlier], f"the value of {earlier} as ", hint)
            case StageValues(stages):
                chosen[name] = _fit_values(name, [values[stage] for stage in stages], "the values of a matrix as ", hint)
            case HostVariable(written):
                found = texts.get(name, texts.get(written))
                if found is not None:
                    chosen[name] = _fit(name, found.encode("utf-8", "surrogateescape"), "", hint)
            case WrittenText():
                chosen[name] = _fit(name, texts[name].encode("utf-8", "surrogateescape"), "", hint)
            case None:
                raise StageError(f"the build's secret {name} is not a variable of the stage", "add it to `env`")
    return chosen


def _fit(name: str, text: bytes, what: str, hint: str) -> bytes:
    """The text, after checking that it can be passed as the variable `name`."""
    trouble = trouble_with(name, text)
    if trouble is not None:
        raise StageError(f"{what}{name} cannot be a variable: {trouble}", hint)
    return text


def _fit_value(name: str, output: Printed, what: str, hint: str) -> bytes:
    """The value of a stage, after checking that it can be passed as the variable `name`. It is not read before that."""
    trouble = _trouble_with_size(name, output.value_size())
    if trouble is not None:
        raise StageError(f"{what}{name} cannot be a variable: {trouble}", hint)
    return _fit(name, output.value(), what, hint)


def _fit_values(name: str, outputs: Sequence[Printed], what: str, hint: str) -> bytes:
    """The values of several stages as lines, after checking that they can be passed as the variable `name`."""
    trouble = _trouble_with_size(name, sum(output.value_size() + 1 for output in outputs))
    if trouble is not None:
        raise StageError(f"{what}{name} cannot be a variable: {trouble}", hint)
    return _fit(name, b"\n".join(output.value() for output in outputs), what, hint)


def trouble_with(name: str, text: bytes) -> str | None:
    """Why `text` cannot be passed as the variable `name`; None if it can (LANGUAGE section 3)."""
    if not IDENTIFIER.fullmatch(name):
        return "a shell accepts only names of letters, digits and `_`"
    return _trouble_with_text(name, text)


def _trouble_with_text(name: str, text: bytes) -> str | None:
    if b"\0" in text:
        return "it contains a NUL byte"
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return "it is not UTF-8 text"
    return _trouble_with_size(name, len(text))


def _trouble_with_size(name: str, length: int) -> str | None:
    size = len(name.encode()) + 1 + length
    if size > LONGEST_ARGUMENT:
        return f"it has {size:,} bytes with its name, but the kernel accepts at most {LONGEST_ARGUMENT:,}"
    return None


def _check_together(script: str | None, sources: Mapping[str, VariableSource], variables: Variables) -> None:
    stored = {name: text.encode("utf-8", "surrogateescape") for name, text in variables.stored.items()}
    texts = stored | dict(variables.unseen)
    room = min(len((script or "").encode("utf-8", "surrogateescape")), LONGEST_ARGUMENT)
    total = room + sum(len(name.encode()) + len(text) + 2 + POINTER for name, text in texts.items())
    if total > TOGETHER:
        named = takes_values_from(sources)
        files = ", ".join(f"/out/{name}" for name in named) or "a file of the code"
        raise StageError(
            f"the variables have {total:,} bytes together, but the kernel only accepts about {TOGETHER:,}",
            f"read {files} instead",
        )


def _is_secret_file(name: str, sources: Mapping[str, VariableSource]) -> bool:
    return is_secret_file(name) and isinstance(sources.get(name), HostVariable)


def takes_values_from(sources: Mapping[str, VariableSource]) -> tuple[StageName, ...]:
    """The stages whose values are used as variables."""
    return tuple(dict.fromkeys(stage for source in sources.values() for stage in stages_of(source)))
