"""Puts the probes together: what is looked at, in which order it is shown, and how long each may take."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from dockercise_prefect.errors import UsageError
from dockercise_prefect.orchestration.doctor import machine
from dockercise_prefect.orchestration.doctor.check import Check, CheckStatus, Examination
from dockercise_prefect.orchestration.doctor.configuration import environment_shown, settings_check, settings_shown
from dockercise_prefect.orchestration.doctor.engine import EngineProbes
from dockercise_prefect.orchestration.doctor.probe import Probe, run_probes
from dockercise_prefect.orchestration.doctor.storage import StorageProbes
from dockercise_prefect.runtime.concurrent import Once
from dockercise_prefect.runtime.copying.trials import FOLDER, Trials
from dockercise_prefect.runtime.docker.facts import EngineInspection
from dockercise_prefect.settings import Settings, default_settings

ENGINE_SECONDS = 15.0
PREFECT_SECONDS = 30.0
PLACE_SECONDS = 30.0
USAGE_SECONDS = 20.0
HERE_SECONDS = 15.0


def examine(read: Callable[[], Settings], environ: Mapping[str, str] = os.environ) -> Examination:
    """Look at everything that runs depend on. Starts nothing, and changes nothing.

    It takes half a minute at most, however little answers. If the settings cannot be read, that is a problem, and the other
    checks use the defaults.

    Args:
        read: reads the settings.
        environ: the environment of this process.
    """
    try:
        settings = read()
        about_settings = settings_check(settings, environ)
    except UsageError as error:
        settings = default_settings()
        about_settings = Check("settings", CheckStatus.PROBLEM, error.message, error.hint or "correct or remove it")
    checks = run_probes(_probes(settings))
    return Examination([*checks, about_settings], settings_shown(settings), environment_shown(environ))


def _probes(settings: Settings) -> list[Probe]:
    connected: Once[str, EngineInspection] = Once()
    engine = EngineProbes(lambda: connected.get("engine", EngineInspection.connect), Trials(settings.data / FOLDER))
    storage = StorageProbes(settings)
    data = settings.data
    worse, down = CheckStatus.PROBLEM, "is the engine busy, or its address wrong? See DOCKER_HOST and `docker context ls`"
    return [
        Probe("dockercise", machine.dockercise_check, HERE_SECONDS),
        Probe("git", machine.git_check, HERE_SECONDS),
        Probe("engine", engine.engine, ENGINE_SECONDS, worse, down),
        Probe("engine usage", engine.usage, USAGE_SECONDS),
        Probe("leftovers", engine.leftovers, ENGINE_SECONDS),
        Probe("prefect", partial(_prefect, data), PREFECT_SECONDS, worse, "is PREFECT_API_URL right, and the server up?"),
        Probe("work pools", partial(_pools, data), PREFECT_SECONDS),
        Probe("results", storage.results, PLACE_SECONDS, worse, "is the place reachable from here? See DOCKERCISE_RESULTS"),
        Probe("cache", storage.cache, PLACE_SECONDS),
        Probe("data folder", storage.data, HERE_SECONDS, worse, "is its disk, perhaps a network's, reachable?"),
        Probe("unsent records", storage.unsent, HERE_SECONDS),
    ]


def _prefect(data: Path) -> Iterator[Check]:
    from dockercise_prefect.orchestration.doctor.prefect import PrefectProbes  # noqa: PLC0415  the import may fail, which is then found

    return PrefectProbes(data).prefect()


def _pools(data: Path) -> Iterator[Check]:
    from dockercise_prefect.orchestration.doctor.prefect import PrefectProbes  # noqa: PLC0415  see above

    return PrefectProbes(data).pools()
