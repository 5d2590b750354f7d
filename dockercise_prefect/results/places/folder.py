"""A local folder with the records of runs."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from dockercise_prefect.errors import StorageError
from dockercise_prefect.results.places.files import make_folder, storing, whole_file
from dockercise_prefect.results.places.objects import NotStoredError, Stored

CHUNK = 262_144
"""How many bytes are read at once."""

_REMOVED = ".removed-"
"""The beginning of the name of a folder that is being removed."""

_HINT = "check its permissions, or name another place"


class FolderObjects:
    """`Objects` in a folder.

    Args:
        folder: an absolute path. The folder need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def url(self) -> str:
        """See `Objects`."""
        return self._folder.as_uri()

    def folders(self, path: str) -> list[str]:
        """See `Objects`."""
        where = self._folder / path
        try:
            return sorted(entry.name for entry in os.scandir(where) if entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise StorageError(f"cannot read {where}: {error.strerror}", _HINT) from error

    def chunks(self, path: str, start: int = 0) -> Iterator[bytes]:
        """See `Objects`."""
        where = self._folder / path
        try:
            with where.open("rb") as file:
                file.seek(start)
                while chunk := file.read(CHUNK):
                    yield chunk
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise NotStoredError(f"there is no {where}") from error
        except OSError as error:
            raise StorageError(f"cannot read {where}: {error.strerror}", _HINT) from error

    def put(self, path: str, content: BinaryIO) -> None:
        """See `Objects`."""
        where = self._folder / path
        with storing(where):
            make_folder(where.parent)
            with whole_file(where) as file:
                shutil.copyfileobj(content, file, CHUNK)

    def remove(self, path: str) -> None:
        """See `Objects`."""
        where = self._folder / path
        with storing(where):
            where.unlink(missing_ok=True)

    def sizes(self, path: str) -> dict[str, int]:
        """See `Objects`."""
        return {name: one.size for name, one in self.stored(path).items()}

    def stored(self, path: str) -> dict[str, Stored]:
        """See `Objects`."""
        where = self._folder / path
        found: dict[str, Stored] = {}
        for folder, _, names in os.walk(where):
            for name in names:
                file = Path(folder) / name
                with suppress(FileNotFoundError):
                    about = file.lstat()
                    written = datetime.fromtimestamp(about.st_mtime, UTC)
                    found[file.relative_to(where).as_posix()] = Stored(about.st_size, written)
        return found

    def remove_folder(self, path: str, last: str) -> None:
        """See `Objects`. The folder gets another name first, so that it is gone at once, and all at once."""
        del last
        where = self._folder / path
        with storing(where):
            if where.is_dir():
                with suppress(FileNotFoundError):  # another process removes it
                    where.replace(where.with_name(f"{_REMOVED}{secrets.token_hex(8)}"))
            for removed in where.parent.glob(f"{_REMOVED}*"):
                with suppress(FileNotFoundError):
                    shutil.rmtree(removed)

    def link(self, path: str) -> str:
        """See `Objects`."""
        return (self._folder / path).as_uri()
