"""Clients of Prefect that share certificates, and that do not wait long for an answer."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import (
    PREFECT_API_SSL_CERT_FILE,
    PREFECT_API_TLS_INSECURE_SKIP_VERIFY,
    temporary_settings,
)

from dockercise_prefect.orchestration.client.http_settings import answered_within
from dockercise_prefect.orchestration.client.settings import asking_once


def test_clients_share_the_certificates() -> None:
    """Clients with different limits do not read the certificates of authorities again."""
    first, second = answered_within(1), answered_within(2)

    assert (first["timeout"], second["timeout"]) == (1, 2)
    assert first["verify"] is second["verify"]
    assert first["verify"].verify_mode is ssl.CERT_REQUIRED
    assert len(first["verify"].get_ca_certs()) > 10


def test_the_users_certificates_count(tmp_path: Path) -> None:
    """PREFECT_API_SSL_CERT_FILE and PREFECT_API_TLS_INSECURE_SKIP_VERIFY have the same meaning as for Prefect's own clients."""
    file = tmp_path / "authority.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=ours", "-out", str(file)]
    subprocess.run([*command, "-keyout", str(tmp_path / "key.pem")], check=True, capture_output=True, timeout=120)

    with temporary_settings({PREFECT_API_SSL_CERT_FILE: str(file)}):
        ours = answered_within(1)["verify"]
        with temporary_settings({PREFECT_API_TLS_INSECURE_SKIP_VERIFY: True}):
            skipping = answered_within(1)["verify"]

    assert [one["subject"] for one in ours.get_ca_certs()] == [((("commonName", "ours"),),)]
    assert (skipping.verify_mode, skipping.check_hostname) == (ssl.CERT_NONE, False)


@pytest.mark.docker  # for the server
def test_such_a_client_reaches_prefect(prefect_api: str) -> None:
    """A client with these settings gets answers from Prefect."""
    assert prefect_api
    with asking_once(), get_client(httpx_settings=answered_within(60), sync_client=True) as client:
        assert client.api_healthcheck() is None
