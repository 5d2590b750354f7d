"""The engine of a run, with the credentials that a Prefect block holds for private registries."""

from __future__ import annotations

from dockercise_prefect.errors import UsageError
from dockercise_prefect.runtime.docker.engine import Credentials, DockerEngine
from dockercise_prefect.settings import Settings


def connect_engine(settings: Settings) -> DockerEngine:
    """The user's engine.

    Raises:
        EngineError: no engine answers.
        UsageError: the settings name a registry-credentials block that there is not.
    """
    return DockerEngine.connect(registry_credentials(settings))


def registry_credentials(settings: Settings) -> Credentials:
    """What the block that the settings name holds: registry to user and password; nothing where they name none.

    Raises:
        UsageError: there is no such block.
    """
    block_name = settings.registry_credentials
    if block_name is None:
        return {}
    from prefect_docker.credentials import DockerRegistryCredentials  # type: ignore[import-untyped]  # noqa: PLC0415  has no types; half a second for what few need

    try:
        block = DockerRegistryCredentials.load(block_name, _sync=True)
    except ValueError as error:
        hint = "create it in Prefect's UI under Blocks, or unset the setting `registry_credentials`"
        raise UsageError(f"there is no registry-credentials block named {block_name!r}", hint) from error
    return {block.registry_url: (block.username, block.password.get_secret_value())}
