"""Published keys of ssh hosts, so that the first connection to such a host can be checked."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from dockercise_prefect.errors import RepositoryError
from dockercise_prefect.repository.folders import make_folder

FILE = "known_hosts"
"""In the folder of the mirrors, where ssh looks and adds what it sees itself."""


def remember(folder: Path, lines: Iterable[str]) -> None:
    """Have the mirrors below a folder know hosts by these keys.

    Args:
        folder: holds the mirrors; made when needed.
        lines: as known_hosts has them (sshd(8)): `github.com ssh-ed25519 AAAA…`.

    Raises:
        RepositoryError: the file cannot be written.
    """
    make_folder(folder)
    path = folder / FILE
    try:
        with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+", encoding="utf-8") as file:  # noqa: PTH123  with a mode
            text = file.read()
            known = set(text.splitlines())
            start = "\n" if text and not text.endswith("\n") else ""
            # ssh adds to the file too: what is written goes behind that, whole.
            file.write(start + "".join(f"{line}\n" for line in dict.fromkeys(lines) if line not in known))
    except (OSError, ValueError) as error:
        raise RepositoryError(f"cannot write {path}: {error}", "it holds the keys of ssh hosts; fix or remove it") from error
