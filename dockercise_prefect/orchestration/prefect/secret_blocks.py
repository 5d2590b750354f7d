"""Prefect's Secret blocks: where credentials are, encrypted, for all of a user's workers."""

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
    """What the Secret block of that name holds, None when there is none.

    Raises:
        PrefectException, httpx.HTTPError: Prefect did not answer; a missing block is not an error.
    """
    if not re.fullmatch(r"[^/%&<>?#\s]*[^/%&<>?#\s.]", block):  # it would be part of an address; Prefect has none so named
        return None
    # Their `Secret.load` also tells Prefect that it was called, which keeps a process from ending where Prefect is down.
    with get_client(sync_client=True) as client:
        try:
            document = client.read_block_document_by_name(block, "secret", include_secrets=True)
        except ObjectNotFound:
            return None
    return str(document.data["value"])


def find_secret(block: str) -> str | None:
    """What the Secret block of that name holds, None when there is none.

    Raises:
        OrchestratorError: Prefect does not answer.
    """
    with _answering():
        return load_secret(block)


def needed_secret(block: str) -> str:
    """What the Secret block of that name holds.

    Raises:
        UsageError: there is none.
        OrchestratorError: Prefect does not answer.
    """
    secret = find_secret(block)
    if secret is None:
        raise UsageError(
            f"there is no Secret block `{block}` in Prefect", "create it in Prefect's UI under Blocks, type Secret"
        )
    return secret


def save_secret(block: str, text: str) -> None:
    """Put a text into the Secret block of that name, in the place of what it holds.

    Args:
        block: lower-case letters, digits and dashes.
        text: what is secret.

    Raises:
        OrchestratorError: Prefect does not answer.
    """
    with _answering():
        cast("Any", Secret(value=SecretStr(text))).save(block, overwrite=True, _sync=True)


def delete_secret(block: str) -> bool:
    """Remove the Secret block of that name; returns whether there was one.

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
