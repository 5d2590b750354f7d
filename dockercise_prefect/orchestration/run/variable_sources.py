"""The sources of variables from outside, in the order of lookup (LANGUAGE section 3)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial

from dockercise_prefect.errors import UsageError
from dockercise_prefect.orchestration.prefect.secret_blocks import load_secret
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.pipeline.run_context import OF_THE_OUTCOME, RunContext
from dockercise_prefect.runtime.stage.environment import OutsideSource


def outside_sources(options: RunOptions, git: RunContext, parameter: Mapping[str, str] | None) -> list[OutsideSource]:
    """The sources in which a variable is looked up. A pipeline that is not trusted gets only variables that were given to it.

    Args:
        options: have the variables of `--env` and `--env-file`, and whether the pipeline is trusted.
        git: what the run knows of git. It comes first, so that a run inside a run does not get what the outer run knows.
        parameter: the flow run's `env`.
    """
    of_the_run = {**dict.fromkeys(OF_THE_OUTCOME, ""), **git.variables}
    given = [
        OutsideSource("the run itself", of_the_run.get, explicit=True),
        OutsideSource("--env", options.flags.get, explicit=True),
        OutsideSource("--env-file", options.file_variables.get, explicit=True),
        OutsideSource("the flow run's env parameter", dict(parameter or {}).get, explicit=True),
        OutsideSource("a Secret block named at registration", partial(named_secret, options), explicit=True, secret=True),
    ]
    if options.settings.untrusted:  # it could read any variable or block by its name
        return given
    environment = os.environ if options.environment is None else options.environment
    return [
        *given,
        OutsideSource("the process's environment", environment.get),
        OutsideSource("a Prefect Secret block", secret_block, secret=True),
    ]


def secret_block(name: str) -> str | None:
    """The value of the Secret block for that variable; None if it does not exist. The block of `AWS_REGION` is `aws-region`.

    Raises:
        ObjectUnsupported, httpx.HTTPError: Prefect did not answer; a missing block is not an error.
    """
    return load_secret(name.lower().replace("_", "-"))


def named_secret(options: RunOptions, name: str) -> str | None:
    """The value of the Secret block that the registration names for a variable; None if it names no block.

    Raises:
        UsageError: the block that it names does not exist.
    """
    block = options.secret_blocks.get(name)
    if block is None:
        return None
    secret = load_secret(block)
    if secret is None:
        raise UsageError(f"there is no Secret block `{block}` in Prefect; `register --secret` names it for the variable {name}")
    return secret
