"""The output of the stages whose values are variables of a container."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.runtime.files.output import Printed
from dockercise_prefect.runtime.stage.job import JobResult, VariableSource
from dockercise_prefect.runtime.stage.ports import Outputs
from dockercise_prefect.runtime.stage.variables import takes_values_from


@contextmanager
def opened_values(
    variables: Mapping[str, VariableSource], inputs: Mapping[StageName, JobResult], outputs: Outputs
) -> Iterator[Mapping[StageName, Printed]]:
    """The output of the stages whose values these variables have.

    Args:
        variables: where each variable comes from.
        inputs: the results of the stages.
        outputs: has their output.

    Raises:
        DockerciseError: what a stage printed is lost, or cannot be read.
    """
    with ExitStack() as stack:
        opened = {}
        for name in takes_values_from(variables):
            left = inputs.get(name)
            if left is None:
                opened[name] = Printed.of(b"")  # of a stage that never started
            elif left.stdout is None:
                raise EngineError(f"what {name} printed is lost")
            else:
                opened[name] = stack.enter_context(outputs.open(left.stdout))
        yield opened
