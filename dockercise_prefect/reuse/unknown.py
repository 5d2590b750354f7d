"""Ingredients of which a part is not known yet, because no engine was asked, or because another stage has to run first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256

from dockercise_prefect.reuse.ingredients import Ingredients, UsedImage
from dockercise_prefect.reuse.text_digests import KEYED

UNKNOWN = "unknown"
"""Stands for a digest that is not known."""

UNKNOWN_TEXT = "\0unknown"
"""Stands for the text of a variable that is not known. No variable can have it, because of the NUL."""

_OF_UNKNOWN_TEXT = f"sha256:{sha256(UNKNOWN_TEXT.encode()).hexdigest()}"


def is_unknown(digest: str) -> bool:
    """Whether a digest says nothing. A keyed digest does not either, since it was made without the right key."""
    return digest in {UNKNOWN, _OF_UNKNOWN_TEXT} or digest.startswith(KEYED)


def fitted(now: Ingredients, then: Ingredients, same_image: Callable[[str, str], bool]) -> Ingredients:
    """The ingredients, with what is not known taken from an earlier attempt, as far as that has it.

    Args:
        now: what an attempt would be made from, as far as it is known.
        then: what an earlier attempt was made from.
        same_image: whether two references are those of the same image.
    """
    return replace(
        now,
        image=_fitted_image(now.image, then.image, same_image),
        services={name: _fitted_service(image, then.services.get(name), same_image) for name, image in now.services.items()},
        variables=_fitted(now.variables, then.variables),
        outputs=_fitted(now.outputs, then.outputs),
        volumes=_fitted(now.volumes, then.volumes),
    )


def unknown_stages(now: Ingredients) -> list[str]:
    """The stages that have to run before everything is known, each once."""
    return list(dict.fromkeys([*_unknown(now.outputs), *_unknown(now.volumes)]))


def assumptions(now: Ingredients, made_from: Ingredients) -> Iterator[str]:
    """What is assumed about an image and about variables, in words that follow `if`.

    Args:
        now: what an attempt would be made from, as far as it is known.
        made_from: the same, `fitted` to an earlier attempt.
    """
    of_services = ((image, made_from.services[name]) for name, image in now.services.items())
    for before, after in [(now.image, made_from.image), *of_services]:
        if before is not None and after is not None and before.digest != after.digest:
            yield f"the image {before.ref} has not moved"
    for name, digest in now.variables.items():
        if digest != UNKNOWN and is_unknown(digest) and made_from.variables[name] != digest:
            yield f"${name} is the same"


def _unknown(digests: Mapping[str, str]) -> Iterator[str]:
    return (name for name, digest in digests.items() if is_unknown(digest))


def _fitted(now: Mapping[str, str], then: Mapping[str, str]) -> dict[str, str]:
    return {name: then.get(name, digest) if is_unknown(digest) else digest for name, digest in now.items()}


def _fitted_service(now: UsedImage, then: UsedImage | None, same_image: Callable[[str, str], bool]) -> UsedImage:
    return _fitted_image(now, then, same_image) or now


def _fitted_image(now: UsedImage | None, then: UsedImage | None, same_image: Callable[[str, str], bool]) -> UsedImage | None:
    if now is None or then is None or not is_unknown(now.digest):
        return now
    return replace(then, ref=now.ref) if same_image(now.ref, then.ref) else replace(now, platform=then.platform)
