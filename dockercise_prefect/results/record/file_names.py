"""The names of the files of a record."""

from __future__ import annotations

from dockercise_prefect.pipeline import StageName

INDEX = "index.json"
"""The pipeline."""

SUMMARY = "summary.json"
"""How the run and each of its stages ended."""

OUTPUTS = "out.zip"
"""What all stages printed on stdout."""

REPORT = "report.html"
"""The page of the run."""

PACKED = ".zst"
"""The ending of files that are compressed."""


def entry_file(stage: StageName) -> str:
    """The file with the stage's end, its value, and what is not stored."""
    return f"{stage}.json"


def output_file(stage: StageName) -> str:
    """The file with the exact stdout of the stage."""
    return f"{stage}.out"


def volume_file(stage: StageName) -> str:
    """The file with the content of the stage's volume."""
    return f"{stage}.tar{PACKED}"


def tests_file(stage: StageName) -> str:
    """The file with the tests of the stage, from its reports."""
    return f"{stage}.tests.json"


def plain_log(stage: StageName) -> str:
    """The file with the stage's log while it grows. A short log stays there."""
    return f"{stage}.log"


def packed_log(stage: StageName) -> str:
    """The file with the stage's log if it is long."""
    return f"{plain_log(stage)}{PACKED}"


def replaced_by(file: str) -> str | None:
    """The plain log that this file replaced; None if the file is not a compressed log."""
    return file.removesuffix(PACKED) if file.endswith(f".log{PACKED}") else None
