"""What is different between two attempts, in words: why the second could not be spared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dockercise_prefect.reuse.ingredients import Ingredients, UsedImage


@dataclass(frozen=True, slots=True)
class _Words:
    """What is said of a name in a mapping that has another digest now, is new, or is gone."""

    changed: str
    new: str
    gone: str


_DEFINITION = _Words("its `{}` changed", "it sets `{}` now", "it does not set `{}` now")
_ALSO = _Words("file {} changed", "file {} is new", "file {} is gone")
_CODE = _Words("{} changed", "it uses {} now", "it does not use {} now")
_VARIABLES = _Words("${} differs", "${} is set now", "${} is not set now")
_OUTPUTS = _Words("{} printed something else", "it comes after {} now", "it does not come after {} now")
_VOLUMES = _Words("the volume of {} changed", "it uses the volume of {} now", "it does not use the volume of {} now")


def differences(now: Ingredients, then: Ingredients) -> Iterator[str]:
    """What is different: first what somebody has changed here, then what follows from changes elsewhere.

    Args:
        now: what an attempt would be made from.
        then: what an earlier attempt was made from.
    """
    yield from _compared(now.definition, then.definition, _DEFINITION)
    if now.salt != then.salt:
        yield "the `salt` of its `cache` changed"
    yield from _compared(now.also, then.also, _ALSO)
    yield from _compared(_named(now.code), _named(then.code), _CODE)
    yield from _of_image(now.image, then.image)
    yield from _compared(now.variables, then.variables, _VARIABLES)
    yield from _compared(now.outputs, then.outputs, _OUTPUTS)
    yield from _compared(now.volumes, then.volumes, _VOLUMES)


def _compared(now: Mapping[str, str], then: Mapping[str, str], words: _Words) -> Iterator[str]:
    for name, digest in now.items():
        if name not in then:
            yield words.new.format(name)
        elif digest != then[name]:
            yield words.changed.format(name)
    yield from (words.gone.format(name) for name in then if name not in now)


def _of_image(now: UsedImage | None, then: UsedImage | None) -> Iterator[str]:
    if now is None or then is None:
        if now is not then:
            yield "it has an image now" if then is None else "it has no image now"
    elif now.platform != then.platform:
        yield f"image {now.ref} is for {now.platform} instead of {then.platform}"
    elif now.digest != then.digest:
        yield f"image {now.ref} moved" if now.ref == then.ref else f"image {now.ref} instead of {then.ref}"


def _named(folders: Mapping[str, str]) -> dict[str, str]:
    return {f"the folder {name} of the code" if name else "the code": digest for name, digest in folders.items()}
