"""Prefect's Secret blocks: where credentials are, encrypted, for all of a user's workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from prefect.blocks.system import Secret
from pydantic import SecretStr

from dockercise_prefect.orchestration.api import LOST, lost_api


def load_secret(block: str) -> str | None:
    """What the Secret block of that name holds, None when there is none.

    Raises:
        ObjectUnsupported, httpx.HTTPError: Prefect did not answer; a missing block is no error.
    """
    try:
        loaded = cast("Any", Secret).load(block, _sync=True)  # the switch of their asynchronous methods has no type
    except ValueError:  # what Prefect raises for a block that is not there
        return None
    return str(loaded.get())


def find_secret(block: str) -> str | None:
    """What the Secret block of that name holds, None when there is none.

    Raises:
        OrchestratorError: Prefect does not answer.
    """
    with _answering():
        return load_secret(block)


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
