"""What is different between two attempts, in words: why the second could not be spared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from dockercise_prefect.reuse.file_list import ChangedFiles, FileList, NoLists, changed_file, shown_path
from dockercise_prefect.reuse.ingredients import Ingredients, UsedImage
from dockercise_prefect.reuse.unknown import is_unknown


class DifferenceKind(StrEnum):
    """Which part of the ingredients differs."""

    KEY = "key"
    SALT = "salt"
    ALSO = "also"
    CODE = "code"
    IMAGE = "image"
    SERVICE = "service"
    VARIABLE = "variable"
    OUTPUT = "output"
    VOLUME = "volume"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs.

    Attributes:
        name: of what differs: the key of the stage, the variable, the other stage, the folder of the code, or the reference of
            the image.
        text: the difference in words.
        detail: more words, for those who want to know everything.
    """

    kind: DifferenceKind
    name: str
    text: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Words:
    """What is said of a name in a mapping that has another digest now, is new, or is gone."""

    kind: DifferenceKind
    changed: str
    new: str
    gone: str

    def of(self, name: str, now: Mapping[str, str], then: Mapping[str, str]) -> Difference:
        words = self.new if name not in then else self.gone if name not in now else self.changed
        return Difference(self.kind, name, words.format(shown_path(name)))


_DEFINITION = _Words(DifferenceKind.KEY, "its `{}` changed", "it sets `{}` now", "it does not set `{}` now")
_FOLDER = _Words(
    DifferenceKind.CODE,
    "the folder {} of the code changed",
    "it uses the folder {} of the code now",
    "it does not use the folder {} of the code now",
)
_CODE = _Words(DifferenceKind.CODE, "the code changed", "it uses the code now", "it does not use the code now")
_VARIABLES = _Words(DifferenceKind.VARIABLE, "${} differs", "${} is set now", "${} is not set now")
_OUTPUTS = _Words(DifferenceKind.OUTPUT, "{} printed something else", "it comes after {} now", "it does not come after {} now")
_VOLUMES = _Words(
    DifferenceKind.VOLUME,
    "the volume of {} changed",
    "it uses the volume of {} now",
    "it does not use the volume of {} now",
)


def differences(now: Ingredients, then: Ingredients, files: ChangedFiles | None = None) -> Iterator[Difference]:
    """What is different: first what somebody has changed here, then what follows from changes elsewhere.

    Args:
        now: what an attempt would be made from.
        then: what an earlier attempt was made from.
        files: knows which files of the code and of volumes changed. It is asked only if these differ.
    """
    files = files or NoLists()
    yield from _compared(now.definition, then.definition, _DEFINITION)
    if now.salt != then.salt:
        yield Difference(DifferenceKind.SALT, "salt", "the `salt` of its `cache` changed")
    also = changed_file(FileList(now.also, {}), FileList(then.also, {}), "the code")
    if also is not None:
        yield Difference(DifferenceKind.ALSO, "also", also)
    for folder in _different(now.code, then.code):
        yield _with_file((_FOLDER if folder else _CODE).of(folder, now.code, then.code), now.code, then.code, files.in_code)
    yield from _of_image(now.image, then.image)
    for service in [*now.services, *(name for name in then.services if name not in now.services)]:
        for found in _of_image(now.services.get(service), then.services.get(service)):
            yield replace(found, kind=DifferenceKind.SERVICE, text=f"service {service}: {found.text}")
    yield from _compared(now.variables, then.variables, _VARIABLES)
    yield from _compared(now.outputs, then.outputs, _OUTPUTS)
    for stage in _different(now.volumes, then.volumes):
        yield _with_file(_VOLUMES.of(stage, now.volumes, then.volumes), now.volumes, then.volumes, files.in_volume)


def _compared(now: Mapping[str, str], then: Mapping[str, str], words: _Words) -> Iterator[Difference]:
    return (words.of(name, now, then) for name in _different(now, then))


def _different(now: Mapping[str, str], then: Mapping[str, str]) -> Iterator[str]:
    yield from (name for name, digest in now.items() if then.get(name) != digest)
    yield from (name for name in then if name not in now)


def _with_file(
    found: Difference, now: Mapping[str, str], then: Mapping[str, str], changed: Callable[[str, str, str], str | None]
) -> Difference:
    """The difference of a folder or a volume. If the file is known that makes the difference, it is named."""
    name = found.name
    text = changed(name, now[name], then[name]) if name in now and name in then else None
    return found if text is None else replace(found, text=text)


def _of_image(now: UsedImage | None, then: UsedImage | None) -> Iterator[Difference]:
    if now is None or then is None:
        if now is not then:
            yield Difference(DifferenceKind.IMAGE, "", "it has an image now" if then is None else "it has no image now")
    elif now.platform != then.platform:
        text = f"image {now.ref} is for {now.platform} instead of {then.platform}"
        yield Difference(DifferenceKind.IMAGE, now.ref, text)
    elif now.digest != then.digest:
        text = f"image {now.ref} moved" if now.ref == then.ref else f"image {now.ref} instead of {then.ref}"
        detail = "" if is_unknown(now.digest) else f"from {then.digest} to {now.digest}"
        yield Difference(DifferenceKind.IMAGE, now.ref, text, detail)
