"""The jobs of another system, in one form for all systems. A reader makes them; `assembling` makes stages of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from dockercise_prefect.errors import Place
from dockercise_prefect.importing.conditions import ALWAYS, Condition

CODE = "code"
"""What a job starts with if it does not go on with the files of another one."""

Status: TypeAlias = Literal["success", "failure", "always"]


@dataclass(frozen=True, slots=True)
class Outside:
    """A value that is not in the file.

    Attributes:
        name: the variable that has it.
        secret: whether it must never be shown.
        optional: whether the job may run without it.
    """

    name: str
    secret: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a job. A text may contain other variables (`$HOST:80`), as in a shell's double quotes."""

    name: str
    value: str | Outside
    place: Place


@dataclass(frozen=True, slots=True)
class Service:
    """A container beside a job.

    Attributes:
        name: the name by which the job reaches it.
        image: its image.
        env: its variables.
        script: a script that it runs instead of the image's own program.
        ready: a command that succeeds in it when it can be used.
        at_localhost: whether the other system has it at `localhost`.
    """

    name: str
    image: str
    env: tuple[Variable, ...] = ()
    script: str | None = None
    ready: str | None = None
    at_localhost: bool = False


@dataclass(frozen=True, slots=True)
class Matrix:
    """The combinations of a job.

    Attributes:
        axes: the values of each variable.
        include: further combinations, or further values of some.
        exclude: combinations that are left out.
    """

    axes: Mapping[str, tuple[str, ...]]
    include: tuple[Mapping[str, str], ...] = ()
    exclude: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What becomes one stage.

    Attributes:
        name: its name in the file.
        place: where it is defined.
        image: the image; None if the job only waits for others.
        script: the script; "" if the image runs its own program.
        prelude: what the script begins with, beside variables: files of other jobs.
        shell: what runs the script; () for `/bin/sh`.
        env: variables.
        after: the jobs that it comes after.
        start: the job with whose files it goes on, `CODE`, or None for no files.
        files: jobs whose files `prelude` uses.
        condition: when it runs.
        status: after which outcome of the others.
        tolerated: whether it may fail.
        reports: globs of test reports.
        approval: what somebody is asked before it starts.
        runs: whether something of it is left. If not, others come after what it comes after.
    """

    name: str
    place: Place
    image: str | None = None
    script: str = ""
    prelude: str = ""
    shell: tuple[str, ...] = ()
    env: tuple[Variable, ...] = ()
    after: tuple[str, ...] = ()
    start: str | None = CODE
    files: tuple[str, ...] = ()
    condition: Condition = ALWAYS
    status: Status = "success"
    services: tuple[Service, ...] = ()
    matrix: Matrix | None = None
    retries: int = 0
    timeout: str | None = None
    tolerated: bool = False
    reports: tuple[str, ...] = ()
    approval: str | None = None
    group: str | None = None
    user: str | None = None
    runs: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """All jobs of a file.

    Attributes:
        jobs: in the order of the file.
        history: how many commits the code has; None for files without git.
        concurrency: the `meta.concurrency`.
    """

    jobs: tuple[Job, ...]
    history: int | None = None
    concurrency: Mapping[str, str] | None = None
