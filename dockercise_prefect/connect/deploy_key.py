"""The key pair that a repository is read with. The host knows the public half, and a Secret block holds the private half."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)


@dataclass(frozen=True, slots=True)
class DeployKey:
    """An ed25519 key pair.

    Attributes:
        public: one line, `ssh-ed25519 AAAA…`, without a comment.
        private: in OpenSSH's file format, without a passphrase.
    """

    public: str
    private: str = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """The fingerprint that `ssh-keygen -l` and the host's pages show: `SHA256:…`."""
        return fingerprint(self.public)


def make_deploy_key() -> DeployKey:
    """Make a new key pair."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return DeployKey(_public(key), private.decode("ascii"))


def read_deploy_key(private: str) -> DeployKey | None:
    """The key pair of a private half; None if the text is not an ed25519 key without a passphrase."""
    try:
        key = load_ssh_private_key(private.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return DeployKey(_public(key), private) if isinstance(key, Ed25519PrivateKey) else None


def fingerprint(public: str) -> str:
    """The fingerprint of a public key in OpenSSH's format; empty if the key is in another format."""
    words = public.split()
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (IndexError, ValueError):
        return ""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).rstrip(b"=").decode("ascii")


def _public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")
