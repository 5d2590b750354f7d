"""Names of stages for names of jobs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from dockercise_prefect.compiler.reading.names import stage_name_problem

_CANNOT_STAND = re.compile(r"[^\w.-]+|[\x00-\x1f\x7f-\x9f]+")
_LONGEST = 60


def stage_names(jobs: Iterable[str], taken: Iterable[str] = (), hosts: Iterable[str] = ()) -> dict[str, str]:
    """A name for each job, as near to its own as possible; no two are the same.

    Args:
        jobs: the names of the jobs.
        taken: names of variables that no stage may have: `env: NAME` would mean the stage.
        hosts: names of services, which no stage beside them may have.
    """
    used = {host.casefold() for host in hosts}
    variables = {name.upper() for name in taken}
    found: dict[str, str] = {}
    for job in jobs:
        plain = _CANNOT_STAND.sub("-", unicodedata.normalize("NFC", job)).strip("-.")[:_LONGEST] or "job"
        if stage_name_problem(plain) is not None or plain.startswith("x-") or _folded(plain) in variables:
            plain = f"{plain}-job"
        name, number = plain, 2
        while name.casefold() in used or _folded(name) in variables:
            name, number = f"{plain}-{number}", number + 1
        used.add(name.casefold())
        found[job] = name
    return found


def _folded(name: str) -> str:
    return re.sub(r"[^A-Z0-9_]", "_", name.upper())


def variable_name(text: str) -> str:
    """A valid name of a variable: `python-version` becomes `PYTHON_VERSION`."""
    name = re.sub(r"[^A-Z0-9_]", "_", text.upper()) or "_"
    return f"_{name}" if name[0].isdigit() else name
