"""The engine of a run, with the credentials for private registries from a Prefect block."""

from __future__ import annotations

from dockercise_prefect.errors import UsageError
from dockercise_prefect.runtime.docker.engine import Credentials, DockerEngine
from dockercise_prefect.settings import Settings


def connect_engine(settings: Settings) -> DockerEngine:
    """The user's engine.

    Raises:
        EngineError: no engine answers.
        UsageError: the registry-credentials block that the settings name does not exist.
    """
    return DockerEngine.connect(registry_credentials(settings))


def registry_credentials(settings: Settings) -> Credentials:
    """The content of the block that the settings name: registry to user and password. Empty if they do not name a block.

    Raises:
        UsageError: the block does not exist.
    """
    block_name = settings.registry_credentials
    if block_name is None:
        return {}
    from prefect_docker.credentials import DockerRegistryCredentials  # type: ignore[import-untyped]  # noqa: PLC0415  has no types; takes half a second, and few need it

    try:
        block = DockerRegistryCredentials.load(block_name, _sync=True)
    except ValueError as error:
        hint = "create it in Prefect's UI under Blocks, or unset the setting `registry_credentials`"
        raise UsageError(f"there is no registry-credentials block named {block_name!r}", hint) from error
    return {block.registry_url: (block.username, block.password.get_secret_value())}
