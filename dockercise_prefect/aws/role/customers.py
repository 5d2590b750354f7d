"""The customers in whose accounts this dockercise works, each with an external id of its own."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dockercise_prefect.errors import UsageError
from dockercise_prefect.results.places.files import make_folder, storing, whole_file

FOLDER = "aws/customers"
"""The name of the folder below the user's data folder."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)

_RANDOM_BYTES = 24
"""192 bits: nobody guesses an external id, and no two customers ever get the same."""


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer.

    Attributes:
        name: at most 40 letters in lower case, digits and dashes.
        external_id: the text that the trust of the customer's role asks for.
    """

    name: str
    external_id: str = field(repr=False)


class Customers:
    """The customers of one user, each in a file that only this user can read.

    An external id is made once and never changes: a customer cannot choose it, so no customer can name the id of another one
    (AWS, IAM User Guide, "The confused deputy problem").

    Args:
        data: the user's data folder.
    """

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER

    def add(self, name: str) -> Customer:
        """Make an external id for a new customer, and store it.

        Raises:
            UsageError: the name has another form, or there is such a customer.
            StorageError: the file cannot be written.
        """
        path = self._path(name)
        customer = Customer(name, secrets.token_urlsafe(_RANDOM_BYTES))
        with storing(path):
            make_folder(self._folder)
            unfinished = self._folder / f".{secrets.token_hex(6)}.new"
            with whole_file(unfinished) as file:
                file.write(json.dumps({"external_id": customer.external_id}).encode() + b"\n")
            try:
                os.link(unfinished, path)  # unlike a replacement, this keeps the id of a customer that exists
            except FileExistsError:
                raise UsageError(f"the customer {name} exists", f"`dockercise aws role show {name}` shows it") from None
            finally:
                unfinished.unlink()
        return customer

    def find(self, name: str) -> Customer:
        """The customer of that name.

        Raises:
            UsageError: the customer is not known, or its file cannot be read.
        """
        path = self._path(name)
        try:
            return Customer(name, str(json.loads(path.read_text(encoding="utf-8"))["external_id"]))
        except FileNotFoundError:
            hint = f"`dockercise aws role new {name}` adds it, `dockercise aws role list` lists all"
            raise UsageError(f"there is no customer {name}", hint) from None
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}", "check its permissions") from error
        except (ValueError, KeyError, TypeError):  # the exception may contain the external id
            raise UsageError(f"{path} is damaged", "restore it from a backup: a new id needs a new role") from None

    def names(self) -> Sequence[str]:
        """The names of all customers, sorted."""
        return sorted(path.stem for path in self._folder.glob("*.json"))

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            hint = "use letters in lower case, digits and dashes, at most 40 characters"
            raise UsageError(f"`{name}` cannot be the name of a customer", hint)
        return self._folder / f"{name}.json"
