"""What is sensitive in one run: texts, which are masked in all output of the process, and stages, each with the reason."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.pipeline import LiteralValue, Pipeline, Stage, StageName, folded
from dockercise_prefect.pipeline.sensitivity import secret_variables, sensitive_stages
from dockercise_prefect.runtime.secrets.masking import Masker, Scan
from dockercise_prefect.runtime.stage.environment import Outside
from dockercise_prefect.runtime.stage.job import JobResult

E = TypeVar("E", bound=DockerciseError)


class SensitiveFoundError(DockerciseError):
    """The data to store contains something sensitive."""


class Secrecy:
    """The sensitive texts and stages of one run. Thread-safe after `begin` has returned.

    Args:
        pipeline: the stages that run. The texts of secret variables in it are masked from here on.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.masker = Masker()
        self._pipeline = pipeline
        self._reasons: Mapping[StageName, str] = sensitive_stages(pipeline)
        for name, variables in secret_variables(pipeline).items():
            env = pipeline.containers[name].env
            for source in (env.get(variable) for variable in variables):
                if isinstance(source, LiteralValue):
                    self._learn(source.text)

    def begin(self, outside: Outside) -> None:
        """Add the secret variables from outside. Called before any stage has started."""
        named = set(self._pipeline.secrets)
        for name, variables in outside.variables.items():
            secret = outside.secret.get(name, ())
            for variable, text in variables.items():
                if variable in secret or folded(variable) in named:
                    self._learn(text)
        self._reasons = sensitive_stages(self._pipeline, outside.secret)

    def because(self, stage: Stage) -> str | None:
        """Why the output of the stage is sensitive; None if it is not."""
        return self._reasons.get(stage.declared_name)

    def scan(self, stage: Stage) -> Scan | None:
        """A scan that searches the files of the stage for secrets before they are stored; None if it is not needed."""
        return self.masker.scan() if self.because(stage) and not stage.no_log else None

    def masked(self, result: JobResult) -> JobResult:
        """The result, with a message that is safe to show."""
        return replace(result, message=self.masker.text(result.message)) if result.message else result

    def masked_error(self, error: E) -> E:
        """The error, with texts that are safe to show."""
        shown = copy.copy(error)
        shown.message = self.masker.text(error.message)
        shown.hint = self.masker.text(error.hint) if error.hint else None
        shown.args = (shown.message,)
        return shown

    def _learn(self, text: str) -> None:
        self.masker.add(text.encode("utf-8", "surrogateescape"))


def looked_through(chunks: Iterable[bytes], scan: Scan | None) -> Iterator[bytes]:
    """Pass the chunks on, unless they contain something sensitive.

    Raises:
        SensitiveFoundError: the chunks contain something sensitive.
    """
    for chunk in chunks:
        if scan is not None:
            scan.feed(chunk)
            if scan.found:
                raise SensitiveFoundError("it contains something sensitive", "to keep it anyway, set `noLog: false`")
        yield chunk
