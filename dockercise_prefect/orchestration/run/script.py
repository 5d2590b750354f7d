"""`python flows/hello.py`: runs a compiled module as a program."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from typing import Any

from prefect import Flow, tags

from dockercise_prefect.compiler.reading.parameters import OF_EVERY_FLOW
from dockercise_prefect.errors import DefinitionError, DockerciseError, UsageError
from dockercise_prefect.orchestration.prefect.api import LOST, leave_lost_api, lost_api, prefect_api
from dockercise_prefect.orchestration.prefect.flow_run import pipeline_tag, run_name
from dockercise_prefect.pipeline import Parameter, ParameterType
from dockercise_prefect.pipeline.parameters.values import Value, given_problems, missing_problems, with_values
from dockercise_prefect.settings import read_settings


def run_as_script(flow: Flow[..., Any]) -> int:
    """Run the flow once with the arguments of the command line as its targets, and with the values of `--param`.

    Returns the exit status of the process. `--help` prints a description, and any other option is an error. Both end the
    process. `dockercise run` has more options.

    Prefect's own console log shows the run. The run reports to the configured API, or to the local server. If the connection
    to it is lost, the process ends here.
    """
    arguments = _arguments(flow.name)
    try:
        values = _values(flow, arguments.values)
        with prefect_api(read_settings().data, _say), tags(pipeline_tag(flow.name)):
            flow.with_options(flow_run_name=run_name)(targets=arguments.stages or None, **values)
    except LOST as error:
        lost = lost_api(error)
        _say(str(lost))
        leave_lost_api(lost.exit_status)
    except DockerciseError as error:
        _say(str(error))
        return error.exit_status
    return 0


def _arguments(pipeline: str) -> Namespace:
    parser = ArgumentParser(
        description=f"Run the pipeline {pipeline} once, or only the named stages and what they need.",
        epilog="Variables come from the environment. It uses the configured Prefect server. `dockercise run` has more options.",
        allow_abbrev=False,
    )
    parser.add_argument("stages", metavar="STAGE", nargs="*", help="a stage of the pipeline; by default all run")
    parser.add_argument(
        "--param", dest="values", metavar="NAME=VALUE", action="append", default=[], help="a value for a parameter"
    )
    return parser.parse_args()


def _values(flow: Flow[..., Any], options: Sequence[str]) -> dict[str, Value]:
    """The values for parameters of the pipeline, as the flow takes them.

    Raises:
        DefinitionError: a name or a value is wrong, or a parameter has no value.
        UsageError: an option is not `NAME=VALUE`.
    """
    given = dict(_pair(option) for option in options)
    declared = list(_declared(flow))
    problems = [*given_problems(declared, given)]
    problems += [] if problems else missing_problems(with_values(declared, given))
    if problems:
        raise DefinitionError(problems)
    return {one.name: one.value_of(given[one.name]) for one in declared if one.name in given}


def _pair(option: str) -> tuple[str, str]:
    name, equals, value = option.partition("=")
    if not (name and equals):
        raise UsageError(f"--param: `{option}` is not NAME=VALUE", "write `--param python=3.12`")
    return name, value


def _declared(flow: Flow[..., Any]) -> Iterator[Parameter]:
    """The parameters of the pipeline, from the schema of the flow."""
    for name, entry in flow.parameters.properties.items():
        if name not in OF_EVERY_FLOW:
            choices = entry.get("enum", [entry["const"]] if "const" in entry else ())
            kind = ParameterType(entry["type"])
            yield Parameter(name=name, type=kind, default=entry.get("default"), choices=tuple(choices))


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
