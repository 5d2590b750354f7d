"""What is sensitive in one run: texts, which are masked wherever text leaves the process, and stages, each with the reason."""

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
    """What was to be kept holds something sensitive."""


class Secrecy:
    """Thread-safe once `begin` has returned.

    Args:
        pipeline: the stages that run; texts of secret variables that stand in it are known from here on.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.masker = Masker()
        self._pipeline = pipeline
        self._reasons: Mapping[StageName, str] = sensitive_stages(pipeline)
        for name, variables in secret_variables(pipeline).items():
            env = pipeline.by_name[name].env
            for source in (env.get(variable) for variable in variables):
                if isinstance(source, LiteralValue):
                    self._learn(source.text)

    def begin(self, outside: Outside) -> None:
        """The variables from outside are known, and nothing has started: learn those that are secret."""
        named = set(self._pipeline.secrets)
        for name, variables in outside.variables.items():
            secret = outside.secret.get(name, ())
            for variable, text in variables.items():
                if variable in secret or folded(variable) in named:
                    self._learn(text)
        self._reasons = sensitive_stages(self._pipeline, outside.secret)

    def because(self, stage: Stage) -> str | None:
        """Why the stage's output is sensitive, None when it is not."""
        return self._reasons.get(stage.name)

    def scan(self, stage: Stage) -> Scan | None:
        """What searches files of the stage for secrets before they are kept; None if that is not needed."""
        return self.masker.scan() if self.because(stage) and not stage.no_log else None

    def masked(self, result: JobResult) -> JobResult:
        """The result, with a message that may be shown."""
        return replace(result, message=self.masker.text(result.message)) if result.message else result

    def masked_error(self, error: E) -> E:
        """The error, with texts that may be shown."""
        shown = copy.copy(error)
        shown.message = self.masker.text(error.message)
        shown.hint = self.masker.text(error.hint) if error.hint else None
        shown.args = (shown.message,)
        return shown

    def _learn(self, text: str) -> None:
        self.masker.add(text.encode("utf-8", "surrogateescape"))


def looked_through(chunks: Iterable[bytes], scan: Scan | None) -> Iterator[bytes]:
    """The chunks, as long as there is nothing sensitive in them.

    Raises:
        SensitiveFoundError: there is.
    """
    for chunk in chunks:
        if scan is not None:
            scan.feed(chunk)
            if scan.found:
                raise SensitiveFoundError("it contains something sensitive", "`noLog: false` would keep it anyway")
        yield chunk
