"""Logins to GitHub that are kept on this machine, one for each GitHub, in files that only their owner can read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dockercise_prefect.errors import StorageError, UsageError
from dockercise_prefect.results.places.files import FOLDER_MODE, make_folder, write_json

FOLDER = "logins"
"""The folder of logins in the user's data folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user's login to one GitHub.

    Attributes:
        host: the GitHub: `github.com`.
        user: the name of the account.
        token: what the API accepts.
        ends: when GitHub stops accepting the token; None if it sets no time.
    """

    host: str
    user: str
    token: str = field(repr=False)
    ends: datetime | None = None


class Logins:
    """The kept logins.

    Args:
        data: the user's data folder.
    """

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER

    def path(self, host: str) -> Path:
        """The file of the login to a GitHub."""
        return self._folder / f"{host}.json"

    def find(self, host: str) -> Login | None:
        """The login to a GitHub; None if there is none.

        Raises:
            UsageError: the file is damaged or cannot be read.
        """
        path = self.path(host)
        try:
            content = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}", "check its permissions") from None
        login = _parsed(content, host)
        if login is None:
            # Raised without a cause, which would hold the token.
            raise UsageError(f"{path} is damaged", "log in again with `dockercise login github`")
        return login

    def keep(self, login: Login) -> Path:
        """Keep a login, in place of an earlier one. Returns its file.

        Raises:
            StorageError: the file cannot be written. An earlier login stays as it was.
        """
        path = self.path(login.host)
        about = {
            "host": login.host,
            "user": login.user,
            "token": login.token,
            "ends": login.ends.isoformat() if login.ends else None,
        }
        try:
            make_folder(self._folder)
            self._folder.chmod(FOLDER_MODE)
            write_json(path, about)
        except OSError as error:
            hint = "choose another data folder with DOCKERCISE_DATA"
            raise StorageError(f"cannot write {path}: {error.strerror}", hint) from None
        return path

    def remove(self, host: str) -> bool:
        """Remove the login to a GitHub. Returns whether there was one.

        Raises:
            StorageError: it cannot be removed.
        """
        path = self.path(host)
        try:
            path.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise StorageError(f"cannot remove {path}: {error.strerror}", "remove the file") from None
        return True


def _parsed(content: bytes, host: str) -> Login | None:
    try:
        about: Any = json.loads(content)
        ends = datetime.fromisoformat(about["ends"]).astimezone(UTC) if about["ends"] is not None else None
        user, token = about["user"], about["token"]
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None
    if about.get("host") != host or not (isinstance(user, str) and isinstance(token, str) and user and token):
        return None
    return Login(host=host, user=user, token=token, ends=ends)
