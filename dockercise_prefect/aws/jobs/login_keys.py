"""The keys that jobs log in to a host with. A job offers its public key in a parameter of the host's stack, for a moment.

EC2 Instance Connect does the same, but needs a program on the host that Debian does not have. sshd on the host asks
`dockercise aws job-keys` (sshd_config(5), AuthorizedKeysCommand), which prints what `offered_keys` returns.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from dockercise_prefect.aws.account import calling
from dockercise_prefect.aws.names import StackNames

FOLDER = "job-keys"
"""The folder of these parameters, below the host's stack."""

KEY_SECONDS = 120
"""For how many seconds a key opens the host. It is needed only at the beginning of a connection."""


class KeyOffer:
    """A public key that can be offered again and again.

    Args:
        client: boto3's client for SSM, in the account of the host.
        name: the full name of the parameter.
        public: the public key, one line.
        clock: gives seconds since 1970.
    """

    def __init__(self, client: Any, name: str, public: str, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._name = name
        self._public = public
        self._clock = clock

    def renew(self) -> None:
        """Let the key open the host from now on, for `KEY_SECONDS`.

        Raises:
            StorageError: SSM does not answer, or refuses.
        """
        value = json.dumps({"key": self._public, "until": int(self._clock()) + KEY_SECONDS})
        with calling(f"cannot write the parameter {self._name}", "ssm:PutParameter"):
            self._client.put_parameter(Name=self._name, Value=value, Type="String", Overwrite=True)


@contextmanager
def key_offer(client: Any, names: StackNames, public: str, clock: Callable[[], float] = time.time) -> Iterator[KeyOffer]:
    """A key that can be offered inside. Afterwards, its parameter is gone.

    Args:
        client: boto3's client for SSM, in the account of the host.
        names: the names of the host's stack.
        public: the public key, one line.
        clock: gives seconds since 1970.

    Raises:
        StorageError: SSM does not answer, or refuses.
    """
    name = names.parameter(FOLDER, secrets.token_hex(8))
    try:
        yield KeyOffer(client, name, public, clock)
    finally:
        with calling(f"cannot remove the parameter {name}", "ssm:DeleteParameters"):
            client.delete_parameters(Names=[name])


def offered_keys(client: Any, names: StackNames, clock: Callable[[], float] = time.time) -> Sequence[str]:
    """The keys that open the host now. sshd lets nobody in if this fails.

    Args:
        client: boto3's client for SSM, with the host's own rights.
        names: the names of the host's stack.
        clock: gives seconds since 1970.

    Raises:
        StorageError: SSM does not answer, or refuses.
    """
    path = names.parameter(FOLDER)
    with calling(f"cannot read the parameters below {path}", "ssm:GetParametersByPath"):
        pages = client.get_paginator("get_parameters_by_path").paginate(Path=path)
        texts = [str(parameter["Value"]) for page in pages for parameter in page["Parameters"]]
    return [key for key, until in filter(None, map(_read, texts)) if clock() < until]


def _read(text: str) -> tuple[str, int] | None:
    """A key and its end; None if the text is not an offer, or has more lines, which could be options of sshd."""
    try:
        offer = json.loads(text)
        key, until = offer["key"], offer["until"]
    except (ValueError, KeyError, TypeError):
        return None
    is_one_key = isinstance(key, str) and key.startswith("ssh-ed25519 ") and key.isprintable() and len(key.split()) == 2  # noqa: PLR2004  kind and key
    return (key, until) if is_one_key and isinstance(until, int) else None
