"""Opens the place that a user names for results: for the record of one run, or for the records of all runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dockercise_prefect.results.places.bucket import Bucket
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.places.objects import Objects
from dockercise_prefect.results.places.place import parse_place
from dockercise_prefect.results.record.endings import WithEndings
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.results.record.mirrored_store import MirroredStore
from dockercise_prefect.results.record.store import RunStore
from dockercise_prefect.results.record.unsent import UNSENT, UnsentRun
from dockercise_prefect.settings import Settings

if TYPE_CHECKING:
    from dockercise_prefect.results.places.s3 import S3Objects


def open_store(place: str, pipeline: str, run_id: str, settings: Settings, notify: Callable[[str], None]) -> RunStore:
    """The store for the record of this run. Nothing is written yet.

    Args:
        place: a folder, a `file://` URL or an `s3://` URL.
        pipeline: the name of the pipeline.
        run_id: unique among the runs of this pipeline.
        settings: the settings for access to the place.
        notify: called with a message if a bucket fails during the run.

    Raises:
        UsageError: the place is not valid.
        RefusedError: AWS cannot be used at all.
    """
    match parse_place(place):
        case Path() as folder:
            return LocalStore(folder, pipeline, run_id)
        case Bucket() as bucket:
            unsent = UnsentRun(settings.data / UNSENT / run_id)
            return MirroredStore(_s3(bucket, settings), pipeline, unsent, notify)


def open_objects(place: str, settings: Settings) -> Objects:
    """The place with the records of all runs.

    Args:
        place: a folder, a `file://` URL or an `s3://` URL.
        settings: the settings for access to the place.

    Raises:
        UsageError: the place is not valid.
        RefusedError: AWS cannot be used at all.
    """
    match parse_place(place):
        case Path() as folder:
            return WithEndings(FolderObjects(folder), settings.data)
        case Bucket() as bucket:
            return _s3(bucket, settings)


def prove_usable(bucket: Bucket, settings: Settings) -> None:
    """Find out whether a bucket can be read and written. Nothing is left there.

    Raises:
        StorageError: it cannot.
    """
    _s3(bucket, settings).prove_usable()


def _s3(bucket: Bucket, settings: Settings) -> S3Objects:
    from dockercise_prefect.results.places.s3 import S3Objects  # noqa: PLC0415  boto3 is slow to import, and a folder does not need it

    return S3Objects(bucket, settings)
