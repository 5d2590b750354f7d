"""Removing leftovers from an engine."""

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import PullPolicy
from dockercise_prefect.runtime.cleanup.labels import OVERLAY
from dockercise_prefect.runtime.cleanup.removal import remove_all
from dockercise_prefect.runtime.engine import Leftover
from tests.engines.driving import container, spec_of
from tests.engines.scripted import BUSYBOX, ScriptedEngine

LABELS = {"dockercise.run": "r"}


def chain(engine: ScriptedEngine, length: int) -> list[Leftover]:
    """Images that are each made from the previous one, the oldest first."""
    image = engine.resolve_image(BUSYBOX, pull=PullPolicy.NEVER, platform=None, progress=print)
    parent = image.id
    for _ in range(length):
        spec = spec_of(image, LABELS, "x")
        with container(engine, spec) as id_:
            engine.run(id_, b"", lambda *_: None)
            parent = engine.commit(id_, parent, LABELS)
    return [left for left in engine.leftovers() if left.kind == "image"]


def test_images_go_before_what_they_were_made_from(scripted: ScriptedEngine) -> None:
    """All images of a chain are removed, in whatever order they are listed."""
    left = chain(scripted, 12)

    stuck = remove_all(scripted, left)

    assert len(left) == 12
    assert (stuck, scripted.leftovers()) == ([], [])


def test_an_image_that_something_needs_is_told(scripted: ScriptedEngine) -> None:
    """A removal is repeated as long as other things can be removed; what remains is reported once."""
    left = chain(scripted, 3)

    stuck = remove_all(scripted, left[:2])

    assert [leftover for leftover, _ in stuck] == left[:2]
    assert all(isinstance(error, EngineError) for _, error in stuck)


class KeepsCopies(ScriptedEngine):
    """Refuses to remove volumes that are copies by overlays."""

    def discard(self, leftover: Leftover) -> None:
        if OVERLAY in leftover.labels:
            raise EngineError("it is in use")
        super().discard(leftover)


def test_a_volume_stays_as_long_as_its_copy() -> None:
    """Copies by overlays are removed before what they show. If a copy cannot be removed, neither is what it shows."""
    origin, changes, copy = (
        Leftover("volume", "origin", LABELS),
        Leftover("volume", "changes", LABELS),
        Leftover("volume", "copy", {**LABELS, OVERLAY: "origin changes"}),
    )
    other = Leftover("volume", "other", LABELS)
    engine = KeepsCopies()
    for leftover in (origin, changes, copy, other):
        engine.add_leftover(leftover)

    stuck = remove_all(engine, [origin, changes, copy, other])

    assert [(leftover.id, error.message) for leftover, error in stuck] == [
        (name, "it is in use") for name in ("copy", "origin", "changes")
    ]
    assert {each.id for each in engine.leftovers()} == {"origin", "changes", "copy"}
