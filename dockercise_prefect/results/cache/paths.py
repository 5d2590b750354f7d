"""Where everything is that stages with `cache` have left. All paths are those of objects in the place of the results."""

from __future__ import annotations

import re

CACHE = ".cache"
"""The folder of the place. A pipeline cannot have this name."""

CONTENTS = f"{CACHE}/content"
"""The folder of all contents. A pipeline of this name has its entries there too; their paths are different."""

LISTS = f"{CACHE}/lists"
"""The folder of all lists of files. The same holds for a pipeline of this name."""

_ENTRIES = re.compile(rf"{re.escape(CACHE)}/[^/]+/([^/]+)\.json\.zst")
_WITHDRAWAL = re.compile(rf"{re.escape(CACHE)}/[^/]+/([0-9a-f]{{64}})\.([^/]+)\.withdrawn")
_CONTENT = re.compile(rf"{re.escape(CONTENTS)}/[0-9a-f]{{2}}/([0-9a-f]{{64}})\.zst")
_LIST = re.compile(rf"{re.escape(LISTS)}/[0-9a-f]{{2}}/([0-9a-f]{{64}})\.zst")


def entries_folder(pipeline: str) -> str:
    """The folder with the entries of a pipeline."""
    return f"{CACHE}/{pipeline}"


def entries_path(pipeline: str, run_id: str) -> str:
    """The object with the entries of a run."""
    return f"{entries_folder(pipeline)}/{run_id}.json.zst"


def run_of(path: str) -> str | None:
    """The run whose entries are at a path; None if this is not a path of entries."""
    match = _ENTRIES.fullmatch(path)
    return match[1] if match else None


def withdrawal_path(pipeline: str, key: str, run_id: str) -> str:
    """The object that says that a run has withdrawn what has this key, `sha256:…`. It is empty: its name says everything."""
    return f"{entries_folder(pipeline)}/{key.removeprefix('sha256:')}.{run_id}.withdrawn"


def withdrawn_at(path: str) -> tuple[str, str] | None:
    """The key and the run of the path of a withdrawal; None if this is not one."""
    match = _WITHDRAWAL.fullmatch(path)
    return (f"sha256:{match[1]}", match[2]) if match else None


def content_path(digest: str) -> str:
    """The object with the content that has this digest, `sha256:…`."""
    return f"{CONTENTS}/{_name(digest)}"


def list_path(digest: str) -> str:
    """The object with the list of files that this digest, `sha256:…`, is of."""
    return f"{LISTS}/{_name(digest)}"


def digest_of(path: str) -> str | None:
    """The digest of the content at a path; None if this is not a path of a content."""
    match = _CONTENT.fullmatch(path)
    return f"sha256:{match[1]}" if match else None


def list_of(path: str) -> str | None:
    """The digest of the list at a path; None if this is not a path of a list."""
    match = _LIST.fullmatch(path)
    return f"sha256:{match[1]}" if match else None


def _name(digest: str) -> str:
    hexadecimal = digest.removeprefix("sha256:")
    return f"{hexadecimal[:2]}/{hexadecimal}.zst"
