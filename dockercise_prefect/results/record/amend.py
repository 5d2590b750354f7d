"""Changes the summary of a run after its record was finished."""

from __future__ import annotations

import io

from dockercise_prefect.results.places.files import json_bytes
from dockercise_prefect.results.places.objects import Objects
from dockercise_prefect.results.record.file_names import SUMMARY
from dockercise_prefect.results.summary import RunSummary


def rewrite_summary(objects: Objects, summary: RunSummary) -> None:
    """Replace the summary of a record that has reached its place.

    Raises:
        StorageError: the summary cannot be written.
    """
    path = f"{summary.pipeline}/{summary.run_id}/{SUMMARY}"
    objects.put(path, io.BytesIO(json_bytes(summary.to_json())))
