"""Images are resolved once in a run, under whatever name and policy the stages use them."""

from __future__ import annotations

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import Pipeline, PullPolicy, stage
from dockercise_prefect.runtime.stage.images import resolve_images
from tests.engines.scripted import ScriptedEngine


def _said(_line: str) -> None:
    """Ignore the message."""


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        (["missing", "always"], PullPolicy.ALWAYS),
        (["never", "missing"], PullPolicy.MISSING),
        (["never", "never"], PullPolicy.NEVER),
        (["never", "always", "missing"], PullPolicy.ALWAYS),
    ],
)
def test_one_image_has_one_digest(scripted: ScriptedEngine, policies: list[str], expected: PullPolicy) -> None:
    """Stages with different `pull` policies get the same digest: the image is resolved once, with the strongest policy."""
    scripted.add_image("app:1")
    pipeline = Pipeline("p", [stage(f"s{number}", image="app:1", pull=pull) for number, pull in enumerate(policies)])

    found = resolve_images(scripted, pipeline, _said)

    assert scripted.resolved == [("app:1", expected, None)]
    assert len({image.id for image in found.values()}) == 1


def test_names_of_one_image_are_one(scripted: ScriptedEngine) -> None:
    """`app` and `docker.io/library/app:latest` are one image, and each stage sees it by the name that it wrote."""
    scripted.add_image("app")
    pipeline = Pipeline("p", [stage("a", image="app"), stage("b", image="docker.io/library/app:latest")])

    found = resolve_images(scripted, pipeline, _said)

    assert len(scripted.resolved) == 1
    assert {name: image.ref for name, image in found.items()} == {"a": "app", "b": "docker.io/library/app:latest"}


def test_platforms_and_tags_are_apart(scripted: ScriptedEngine) -> None:
    """Another platform or another tag means another image."""
    for ref in ("app:1", "app:2"):
        scripted.add_image(ref)
    stages = [stage("a", image="app:1"), stage("b", image="app:2"), stage("c", image="app:1", platform="linux/arm64")]

    resolve_images(scripted, Pipeline("p", stages), _said)

    assert {(ref, platform) for ref, _, platform in scripted.resolved} == {
        ("app:1", None),
        ("app:2", None),
        ("app:1", "linux/arm64"),
    }


def test_all_that_are_missing_are_named(scripted: ScriptedEngine) -> None:
    """All images that cannot be had are named in one error."""
    pipeline = Pipeline("p", [stage("a", image="none:1"), stage("b", image="none:2")])

    with pytest.raises(EngineError, match=r"2 images cannot be used:\n.*none:1.*\n.*none:2"):
        resolve_images(scripted, pipeline, _said)
