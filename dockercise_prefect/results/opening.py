"""Opens the place that a user names for results: for the record of one run, or for the records of all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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
    match parse_place(place):
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
    match parse_place(place):
        case Path() as folder:
            return WithEndings(FolderObjects(folder), settings.data)
        case Bucket() as bucket:
            return _s3(bucket, settings)


def _s3(bucket: Bucket, settings: Settings) -> Objects:
    from dockercise_prefect.results.places.s3 import S3Objects  # noqa: PLC0415  boto3 takes a while, and a folder does without

    return S3Objects(bucket, settings)
