"""Where results go, as a user writes it: a folder, or a URL."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from dockercise_prefect.errors import UsageError
from dockercise_prefect.results.local_store import LocalStore
from dockercise_prefect.results.store import RunStore


def open_store(place: str, pipeline: str, run_id: str) -> RunStore:
    """What will keep the record of this run; nothing is written yet.

    Args:
        place: a folder or a `file://` URL.
        pipeline: its name.
        run_id: unique among the runs of this pipeline.

    Raises:
        UsageError: the place is none that there is.
    """
    return LocalStore(_folder(place), pipeline, run_id)


def check_outside(place: str, root: Path) -> None:
    """Results never go below the root: the next run would take them for code, and git would show them.

    Args:
        place: as for `open_store`.
        root: where the code is.

    Raises:
        UsageError: the place is the root or below it, or is none that there is.
    """
    folder = _folder(place).resolve()
    if folder.is_relative_to(root.resolve()):
        hint = "name a folder elsewhere with `--results` or DOCKERCISE_RESULTS"
        raise UsageError(f"results cannot go to {folder}: that is below the root {root.resolve()}", hint)


def shown(url: str) -> str:
    """The URL of a record as a user wants to read and type it: a folder's path where it is one."""
    return unquote(urlsplit(url).path, errors="surrogateescape") if url.startswith("file:") else url


def _folder(place: str) -> Path:
    if not place.strip():
        raise UsageError("the place for results is empty", "give `--results` a folder")
    if "://" not in place:
        return _home_expanded(place).absolute()
    try:
        url = urlsplit(place)
    except ValueError as error:
        raise UsageError(f"results cannot go to {place}: that is no URL", "name a folder") from error
    if url.scheme == "s3":
        raise UsageError(f"results cannot go to {place}: s3:// is not supported yet", "name a folder")
    if url.scheme != "file":
        raise UsageError(f"results cannot go to {place}: there is no way to keep them at {url.scheme}://", "name a folder")
    if url.netloc not in {"", "localhost"} or url.query or url.fragment or not url.path.startswith("/"):
        raise UsageError(
            f"results cannot go to {place}: that names no folder of this machine", "write file:///path/of/a/folder"
        )
    return Path(unquote(url.path, errors="surrogateescape"))


def _home_expanded(place: str) -> Path:
    # A flow run's parameter or a variable has seen no shell that would have done it.
    try:
        return Path(place).expanduser()
    except RuntimeError as error:
        raise UsageError(f"results cannot go to {place}: there is no such home folder", "write the path without `~`") from error
