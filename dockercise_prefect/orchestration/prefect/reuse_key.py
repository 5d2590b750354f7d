"""The key for digests of what is sensitive: a Secret block of Prefect, which all who share runs can read."""

from __future__ import annotations

import secrets

from dockercise_prefect.errors import OrchestratorError
from dockercise_prefect.orchestration.prefect.secret_blocks import find_secret, save_secret
from dockercise_prefect.reuse.text_digests import KEY_BYTES

BLOCK = "dockercise-reuse-key"
"""The name of the block. Whoever removes it lets stages with secret variables run once more."""


def reuse_key() -> bytes | None:
    """The key, which is made if there is none; None if Prefect cannot store it, or if the block holds something else."""
    try:
        known = find_secret(BLOCK)
        if known is None:
            save_secret(BLOCK, secrets.token_hex(KEY_BYTES))
            known = find_secret(BLOCK)
        return bytes.fromhex(known or "") or None
    except (OrchestratorError, ValueError):
        return None
