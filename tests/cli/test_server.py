"""What `up`, `down` and `status` say."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from dockercise_prefect.errors import ExitStatus
from tests.cli.conftest import Command

ADDRESS = "https://ada:hunter2@prefect.example.org/api"


def test_status_names_another_prefect_without_its_password(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who set PREFECT_API_URL is told that runs go there, and not to the local server."""
    monkeypatch.setenv("DOCKERCISE_DATA", str(tmp_path))
    monkeypatch.setenv("PREFECT_API_URL", ADDRESS)

    with temporary_settings({PREFECT_API_URL: ADDRESS}):
        outcome = command("status")

    assert "runs report to https://***@prefect.example.org/api, not to the local server" in outcome.out
    assert "no local Prefect server runs" in outcome.out
    assert "hunter2" not in outcome.out + outcome.err
    assert outcome.status == ExitStatus.ENGINE_FAILED
