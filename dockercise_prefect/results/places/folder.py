"""A local folder with the records of runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dockercise_prefect.errors import StorageError
from dockercise_prefect.results.places.files import make_folder, storing, whole_file
from dockercise_prefect.results.places.objects import NotStoredError

CHUNK = 262_144
"""How many bytes are read at once."""

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

    def link(self, path: str) -> str:
        """See `Objects`."""
        return (self._folder / path).as_uri()
