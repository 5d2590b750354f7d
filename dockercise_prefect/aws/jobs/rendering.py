"""The template of the jobs as one text, with the code of their door in it."""

from __future__ import annotations

import re
from importlib.resources import files

from dockercise_prefect.aws.stack.rendering import rendered, without_docstrings

_SHARED = re.compile(r"^from (__future__|dockercise_prefect\.aws\.stack\.door) import .*\n", re.MULTILINE)


def jobs_template() -> str:
    """The template of the jobs."""
    text = files("dockercise_prefect.aws.jobs").joinpath("template.yaml").read_text(encoding="utf-8")
    return rendered(text, {"door.py": door_code()})


def door_code() -> str:
    """The code of the function: the door of a stack, and then what is different for jobs."""
    of_stacks, of_jobs = (
        files(f"dockercise_prefect.aws.{room}").joinpath("door.py").read_text(encoding="utf-8") for room in ("stack", "jobs")
    )
    return without_docstrings(of_stacks) + "\n\n" + _SHARED.sub("", without_docstrings(of_jobs))
