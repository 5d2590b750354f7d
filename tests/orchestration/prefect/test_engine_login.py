"""Credentials for private registries that are stored in Prefect."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from prefect_docker.credentials import DockerRegistryCredentials  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.errors import UsageError
from dockercise_prefect.orchestration.prefect.engine_login import registry_credentials
from dockercise_prefect.settings import read_settings

pytestmark = pytest.mark.docker  # for the Prefect server


def test_a_block_gives_the_credentials_of_its_registry(prefect_api: str) -> None:
    """The setting names a registry-credentials block, whose user and password go to the engine for that registry."""
    block = DockerRegistryCredentials(username="ada", password="hunter2", registry_url="registry.test")
    cast("Any", block).save("private", overwrite=True, _sync=True)
    settings = replace(read_settings(), registry_credentials="private")

    found = registry_credentials(settings)

    assert found == {"registry.test": ("ada", "hunter2")}


def test_a_block_that_is_not_there_is_named(prefect_api: str) -> None:
    """The message names the block and where to make it."""
    settings = replace(read_settings(), registry_credentials="no-such-block")

    with pytest.raises(UsageError, match="no-such-block"):
        registry_credentials(settings)


def test_without_the_setting_there_are_none() -> None:
    """The engine's own SDK uses the user's Docker configuration instead."""
    assert registry_credentials(replace(read_settings(), registry_credentials=None)) == {}
