"""How a run uses its engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dockercise_prefect.runtime.copying.trials import Trials
from dockercise_prefect.runtime.secrets.masking import Masker
from dockercise_prefect.runtime.stage.confinement import Confinement
from dockercise_prefect.runtime.stage.mounts import KeptVolume, no_kept_volume


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """How a run uses its engine.

    Attributes:
        root: the folder that has the code, and that paths beginning with `./` are relative to; None for a pipeline that uses
            neither.
        jobs: how many stages run at once, at most.
        aws: whether every stage gets a copy of the user's AWS folder.
        masker: knows what is sensitive. What stages print is passed on masked.
        confinement: the limits of each stage.
        shared: the `shared_volumes` of an earlier process of the run.
        kept_volume: reads the volumes of stages that are reused.
        trials: what is known of engines.
    """

    root: Path | None
    jobs: int
    aws: bool
    masker: Masker = field(default_factory=Masker)
    confinement: Confinement = field(default_factory=Confinement)
    shared: Mapping[str, str] = field(default_factory=dict)
    kept_volume: KeptVolume = no_kept_volume
    trials: Trials = field(default_factory=lambda: Trials(None))
