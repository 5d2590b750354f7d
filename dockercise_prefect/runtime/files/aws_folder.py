"""The user's AWS folder, for stages that ask for it by `--aws` (LANGUAGE section 3, "AWS credentials")."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dockercise_prefect.archives.tarball import Entry, File, Folder
from dockercise_prefect.errors import UsageError

SHARED_PATH = "/run/dockercise-aws"
"""A path that every user of a container can reach. In most images, only root can read `/root`."""

ROOT_PATH = "/root/.aws"

VARIABLES = {
    "AWS_CONFIG_FILE": f"{SHARED_PATH}/config",
    "AWS_SHARED_CREDENTIALS_FILE": f"{SHARED_PATH}/credentials",
}


def aws_entries(home: Path, environment: Mapping[str, str]) -> list[Entry]:
    """A copy of the user's AWS folder: files have mode 0444, folders 0555, and links are followed.

    Args:
        home: the user's home folder.
        environment: of this process. If it has `AWS_CONFIG_FILE` or `AWS_SHARED_CREDENTIALS_FILE`, these files replace the
            folder's `config` and `credentials`.

    Raises:
        UsageError: there is no such folder, or it cannot be read.
    """
    folder = home / ".aws"
    sources = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    for name, variable in (("config", "AWS_CONFIG_FILE"), ("credentials", "AWS_SHARED_CREDENTIALS_FILE")):
        if environment.get(variable):
            sources[name] = Path(environment[variable]).expanduser()
    if not sources:
        raise UsageError(f"--aws: there is no AWS folder {folder}", "`aws configure` creates one")
    entries: dict[str, Entry] = {}
    for name, path in sorted(sources.items()):
        for parent in [parent.as_posix() for parent in reversed(Path(name).parents[:-1])]:
            entries[parent] = Folder(path=parent, mode=0o555)
        entries[name] = _file(name, path)
    return list(entries.values())


def _file(name: str, path: Path) -> File:
    try:
        data = path.read_bytes()
        modified = path.stat().st_mtime
    except OSError as error:
        raise UsageError(f"--aws: {path} cannot be read: {error.strerror}") from error
    return File(path=name, size=len(data), content=lambda: [data], mode=0o444, mtime=modified)
