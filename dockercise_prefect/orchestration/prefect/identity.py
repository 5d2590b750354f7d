"""How the local server proves that it belongs to a data folder: it signs answers with a secret that only the folder has."""

from __future__ import annotations

import hmac
import http.client
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dockercise_prefect.results.places.files import write_whole

PATH = "/dockercise/identity"
QUESTION = "challenge"

ANSWER_SECONDS = 15.0
_LONGEST_ANSWER = 4096


def answer(secret: bytes, challenge: str, claim: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of a server, as JSON.

    Args:
        secret: the secret of its data folder.
        challenge: the text that the client sent, a new one each time.
        claim: what the server says about itself. It contains the port, so another server cannot reuse the answer.
    """
    return {"claim": dict(claim), "proof": _proof(secret, challenge, claim)}


def ask(host: str, port: int, secret: bytes) -> dict[str, Any] | None:
    """What the server at a port says about itself.

    Returns:
        The claim; None if nothing answers within 15 seconds; an empty claim if the server does not know the secret.
    """
    challenge = secrets.token_hex(32)
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", f"{PATH}?{QUESTION}={challenge}")
        text = connection.getresponse().read(_LONGEST_ANSWER)
    except http.client.HTTPException:
        return {}
    except OSError:
        return None
    finally:
        connection.close()
    try:
        said = json.loads(text)
        claim, proof = dict(said["claim"]), str(said["proof"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}
    return claim if hmac.compare_digest(proof.encode(), _proof(secret, challenge, claim).encode()) else {}


def make_secret(file: Path) -> bytes:
    """The secret in a file that only its owner may read. The file is created if it does not exist.

    Raises:
        OSError: the file cannot be read or written.
    """
    if not file.exists():
        write_whole(file, secrets.token_hex(32).encode())
    return file.read_bytes()


def _proof(secret: bytes, challenge: str, claim: Mapping[str, Any]) -> str:
    return hmac.new(secret, json.dumps([challenge, dict(claim)], sort_keys=True).encode(), "sha256").hexdigest()
