"""The place of results, in the form that a user writes: a folder or a URL."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from dockercise_prefect.errors import UsageError
from dockercise_prefect.results.places.bucket import Bucket, parse_bucket


def check_outside(place: str, root: Path) -> None:
    """Refuse a place for results below the root: the next run would treat them as code, and git would show them.

    Args:
        place: see `open_store`.
        root: where the code is.

    Raises:
        UsageError: the place is the root or below it, or is not valid.
    """
    parsed = parse_place(place)
    if isinstance(parsed, Path) and parsed.resolve().is_relative_to(root.resolve()):
        hint = "name a folder elsewhere with `--results` or DOCKERCISE_RESULTS"
        raise UsageError(f"results cannot go to {parsed.resolve()}: that is below the root {root.resolve()}", hint)


def shown(url: str) -> str:
    """The URL of a record in a form that is easy to read and type: if it is a folder, its path."""
    return unquote(urlsplit(url).path, errors="surrogateescape") if url.startswith("file:") else url


def parse_place(place: str) -> Path | Bucket:
    """The place that a user names.

    Args:
        place: a folder, a `file://` URL or an `s3://` URL.

    Raises:
        UsageError: the place is not valid.
    """
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
                f"results cannot go to {place}: {scheme}:// is not supported",
                "name a folder or s3://bucket/prefix",
            )


def _folder(place: str, url: SplitResult) -> Path:
    if url.netloc not in {"", "localhost"} or url.query or url.fragment or not url.path.startswith("/"):
        raise UsageError(
            f"results cannot go to {place}: that is not a folder on this machine", "write file:///path/of/a/folder"
        )
    return Path(unquote(url.path, errors="surrogateescape"))


def _home_expanded(place: str) -> Path:
    # A shell has not expanded the parameter of a flow run, or a variable.
    try:
        return Path(place).expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"results cannot go to {place}: that home folder does not exist", "write the path without `~`"
        ) from error
