"""What somebody has changed, since a recorded run, of what its stages are made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256

from dockercise_prefect.archives.content_digest import digest_text
from dockercise_prefect.globs import Globs
from dockercise_prefect.pipeline import (
    ImageReference,
    LiteralValue,
    Pipeline,
    Stage,
    StageName,
    StageValue,
    StageValues,
    folded,
)
from dockercise_prefect.pipeline.seen import seen_folders, seen_volumes
from dockercise_prefect.pipeline.sensitivity import secret_variables
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.reuse.difference import differences
from dockercise_prefect.reuse.ingredients import Ingredients, UsedImage
from dockercise_prefect.reuse.stage_ingredients import Surroundings, stage_ingredients
from dockercise_prefect.runtime.files.code_digests import CodeDigests

_NEW = "new"
"""Stands for the digest of what a stage was not made from in that run."""


class Changes:
    """Compares stages of a recorded run with the pipeline as it is now: definitions, variables written in it, and code.

    What nobody knows without an engine or Prefect is taken as it was: where a tag of an image points to, and the texts of
    variables from outside.

    Args:
        pipeline: as it is now.
        code: returns the digests of the code as it is now. Called only if a stage uses code.
    """

    def __init__(self, pipeline: Pipeline, code: Callable[[], CodeDigests]) -> None:
        self._pipeline = pipeline
        self._code = code
        self._secret = secret_variables(pipeline)

    def since(self, run: RecordedRun, name: StageName) -> str | None:
        """The first known change of a stage, or of a stage that it is made from; None if no change is known.

        Raises:
            DockerciseError, OSError: the record or the code cannot be read.
        """
        for each in self._with_earlier(name):
            kept = run.kept(each)
            if kept is None or kept.made_from is None:
                continue
            change = next(differences(self._now(self._pipeline.by_name[each], kept.made_from), kept.made_from), None)
            if change is not None:
                return change.text if each == name else f"{each} changed: {change.text}"
        return None

    def _with_earlier(self, name: StageName) -> list[StageName]:
        """The stage, and all stages before it, the nearest first."""
        found = [name]
        for each in found:
            found += [needed for needed in self._pipeline.by_name[each].needs if needed not in found]
        return found

    def _now(self, stage: Stage, then: Ingredients) -> Ingredients:
        salt = stage.cache.salt if stage.cache is not None else ""
        now = stage_ingredients(
            stage,
            Surroundings(
                image=_image(stage, then.image),
                variables=self._variables(stage, then.variables),
                outputs={name: then.outputs.get(name, _NEW) for name in stage.needs},
                volumes={name: then.volumes.get(name, _NEW) for name in seen_volumes(stage)},
                code={folder: self._code().of_folder(folder) for folder in seen_folders(stage)},
                also=self._also(stage),
            ),
            salt,
        )
        return then if now is None else now

    def _also(self, stage: Stage) -> Mapping[str, str]:
        if stage.cache is None or not stage.cache.also:
            return {}
        return self._code().of_files(Globs(stage.cache.also).takes)

    def _variables(self, stage: Stage, then: Mapping[str, str]) -> Mapping[str, str]:
        """Those of then, but with the texts that are written in the pipeline now, and without those that are not in it."""
        written = {folded(name) for name in stage.env}
        found = {name: digest for name, digest in then.items() if folded(name) in written}
        for name, source in stage.env.items():
            match source:
                case LiteralValue(text) if name not in self._secret.get(stage.name, ()):
                    found[name] = digest_text(sha256(text.encode("utf-8", "surrogateescape")).digest())
                case StageValue() | StageValues():
                    found.setdefault(name, _NEW)
                case _:
                    pass
        return found


def _image(stage: Stage, then: UsedImage | None) -> UsedImage | None:
    if not isinstance(stage.image, ImageReference) or then is None or stage.image.ref == then.ref:
        return then
    return UsedImage(stage.image.ref, _NEW, then.platform)
