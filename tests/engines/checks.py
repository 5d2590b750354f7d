"""What an engine refuses when a container is created, and what breaks its contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.engine import ContainerSpec
from tests.engines.container import ContractBreachError, ScriptedContainer
from tests.engines.images import ScriptedImages


def check_spec(
    spec: ContainerSpec,
    images: ScriptedImages,
    containers: Collection[ScriptedContainer],
    volumes: Collection[str],
    networks: Collection[str],
) -> None:
    """Raise if a container cannot be created.

    Raises:
        EngineError: the engine refuses.
        ContractBreachError: the code under test must not do that.
    """
    images.by_id(spec.image)
    if any(each.spec.name == spec.name for each in containers):
        raise EngineError(f"cannot create container {spec.name}: the name is in use")
    kind, _, joined = spec.network.partition(":")
    if kind == "container" and all(each.id != joined for each in containers):
        raise EngineError(f"cannot create container {spec.name}: No such container: {joined}")
    if kind not in {"container", "bridge", "none", "host", *networks}:
        raise EngineError(f"cannot create container {spec.name}: network {kind} not found")
    for mount in spec.mounts:
        if mount.kind == "volume" and mount.source not in volumes:
            raise ContractBreachError(f"{spec.name} mounts the volume {mount.source}, which was not created")
    targets = Counter(mount.target for mount in spec.mounts)
    if targets and max(targets.values()) > 1:
        raise EngineError(f"cannot create container {spec.name}: duplicate mount point {targets.most_common(1)[0][0]}")
