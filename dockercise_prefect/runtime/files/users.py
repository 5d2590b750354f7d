"""Which user a container runs as: whether it is root, and its user and group ids (`docker run --user`)."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.engine import Engine

_LINKS: Final = 40
"""How many symbolic links are followed for one file. It is the same number as in Linux."""


@dataclass(frozen=True, slots=True)
class Ids:
    """A user and a group as the kernel knows them."""

    uid: int
    gid: int


def is_root(user: str) -> bool:
    """Whether a user setting, of a stage or of an image, means root."""
    return user.partition(":")[0] in {"", "0", "root"}


def ids_of(user: str, passwd: bytes, group: bytes) -> Ids:
    """The ids of a user setting, `user[:group]`. Both parts may be names or numbers.

    What is not in the image's files counts as root: such a container does not start, and the engine says why.

    Args:
        user: the setting.
        passwd: the image's `/etc/passwd`; empty if there is no such file.
        group: the image's `/etc/group`; empty likewise.
    """
    name, _, group_name = user.partition(":")
    account = next((fields for fields in _lines(passwd, 4) if name in {fields[0], fields[2]}), None)
    uid = int(name) if name.isdecimal() else _number(account, 2)
    if not group_name:
        return Ids(uid, _number(account, 3))
    if group_name.isdecimal():
        return Ids(uid, int(group_name))
    return Ids(uid, _number(next((fields for fields in _lines(group, 3) if fields[0] == group_name), None), 2))


def look_up(engine: Engine, container: str, user: str) -> Ids:
    """The ids of a user setting in a container that was created."""
    return ids_of(user, _file(engine, container, "/etc/passwd"), _file(engine, container, "/etc/group"))


def _lines(text: bytes, fields: int) -> Iterator[list[str]]:
    for line in text.decode("utf-8", errors="replace").splitlines():
        parts = line.split(":")
        if len(parts) >= fields:
            yield parts


def _number(fields: list[str] | None, index: int) -> int:
    return int(fields[index]) if fields and fields[index].isdecimal() else 0


def _file(engine: Engine, container: str, path: str) -> bytes:
    """A small file of the container; empty if it does not exist, since not every image has users.

    The engine returns a symbolic link as a link, so links are followed here. On any other error, the ids stay unknown.
    """
    try:
        for _ in range(_LINKS):
            with tarfile.open(fileobj=BytesIO(b"".join(engine.get(container, path)))) as archive:
                member = archive.next()
                if member is None or not member.issym():
                    content = archive.extractfile(member) if member is not None and member.isfile() else None
                    return content.read() if content is not None else b""
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))
    except (EngineError, tarfile.TarError):
        pass
    return b""
