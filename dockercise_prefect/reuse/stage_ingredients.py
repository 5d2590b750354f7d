"""The ingredients of an attempt at a stage, from its definition and from what is known of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.pipeline.as_json.stages import meaning_of
from dockercise_prefect.pipeline.seen import seen_folders, seen_volumes
from dockercise_prefect.reuse.ingredients import Ingredients, UsedImage, digest_of_json

WITHOUT_EFFECT = frozenset(
    {
        "approve",
        "cache",
        "concurrency",
        "depends_on",
        "each",
        "env",
        "image",
        "never_fail",
        "no_log",
        "pull",
        "retries",
        "stop_grace",
        "timeout",
        "triggers",
        "when",
    }
)
"""What in the meaning of a stage does not change what a successful attempt leaves, or is an ingredient of its own."""

_KEYS = {"working_dir": "dir", "mounts": "vol"}
"""Where a user writes what the meaning of a stage calls otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is known of an attempt besides the definition of its stage. All texts are digests, as in `Ingredients`.

    Attributes:
        outputs: of all stages that have ended.
        volumes: of all stages that have ended and have a volume.
        code: of all folders of the code that stages use.
        services: the images of its services, by their names. Variables of a service are among `variables`, as `service.NAME`.
    """

    image: UsedImage | None
    services: Mapping[str, UsedImage] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[StageName, str] = field(default_factory=dict)
    volumes: Mapping[StageName, str] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    also: Mapping[str, str] = field(default_factory=dict)


def stage_ingredients(stage: Stage, known: Surroundings, salt: str = "") -> Ingredients | None:
    """What an attempt at the stage is made from.

    Args:
        stage: the stage.
        known: what is known besides.
        salt: of its `cache`.

    Returns:
        The ingredients; None if something is not known that it is made from.
    """
    needs, volumes, folders = stage.needs, seen_volumes(stage), seen_folders(stage)
    if any(name not in known.outputs for name in needs) or any(name not in known.volumes for name in volumes):
        return None
    if any(folder not in known.code for folder in folders):
        return None
    meaning = {"name": stage.name, **meaning_of(stage)}
    for service in meaning.get("services", {}).values():
        del service["env"], service["image"]
    return Ingredients(
        definition={
            _KEYS.get(key, key): digest_of_json(value)
            for key, value in meaning.items()
            if key not in WITHOUT_EFFECT and value is not None
        },
        image=known.image,
        services=known.services,
        variables=known.variables,
        outputs={name: known.outputs[name] for name in needs},
        volumes={name: known.volumes[name] for name in volumes},
        code={folder: known.code[folder] for folder in folders},
        also=known.also,
        salt=salt,
    )
