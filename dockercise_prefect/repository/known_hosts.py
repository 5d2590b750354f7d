"""Published keys of ssh hosts, so that the first connection to such a host can be checked."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from dockercise_prefect.errors import RepositoryError
from dockercise_prefect.repository.folders import make_folder

FILE = "known_hosts"
"""The file in the folder of the mirrors. Ssh reads it, and adds the keys of new hosts to it."""


def remember(folder: Path, lines: Iterable[str]) -> None:
    """Store the keys of hosts for the mirrors below a folder.

    Args:
        folder: the folder of the mirrors; created if it does not exist.
        lines: lines of a known_hosts file (sshd(8)): `github.com ssh-ed25519 AAAA…`.

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
            # ssh adds lines to the file too. So the new lines are appended, all in one write.
            file.write(start + "".join(f"{line}\n" for line in dict.fromkeys(lines) if line not in known))
    except (OSError, ValueError) as error:
        raise RepositoryError(f"cannot write {path}: {error}", "it contains the keys of ssh hosts; fix or remove it") from error
