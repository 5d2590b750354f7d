"""Network namespaces that are kept open.

A container that joins one starts in less than half the time of a container with a namespace of its own.

A slot is a container that only keeps a network namespace open. Only one stage at a time joins it, so every stage has a
namespace for itself (LANGUAGE section 3, "Network"). No process of an earlier stage runs in it any more. No connection of an
earlier stage is left either, since the kernel keeps none in TIME_WAIT there. But a joined container shares the files that
Docker makes for the network. The slot writes them back before each stage.

A slot runs our own program (`holder`). Its container needs an image, but nothing of that image runs. Otherwise, the maker of
the image could see and redirect what stages of other images send.

A few slots are made before the first stage. If all of them are in use, a stage waits for one, about as long as it takes to make
one in this run: so it never waits for much more than twice the time of the better choice. Then it makes one for itself, which
later stages use too, or gets its own bridge network if no more slots would pay. As soon as there are enough slots to keep the
engine's processors busy, stages wait longer.

Slots only save time: if there is none, or it failed, a stage gets its own bridge network. It is different if some addresses are
closed to the stages. Then each stage gets a slot that is closed to them, which is made if needed, or the stage does not start.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import Network, Pipeline, Stage
from dockercise_prefect.runtime.network.slot import Slot
from dockercise_prefect.runtime.network.slot_maker import SlotMaker

BEFOREHAND = 4
"""How many slots are made before a stage needs them, at most. More of them do not make short stages faster."""

STAGES_A_SLOT = 2
"""A slot takes less time to make than it saves for this number of stages."""

FIRST_GUESS = 1.0
SHORTEST_WAIT = 0.2
LONGEST_WAIT = 2.0
"""Seconds that a stage waits for a slot: before one was made in this run, at least, and at most."""

SLOTS_A_PROCESSOR = 2
"""With more slots in use than this, short stages do not run faster. So making more of them is worth less."""

LONGER = 3
"""By this factor, stages wait longer if there are so many slots."""

JOIN_SECONDS = 15
"""Seconds that the end of a run waits for slots that are being made."""


def useful_slots(pipeline: Pipeline, jobs: int) -> int:
    """How many slots save more time than they cost: 0 for a few stages, and never more than can be used at once.

    A group is counted as if it had many members (`each`).

    Args:
        pipeline: the stages that will run.
        jobs: stages that run at once, at most.
    """
    depth: dict[str, int] = {}
    width: dict[int, int] = {}
    users = 0
    for stage in pipeline:
        level = depth[stage.name] = 1 + max((depth[name] for name in stage.needs), default=0)
        if uses_bridge(stage):
            count = jobs * STAGES_A_SLOT if stage.is_group else 1
            users += count
            width[level] = width.get(level, 0) + count
    return min(jobs, max(width.values(), default=0), users // STAGES_A_SLOT)


def uses_bridge(stage: Stage) -> bool:
    """Whether the stage starts a container in the default network. One with services has a network of its own."""
    return stage.starts_container and stage.network is Network.BRIDGE and not stage.services


@dataclass(slots=True)
class Lease:
    """A network that only one stage uses.

    Attributes:
        network: for the container's configuration.
        slot: whose network it is; None for a bridge network of the stage.
        clean: whether there is surely no process in it, so that another stage may use it.
    """

    network: str
    slot: Slot | None = None
    clean: bool = True

    def out(self, files: Mapping[str, bytes]) -> str | None:
        """The name of a volume with these files; None if the network has no volume.

        Args:
            files: the contents of the files, by their names.
        """
        volume = None if self.slot is None else self.slot.fill(files)
        self.clean = self.clean and (self.slot is None or volume is not None)
        return volume


class NetworkSlots:
    """The slots of one run. Thread-safe.

    Args:
        maker: makes them. Also an attribute.
        notify: called if slots cannot be made.
    """

    def __init__(self, maker: SlotMaker, notify: Callable[[str], None]) -> None:
        self.maker = maker
        self._notify = notify
        self._image: str | None = None
        self._changed = threading.Condition(threading.RLock())  # an RLock, since a signal handler may call `wake`
        self._free: list[Slot] = []
        self._all: list[Slot] = []
        self._closed = False
        self._complained = False
        self._threads: list[threading.Thread] = []
        self._left = 0
        self._making = 0
        self._started = False
        self._patience = FIRST_GUESS
        self._enough = SLOTS_A_PROCESSOR

    def allow(self, most: int, image: str | None) -> None:
        """From here on, slots may be made.

        Args:
            most: how many, with those that can be used only once because a stage has spoiled them.
            image: the id of any image, since a container needs one; None if every image of the run is still to be built.
        """
        self._image = image
        self._left = most

    def start(self) -> None:
        """Begin to make slots, in the background. The first stage that asks for a network does so too."""
        with self._changed:
            if self._image is None or self._closed or self._started:
                return
            self._started = True
            count = min(self._left, BEFOREHAND)
            self._left -= count
            self._making += count
            started = [threading.Thread(target=self._make_beforehand, args=(self._image,), daemon=True) for _ in range(count)]
            self._threads += started
        for thread in started:
            thread.start()

    @contextmanager
    def lease(self, check: Callable[[], None]) -> Iterator[Lease]:
        """A network for one stage, from before its container is created until after it has ended.

        Args:
            check: raises if the stage must not start any more. It is called again after `wake`.

        Raises:
            EngineError: some addresses must be closed, and no slot that is closed to them can be made.
        """
        self.start()
        slot = self._take(check) or self._another()
        lease = Lease("bridge") if slot is None else Lease(f"container:{slot.container}", slot)
        try:
            yield lease
        finally:
            if slot is not None:
                self._give_back(slot, clean=lease.clean)

    @property
    def are_expected(self) -> bool:
        """Whether there are slots, or there can be some."""
        with self._changed:
            return bool(self._all or self._making or (self._left and not self._closed))

    def wake(self) -> None:
        """Let the stages that wait for a slot check whether they may still start."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Make no more slots, and end all of them. The final clean-up of the run removes what is left."""
        with self._changed:
            self._closed = True
        for thread in self._threads:
            thread.join(JOIN_SECONDS)
        with self._changed:
            slots, self._all, self._free = self._all, [], []
        for slot in slots:
            slot.close()

    def _take(self, check: Callable[[], None]) -> Slot | None:
        """A free slot. Waits for it as long as that is worth it."""
        with self._changed:
            until = time.monotonic() + self._patience * (LONGER if len(self._all) >= self._enough else 1)

        def is_decided() -> bool:
            check()
            return bool(self._free) or not (self._all or self._making)

        while True:
            with self._changed:
                self._changed.wait_for(is_decided, until - time.monotonic())
                if not self._free:
                    return None
                slot = self._free.pop()
            if slot.restore():
                return slot
            self._drop(slot)

    def _another(self) -> Slot | None:
        """A new slot that no other stage has; None if the stage may have a bridge network, and another slot would not pay."""
        with self._changed:
            image = self._image
            if not self.maker.closes and (image is None or self._closed or not self._left):
                return None
            self._left = max(self._left - 1, 0)
            self._making += 1
        try:
            return self._made(image)
        except EngineError as error:
            if self.maker.closes:
                message = f"cannot create a network that blocks a cloud's own addresses: {error.message}"
                raise EngineError(message, "stages with `network: none` do not need this network") from error
            self._complain(error.message)
            return None

    def _give_back(self, slot: Slot, *, clean: bool) -> None:
        if clean:
            self._offer(slot)
        else:
            self._drop(slot)

    def _offer(self, slot: Slot) -> None:
        with self._changed:
            self._free.append(slot)
            self._changed.notify_all()

    def _drop(self, slot: Slot) -> None:
        """Stop using the slot. Without its input it ends, and it is removed with the rest of the run."""
        slot.close()
        with self._changed:
            if slot in self._all:
                self._all.remove(slot)
            self._changed.notify_all()

    def _make_beforehand(self, image: str) -> None:
        try:
            slot = self._made(image)
        except EngineError as error:
            self._complain(error.message)
        else:
            self._offer(slot)

    def _made(self, image: str | None) -> Slot:
        """Make a slot that was counted in `_making`."""
        began = time.monotonic()
        made: list[Slot] = []
        try:
            if image is None:
                raise EngineError("the container that keeps it open needs an image, but no stage names one")
            made.append(self.maker.make(image))
            self._enough = SLOTS_A_PROCESSOR * self.maker.engine_info.processors
        finally:
            with self._changed:
                self._making -= 1
                self._all += made
                if made:
                    self._patience = min(max(time.monotonic() - began, SHORTEST_WAIT), LONGEST_WAIT)
                else:
                    self._left = 0  # the next one would fail too
                    self._changed.notify_all()
        return made[0]

    def _complain(self, trouble: str) -> None:
        with self._changed:
            said, self._complained = self._complained, True
        if not said and not self.maker.closes:  # else each stage that needs a slot reports it
            self._notify(f"no shared networks, so every stage gets its own, which takes a little longer: {trouble}")
