"""`python flows/hello.py`: runs a compiled module as a program."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from prefect import Flow, tags

from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.orchestration.prefect.api import LOST, leave_lost_api, lost_api, prefect_api
from dockercise_prefect.orchestration.prefect.flow_run import pipeline_tag, run_name
from dockercise_prefect.settings import read_settings


def run_as_script(flow: Flow[..., Any]) -> int:
    """Run the flow once with the arguments of the command line as its targets. Return the exit status of the process.

    `--help` prints a description, and any other option is an error. Both end the process. `dockercise run` has options.

    Prefect's own console log shows the run. The run reports to the configured API, or to the local server. If the connection
    to it is lost, the process ends here.
    """
    targets = _targets(flow.name)
    try:
        with prefect_api(read_settings().data, _say), tags(pipeline_tag(flow.name)):
            flow.with_options(flow_run_name=run_name)(targets=targets or None)
    except LOST as error:
        lost = lost_api(error)
        _say(str(lost))
        leave_lost_api(lost.exit_status)
    except DockerciseError as error:
        _say(str(error))
        return error.exit_status
    return 0


def _targets(pipeline: str) -> list[str]:
    parser = ArgumentParser(
        description=f"Run the pipeline {pipeline} once, or only the named stages and what they need.",
        epilog="Variables come from the environment. It uses the configured Prefect server. `dockercise run` has more options.",
        allow_abbrev=False,
    )
    parser.add_argument("stages", metavar="STAGE", nargs="*", help="a stage of the pipeline; by default all run")
    return list(parser.parse_args().stages)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
