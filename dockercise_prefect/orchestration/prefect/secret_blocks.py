"""Prefect's Secret blocks, which store credentials, encrypted, for all workers of a user."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from pydantic import SecretStr

from dockercise_prefect.errors import UsageError
from dockercise_prefect.orchestration.prefect.api import LOST, lost_api


def load_secret(block: str) -> str | None:
    """The content of the Secret block with that name; None if the block does not exist.

    Raises:
        PrefectException, httpx.HTTPError: Prefect did not answer; a missing block is not an error.
    """
    if not re.fullmatch(r"[^/%&<>?#\s]*[^/%&<>?#\s.]", block):  # it becomes part of an address; Prefect allows no such name
        return None
    # Prefect's `Secret.load` also reports its call to Prefect, and that keeps a process from ending if Prefect is down.
    with get_client(sync_client=True) as client:
        try:
            document = client.read_block_document_by_name(block, "secret", include_secrets=True)
        except ObjectNotFound:
            return None
    return str(document.data["value"])


def find_secret(block: str) -> str | None:
    """The content of the Secret block with that name; None if the block does not exist.

    Raises:
        OrchestratorError: Prefect does not answer.
    """
    with _answering():
        return load_secret(block)


def needed_secret(block: str) -> str:
    """The content of the Secret block with that name.

    Raises:
        UsageError: the block does not exist.
        OrchestratorError: Prefect does not answer.
    """
    secret = find_secret(block)
    if secret is None:
        raise UsageError(
            f"there is no Secret block `{block}` in Prefect", "create it in Prefect's UI under Blocks, type Secret"
        )
    return secret


def save_secret(block: str, text: str) -> None:
    """Store a text in the Secret block with that name, and replace its old content.

    Args:
        block: the name: lower-case letters, digits and dashes.
        text: the secret.

    Raises:
        OrchestratorError: Prefect does not answer.
    """
    with _answering():
        cast("Any", Secret(value=SecretStr(text))).save(block, overwrite=True, _sync=True)


def delete_secret(block: str) -> bool:
    """Remove the Secret block with that name. Returns whether it existed.

    Raises:
        OrchestratorError: Prefect does not answer.
    """
    with _answering():
        try:
            cast("Any", Secret).delete(block, _sync=True)
        except ValueError:  # as for `load`
            return False
    return True


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except LOST as error:
        raise lost_api(error) from error
