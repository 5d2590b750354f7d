"""Networks that only one stage and its services are on (docs/adr/0057)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.runtime.cleanup.labels import Labels, attempt_labels
from dockercise_prefect.runtime.concurrent import run_each
from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.runtime.network.slot import Slot
from dockercise_prefect.runtime.network.slot_maker import SlotMaker

AT_ONCE: Final = 8
"""How many namespaces are made at the same time."""

_HOST_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class OwnNetwork:
    """The network of a stage with services, in the form of `engine.ContainerSpec`.

    Attributes:
        stage: of the stage's own container.
        aliases: the names of that container in the network.
        services: of each service, by its name.
    """

    stage: str
    aliases: tuple[str, ...]
    services: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class OwnNetworks:
    """Makes these networks. Thread-safe.

    If some addresses are closed to the stages of the run, each container joins a namespace that is closed to them.

    Attributes:
        engine: where they are.
        labels: of the run.
        maker: makes namespaces.
        image: returns the id of any image.
    """

    engine: Engine
    labels: Labels
    maker: SlotMaker
    image: Callable[[], str]

    @contextmanager
    def lease(self, stage: Stage, attempt: int) -> Iterator[OwnNetwork]:
        """A network for one attempt, from before its containers are created until they have ended.

        Raises:
            EngineError: it cannot be made.
        """
        network = self.labels.name(stage.name)
        names = {service.name: (service.name,) for service in stage.services}
        aliases = (stage.written_name,) if _HOST_NAME.fullmatch(stage.written_name) else ()
        self.engine.create_network(network, self.labels.of_run() | attempt_labels(stage.name, attempt))
        slots: list[Slot] = []
        try:
            if self.maker.closes:
                slots = self._closed([aliases, *names.values()], network)
                own, *others = (f"container:{slot.container}" for slot in slots)
                yield OwnNetwork(own, (), dict(zip(names, others, strict=True)))
            else:
                yield OwnNetwork(network, aliases, dict.fromkeys(names, network))
        finally:
            with suppress(EngineError):  # what is left is removed with the rest of the run
                for slot in slots:
                    slot.close()
                    self.engine.remove(slot.container)
                self.engine.remove_network(network)

    def _closed(self, aliases: list[tuple[StageName, ...]], network: str) -> list[Slot]:
        image = self.image()
        answers = run_each(lambda names: self.maker.make(image, network, names), aliases, at_once=AT_ONCE)
        for answer in answers:
            if not isinstance(answer, Slot):
                raise answer
        return [answer for answer in answers if isinstance(answer, Slot)]
