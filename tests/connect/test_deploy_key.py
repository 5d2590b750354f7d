"""Key pairs for reading repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dockercise_prefect.connect.deploy_key import fingerprint, make_deploy_key, read_deploy_key


def test_openssh_takes_it(tmp_path: Path) -> None:
    """The private half is a file that ssh reads; ssh derives the same public half and fingerprint from it."""
    pair = make_deploy_key()
    file = tmp_path / "key"
    file.write_text(pair.private, encoding="ascii")
    file.chmod(0o600)

    public = subprocess.run(["ssh-keygen", "-y", "-f", file], capture_output=True, text=True, check=True).stdout
    said = subprocess.run(["ssh-keygen", "-l", "-f", file], capture_output=True, text=True, check=True).stdout

    assert public.strip() == pair.public
    assert said.split()[:2] == ["256", pair.fingerprint]
    assert said.strip().endswith("(ED25519)")


def test_pair_is_read_back() -> None:
    """The private half alone gives the whole pair, and every new pair is different."""
    pair = make_deploy_key()

    assert read_deploy_key(pair.private) == pair
    assert make_deploy_key() != pair


@pytest.mark.parametrize(
    "text", ["", "a token", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----"]
)
def test_no_key(text: str) -> None:
    """Anything that is not one of our keys is not accepted as one."""
    assert read_deploy_key(text) is None


def test_private_half_is_not_shown() -> None:
    """Printing a pair shows no secret."""
    pair = make_deploy_key()

    assert "PRIVATE" not in repr(pair)


@pytest.mark.parametrize("text", ["", "ssh-ed25519", "ssh-ed25519 !!!"])
def test_no_fingerprint(text: str) -> None:
    """A text that is not a public key has an empty fingerprint."""
    assert fingerprint(text) == ""
