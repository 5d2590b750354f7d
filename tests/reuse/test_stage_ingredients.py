"""What an attempt at a stage is made from."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from dockercise_prefect.errors import Place
from dockercise_prefect.pipeline import (
    Approval,
    Build,
    Cache,
    CodeSnapshot,
    Dependency,
    DependencyKind,
    Each,
    HostPath,
    ImageReference,
    Instance,
    LiteralValue,
    Mount,
    Network,
    PullPolicy,
    Service,
    Stage,
    StageConcurrency,
    StageVolume,
)
from dockercise_prefect.pipeline.lifecycle import Retries, RunsOn, When
from dockercise_prefect.reuse.difference import differences
from dockercise_prefect.reuse.ingredients import Ingredients, UsedImage
from dockercise_prefect.reuse.stage_ingredients import Surroundings, stage_ingredients

STAGE = Stage(name="test", image=ImageReference("busybox"), run="make test")
KNOWN = Surroundings(
    image=UsedImage("busybox", "1"),
    outputs={"build": "1", "lint": "1"},
    volumes={"build": "1", "lint": "1"},
    code={"": "1", "app": "1"},
)

CHANGES: dict[str, tuple[Any, str]] = {
    "name": ("test2", "its `name` changed"),
    "build": (Build(CodeSnapshot()), "it sets `build` now"),
    "run": ("make check", "its `run` changed"),
    "mounts": ((Mount(StageVolume("build"), "/build"),), "its `vol` changed"),
    "on": ("build", "it sets `on` now"),
    "working_dir": ("/src", "its `dir` changed"),
    "depends_on": ((Dependency("lint", DependencyKind.AFTER),), "it comes after lint now"),
    "user": ("nobody", "it sets `user` now"),
    "network": (Network.NONE, "its `network` changed"),
    "platform": ("linux/arm64", "it sets `platform` now"),
    "cpus": (2.0, "it sets `cpus` now"),
    "memory": (1_000_000, "it sets `memory` now"),
    "shell": (("bash",), "it sets `shell` now"),
    "sudo": (True, "it sets `sudo` now"),
    "entrypoint": (("tool",), "it sets `entrypoint` now"),
    "instance": (Instance("test", "3.12", {"PYTHON": "3.12"}), "it sets `instance` now"),
    "gpus": ("all", "it sets `gpus` now"),
    "junit": (("*.xml",), "it sets `junit` now"),
    "services": ((Service(name="db", image=ImageReference("postgres")),), "it sets `services` now"),
}
"""For each attribute of a stage, another text, and what is said then."""

WITHOUT_EFFECT: dict[str, Any] = {
    "image": ImageReference("docker.io/library/busybox"),  # its digest counts
    "env": {"REGION": LiteralValue("eu")},  # the digests of the texts count
    "timeout": 5.0,
    "no_log": False,
    "never_fail": True,
    "triggers": ("app/**",),
    "pull": PullPolicy.ALWAYS,
    "retries": Retries(3),
    "stop_grace": 1.0,
    "cache": Cache(max_age=60.0),
    "when": When(status=RunsOn.ALWAYS),
    "each": Each("build"),
    "approve": Approval("Deploy?"),
    "concurrency": StageConcurrency("deploy", 1),
    "place": Place("a.dockercise.yaml", 3, 1),
}
"""For each attribute that does not change what a successful attempt leaves, another text."""


def test_every_attribute_of_a_stage_was_thought_of() -> None:
    """Whoever adds an attribute to a stage has to say whether it changes what the stage leaves."""
    assert {field.name for field in fields(Stage)} == {*CHANGES, *WITHOUT_EFFECT}


@pytest.mark.parametrize("attribute", CHANGES)
def test_what_says_how_it_runs_changes_the_key(attribute: str) -> None:
    """An attribute that changes what a stage leaves changes the key, and is named first."""
    value, said = CHANGES[attribute]
    now = stage_ingredients(replace(STAGE, **{attribute: value}), KNOWN)
    then = stage_ingredients(STAGE, KNOWN)

    assert now is not None
    assert then is not None
    assert now.key != then.key
    assert next(differences(now, then)).text == said


@pytest.mark.parametrize("attribute", WITHOUT_EFFECT)
def test_all_else_does_not(attribute: str) -> None:
    """An attribute that changes only when or how often a stage runs does not change the key."""
    now = stage_ingredients(replace(STAGE, **{attribute: WITHOUT_EFFECT[attribute]}), KNOWN)
    then = stage_ingredients(STAGE, KNOWN)

    assert now is not None
    assert then is not None
    assert now.key == then.key


def test_what_it_cannot_see_does_not_count() -> None:
    """The outputs and volumes of other stages, and folders that it does not mount, are no ingredients."""
    stage = replace(
        STAGE,
        mounts=(Mount(StageVolume("build"), "/build"), Mount(CodeSnapshot("app"), "/app")),
        depends_on=(Dependency("build", DependencyKind.VOL),),
    )

    found = stage_ingredients(stage, KNOWN)

    assert found is not None
    assert found.outputs == {"build": "1"}
    assert found.volumes == {"build": "1"}
    assert found.code == {"app": "1"}


@pytest.mark.parametrize("missing", ["outputs", "volumes", "code"])
def test_without_all_of_them_there_is_no_key(missing: str) -> None:
    """If the content of something that a stage can see is not known, nobody can say what it is made from."""
    stage = replace(
        STAGE,
        mounts=(Mount(StageVolume("build"), "/build"), Mount(CodeSnapshot(), "/code"), Mount(HostPath("/etc"), "/etc")),
        depends_on=(Dependency("build", DependencyKind.VOL),),
    )

    assert stage_ingredients(stage, KNOWN) is not None
    without: dict[str, Any] = {missing: {}}
    assert stage_ingredients(stage, replace(KNOWN, **without)) is None


def test_the_images_of_services_count() -> None:
    """A moved image of a service is another key, and the difference names the service; another reference of it is not."""
    services = (Service(name="db", image=ImageReference("postgres")),)
    stage = replace(STAGE, services=services)
    then = stage_ingredients(stage, replace(KNOWN, services={"db": UsedImage("postgres", "1")}))
    moved = stage_ingredients(stage, replace(KNOWN, services={"db": UsedImage("postgres", "2")}))
    renamed = stage_ingredients(stage, replace(KNOWN, services={"db": UsedImage("docker.io/library/postgres", "1")}))

    assert then is not None
    assert moved is not None
    assert renamed is not None
    assert [each.text for each in differences(moved, then)] == ["service db: image postgres moved"]
    assert (moved.key == then.key, renamed.key == then.key) == (False, True)
    assert Ingredients.from_json(then.to_json()) == then


def test_texts_in_services_are_no_part_of_the_definition() -> None:
    """The text of a service's variable counts by its digest alone, which may be keyed."""
    one, other = (
        stage_ingredients(
            replace(STAGE, services=(Service(name="db", image=ImageReference("x"), env={"A": LiteralValue(text)}),)), KNOWN
        )
        for text in ("1", "2")
    )

    assert one == other
