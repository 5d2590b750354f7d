"""Where variables from outside come from, first to last (LANGUAGE section 3)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, cast

from prefect.blocks.system import Secret

from dockercise_prefect.orchestration.options import RunOptions
from dockercise_prefect.runtime.environment import OutsideSource


def outside_sources(options: RunOptions, parameter: Mapping[str, str] | None) -> list[OutsideSource]:
    """The chain that a variable is looked up in.

    Args:
        options: hold what `--env` and `--env-file` gave.
        parameter: the flow run's `env`.
    """
    return [
        OutsideSource("--env", options.flags.get, explicit=True),
        OutsideSource("--env-file", options.file_variables.get, explicit=True),
        OutsideSource("the flow run's env parameter", dict(parameter or {}).get, explicit=True),
        OutsideSource("the process's environment", os.environ.get),
        OutsideSource("a Prefect Secret block", secret_block, secret=True),
    ]


def secret_block(name: str) -> str | None:
    """The value of the Secret block of that name, None when there is none: `AWS_REGION` is block `aws-region`.

    Raises:
        ObjectUnsupported, httpx.HTTPError: Prefect did not answer; a missing block is no error.
    """
    block_name = name.lower().replace("_", "-")
    try:
        block = cast("Any", Secret).load(block_name, _sync=True)  # the switch of their asynchronous methods has no type
    except ValueError:  # what Prefect raises for a block that is not there
        return None
    return str(block.get())
