"""What is known of an attempt before it is made: its ingredients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Protocol, TypeAlias

from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.globs import Globs
from dockercise_prefect.pipeline import Pipeline, Stage, StageName, folded, stages_of
from dockercise_prefect.pipeline.seen import seen_folders, seen_volumes
from dockercise_prefect.reuse.ingredients import Ingredients, UsedImage
from dockercise_prefect.reuse.stage_ingredients import Surroundings, stage_ingredients
from dockercise_prefect.reuse.text_digests import KeyedDigest, variable_digests
from dockercise_prefect.runtime.engine import ResolvedImage
from dockercise_prefect.runtime.files.code_digests import CodeDigests
from dockercise_prefect.runtime.files.output import Printed
from dockercise_prefect.runtime.stage.job import JobResult, OwnVolume, Stdout
from dockercise_prefect.runtime.stage.ports import Texts

NOTHING = "nothing"
"""Stands for the digest of the output of a stage that never started, and of a volume that holds nothing."""

Inputs: TypeAlias = Mapping[StageName, JobResult]


class UnknownError(DockerciseError):
    """The content of something that an attempt is made from is not known. The message follows `because`."""


class Seen(Protocol):
    """Knows the images and the code of a run (`runtime.workspace.Workspace`)."""

    def image_of(self, stage: Stage) -> ResolvedImage | None:
        """The image that a stage runs in; None if it has none."""
        ...

    def code_digests(self) -> CodeDigests:
        """The digests of the files of the code."""
        ...


@dataclass(frozen=True, kw_only=True)
class Known:
    """Says what attempts at the stages of one run are made from. Thread-safe.

    Attributes:
        pipeline: the stages of the run.
        seen: knows the images and the code.
        texts: knows the texts of variables.
        secret: for each stage that has any, the variables whose texts came from a source of secrets.
        opened: opens what an attempt printed.
        find_key: returns the key for digests of what is sensitive, or None if Prefect does not store one.
    """

    pipeline: Pipeline
    seen: Seen
    texts: Texts
    secret: Mapping[StageName, Sequence[str]]
    opened: Callable[[Stdout], AbstractContextManager[Printed]]
    find_key: Callable[[], bytes | None]
    _folders: dict[str, str] = field(default_factory=dict)
    _also: dict[tuple[str, ...], Mapping[str, str]] = field(default_factory=dict)
    _outputs: dict[Stdout, str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def ingredients(self, stage: Stage, inputs: Inputs) -> Ingredients:
        """What an attempt at the stage is made from.

        Args:
            stage: the stage.
            inputs: the results of the stages that it needs, as far as they have one.

        Raises:
            UnknownError: the content of something is not known.
            DockerciseError, OSError: something cannot be read.
        """
        with self._lock:
            return self._ingredients(stage, inputs)

    def _ingredients(self, stage: Stage, inputs: Inputs) -> Ingredients:
        outputs = {name: self._output(name, inputs) for name in stage.needs}
        services = dict(zip((service.name for service in stage.services), stage.service_stages, strict=True))
        of_services = {
            f"{name}.{variable}": digest
            for name, one in services.items()
            for variable, digest in self._variables(one, outputs).items()
        }
        cache = stage.cache
        found = stage_ingredients(
            stage,
            Surroundings(
                image=self._image(stage),
                services={name: image for name, one in services.items() if (image := self._image(one)) is not None},
                variables={**self._variables(stage, outputs), **of_services},
                outputs=outputs,
                volumes={name: _volume(name, inputs) for name in seen_volumes(stage)},
                code={folder: self._folder(folder) for folder in seen_folders(stage)},
                also=self._files(cache.also) if cache is not None else {},
            ),
            cache.salt if cache is not None else "",
        )
        if found is None:
            raise UnknownError("not everything is known that it is made from")
        return found

    def _image(self, stage: Stage) -> UsedImage | None:
        image = self.seen.image_of(stage)
        return None if image is None else UsedImage(image.ref, image.digest, image.platform)

    def _output(self, name: StageName, inputs: Inputs) -> str:
        if name not in inputs:
            return NOTHING
        stdout = inputs[name].stdout
        if stdout is None:
            raise UnknownError(f"what {name} printed is lost")
        if stdout.digest is not None:
            return stdout.digest
        if stdout not in self._outputs:
            self._outputs[stdout] = self._keyed(name, stdout)
        return self._outputs[stdout]

    def _keyed(self, name: StageName, stdout: Stdout) -> str:
        if self._key is None:
            raise UnknownError(f"what {name} printed is sensitive, and Prefect has no key for its digest")
        digest = KeyedDigest(self._key)
        with self.opened(stdout) as printed:
            for chunk in printed.chunks():
                digest.update(chunk)
        return digest.digest()

    def _variables(self, stage: Stage, outputs: Mapping[StageName, str]) -> Mapping[str, str]:
        texts = self.texts.of(stage.name)
        secrets = {*self.pipeline.secrets, *map(folded, self.secret.get(stage.name, ()))}
        sensitive = [name for name in texts if folded(name) in secrets]
        digests = variable_digests(texts, sensitive, self._key if sensitive else None)
        if digests is None:
            raise UnknownError(f"${sensitive[0]} is a secret, and Prefect has no key for its digest")
        values = {
            name: "\n".join(outputs[earlier] for earlier in earlier_stages)
            for name, source in stage.env.items()
            if (earlier_stages := stages_of(source))
        }
        return {**digests, **values}

    @cached_property
    def _key(self) -> bytes | None:
        return self.find_key()

    def _folder(self, folder: str) -> str:
        if not folder and self.pipeline.history is not None:
            raise UnknownError("it gets the history of git, which changes with every commit")
        if folder not in self._folders:
            self._folders[folder] = self.seen.code_digests().of_folder(folder)
        return self._folders[folder]

    def _files(self, globs: tuple[str, ...]) -> Mapping[str, str]:
        if globs not in self._also:
            self._also[globs] = self.seen.code_digests().of_files(Globs(globs).takes) if globs else {}
        return self._also[globs]


def _volume(name: StageName, inputs: Inputs) -> str:
    volume: OwnVolume | None = inputs[name].volume if name in inputs else None
    if volume is None or not volume.written:
        return NOTHING
    if volume.digest is None:
        raise UnknownError(f"the volume of {name} is not kept")
    return volume.digest


def is_unread(result: JobResult) -> bool:
    """Whether it is not known yet what the volume of a stage holds, or nobody will know it."""
    volume = result.volume
    return volume is not None and volume.written and volume.digest is None
