"""Reads and compiles the commits of strangers in a separate process with limits."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from dockercise_prefect.bounded_process import Bounds, TooMuchWorkError, work_in_process
from dockercise_prefect.compiler import compile_folder, compile_sources
from dockercise_prefect.errors import DefinitionError, DockerciseError, NothingToDoError, PackagesMissingError, UsageError
from dockercise_prefect.frontend.past_sources import sources_at
from dockercise_prefect.frontend.subgraphs import Packages, RefusedPackages
from dockercise_prefect.git.ask import Revision, ask_git
from dockercise_prefect.pipeline import Pipeline, from_json, to_json
from dockercise_prefect.repository.command import TRUSTED, configured
from dockercise_prefect.settings import Settings

BOUNDS = Bounds(cpu=20, seconds=300, memory=2 << 30)
"""The limits of the process and of each git process that it starts. Images of packages may have to be pulled."""

_AT_ONCE = BoundedSemaphore(2)


class BrokenCommitError(UsageError):
    """The pipeline at a commit does not compile. The message has the findings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The place of a pipeline.

    Attributes:
        folder: a checkout; or, if `commit` is set, a repository, bare or not.
        commit: the commit whose files are read without a checkout; None to read the files in the folder.
        name: the name of the pipeline if its files do not set one.
    """

    folder: Path
    commit: str | None
    name: str


def compile_apart(code: Code, settings: Settings) -> Pipeline | None:
    """The pipeline in a commit; None if the commit has no pipeline.

    Args:
        code: where the pipeline is.
        settings: the settings of this machine for this repository. If the repository is trusted, packages are run on the
            engine of the machine.

    Raises:
        BrokenCommitError: the pipeline does not compile.
        UsageError: git cannot read the commit within the limits.
        PackagesMissingError: packages could not be loaded; no other problem is known.
        TooMuchWorkError: the work needs more time or memory than allowed.
        ProcessEndedError: the process ended without an answer.
    """
    said = _worked(_compiled, [code, settings])
    if said["result"] == "missing":
        raise PackagesMissingError([])
    if said["result"] == "broken":
        raise BrokenCommitError(said["message"])
    if said["result"] == "refused":
        raise UsageError(f"the commit cannot be read: {said['message']}")
    return from_json(said["pipeline"]) if said["result"] == "compiled" else None


def changed_apart(repository: Path, before: str, after: str) -> Sequence[str]:
    """The paths that differ between two commits, in order. A renamed file is listed with both names.

    Args:
        repository: the repository that has both commits.
        before: the earlier commit.
        after: the later one.

    Raises:
        TooMuchWorkError: there are too many paths to list.
        ProcessEndedError: git cannot compare the commits.
    """
    return [os.fsdecode(path.encode("latin-1")) for path in _worked(_changed, [repository, before, after])]


def _worked(work: Callable[..., Any], given: Sequence[object]) -> Any:
    try:
        with _AT_ONCE:
            return json.loads(work_in_process(f"{__name__}:work", pickle.dumps([work, given]), BOUNDS))
    except TooMuchWorkError as error:
        message = f"the commit is too big to read: {error.message}"
        raise TooMuchWorkError(message, "make its tree or its pipeline smaller") from error


def work(given: bytes) -> bytes:
    """The work of the separate process."""
    os.environ |= configured(*TRUSTED.items())  # this process reads only mirrors and checkouts that dockercise made
    function, arguments = pickle.loads(given)  # noqa: S301  made by `_worked`, in the process that started this one
    return json.dumps(function(*arguments)).encode()


def _compiled(code: Code, settings: Settings) -> dict[str, Any]:
    try:
        pipeline = _compile(code, settings)
    except NothingToDoError:
        return {"result": "nothing"}
    except PackagesMissingError:
        return {"result": "missing"}
    except DefinitionError as error:
        return {"result": "broken", "message": str(error)}
    except DockerciseError as error:
        return {"result": "refused", "message": error.message}
    return {"result": "compiled", "pipeline": to_json(pipeline)}


def _compile(code: Code, settings: Settings) -> Pipeline:
    if settings.untrusted:
        return _with(code, RefusedPackages())
    from dockercise_prefect.orchestration.packages.cache import PackageCache  # noqa: PLC0415  pipelines without packages compile faster
    from dockercise_prefect.orchestration.packages.fetch import FOLDER, EnginePackages  # noqa: PLC0415  as above
    from dockercise_prefect.orchestration.prefect.engine_login import connect_engine  # noqa: PLC0415  as above

    def silent(_text: str) -> None:
        pass

    def cache() -> PackageCache:
        return PackageCache(settings.data / FOLDER, silent)

    with closing(EnginePackages(cache, lambda: connect_engine(settings), silent)) as packages:
        return _with(code, packages)


def _with(code: Code, packages: Packages) -> Pipeline:
    if code.commit is None:
        return compile_folder(code.folder, name=code.name, packages=packages).pipeline
    sources = sources_at(code.folder, Revision(code.commit, code.commit)).sources
    if not sources:
        raise NothingToDoError(f"nothing to do: no *.dockercise.yaml in {code.commit}")
    return compile_sources(sources, code.name, packages).pipeline


def _changed(repository: Path, before: str, after: str) -> list[str]:
    options = ("--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv")
    listing = ask_git(repository, "diff", *options, before, after, "--")
    return [path.decode("latin-1") for path in listing.split(b"\0") if path]
