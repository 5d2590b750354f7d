"""Where results go, as a user writes it: a folder, or a URL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from dockercise_prefect.errors import UsageError
from dockercise_prefect.results.places.bucket import Bucket, parse_bucket
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.places.objects import Objects
from dockercise_prefect.results.record.endings import WithEndings
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.results.record.mirrored_store import MirroredStore
from dockercise_prefect.results.record.store import RunStore
from dockercise_prefect.results.record.unsent import UNSENT, UnsentRun
from dockercise_prefect.settings import Settings


def open_store(place: str, pipeline: str, run_id: str, settings: Settings, notify: Callable[[str], None]) -> RunStore:
    """What will keep the record of this run; nothing is written yet.

    Args:
        place: a folder, a `file://` or an `s3://` URL.
        pipeline: its name.
        run_id: unique among the runs of this pipeline.
        settings: how to get there.
        notify: told when a bucket fails while the run goes on.

    Raises:
        UsageError: the place is none that there is.
        RefusedError: AWS cannot be used at all.
    """
    match _parsed(place):
        case Path() as folder:
            return LocalStore(folder, pipeline, run_id)
        case Bucket() as bucket:
            unsent = UnsentRun(settings.data / UNSENT / run_id)
            return MirroredStore(_s3(bucket, settings), pipeline, unsent, notify)


def open_objects(place: str, settings: Settings) -> Objects:
    """Where the records of all runs lie.

    Args:
        place: a folder, a `file://` or an `s3://` URL.
        settings: how to get there.

    Raises:
        UsageError: the place is none that there is.
        RefusedError: AWS cannot be used at all.
    """
    match _parsed(place):
        case Path() as folder:
            return WithEndings(FolderObjects(folder), settings.data)
        case Bucket() as bucket:
            return _s3(bucket, settings)


def check_outside(place: str, root: Path) -> None:
    """Results never go below the root: the next run would take them for code, and git would show them.

    Args:
        place: as for `open_store`.
        root: where the code is.

    Raises:
        UsageError: the place is the root or below it, or is none that there is.
    """
    parsed = _parsed(place)
    if isinstance(parsed, Path) and parsed.resolve().is_relative_to(root.resolve()):
        hint = "name a folder elsewhere with `--results` or DOCKERCISE_RESULTS"
        raise UsageError(f"results cannot go to {parsed.resolve()}: that is below the root {root.resolve()}", hint)


def shown(url: str) -> str:
    """The URL of a record as a user wants to read and type it: a folder's path where it is one."""
    return unquote(urlsplit(url).path, errors="surrogateescape") if url.startswith("file:") else url


def _parsed(place: str) -> Path | Bucket:
    if not place.strip():
        raise UsageError("the place for results is empty", "give `--results` a folder or s3://bucket/prefix")
    if "://" not in place:
        return _home_expanded(place).absolute()
    try:
        url = urlsplit(place)
    except ValueError as error:
        raise UsageError(f"results cannot go to {place}: that is not a URL", "name a folder or s3://bucket/prefix") from error
    match url.scheme:
        case "s3":
            return parse_bucket(place)
        case "file":
            return _folder(place, url)
        case scheme:
            raise UsageError(
                f"results cannot go to {place}: there is no way to keep them at {scheme}://",
                "name a folder or s3://bucket/prefix",
            )


def _folder(place: str, url: SplitResult) -> Path:
    if url.netloc not in {"", "localhost"} or url.query or url.fragment or not url.path.startswith("/"):
        raise UsageError(
            f"results cannot go to {place}: that names no folder of this machine", "write file:///path/of/a/folder"
        )
    return Path(unquote(url.path, errors="surrogateescape"))


def _s3(bucket: Bucket, settings: Settings) -> Objects:
    from dockercise_prefect.results.places.s3 import S3Objects  # noqa: PLC0415  boto3 takes a while, and a folder does without

    return S3Objects(bucket, settings)


def _home_expanded(place: str) -> Path:
    # A flow run's parameter or a variable has seen no shell that would have done it.
    try:
        return Path(place).expanduser()
    except RuntimeError as error:
        raise UsageError(f"results cannot go to {place}: there is no such home folder", "write the path without `~`") from error
