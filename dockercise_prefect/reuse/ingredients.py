"""Everything that an attempt at a stage is made from, as digests, and the key that follows from it.

An attempt that is made from the same leaves the same, as far as anybody can promise that. Nothing here is a text of a variable
or a byte of a file, so ingredients can be stored beside the results that they led to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import ConfigDict, TypeAdapter

from dockercise_prefect.pipeline import StageName

VERSION = 1
"""Changes whenever equal ingredients would no longer mean equal attempts, for example because `/out` looks different."""


@dataclass(frozen=True, slots=True)
class UsedImage:
    """The image of an attempt.

    Attributes:
        ref: as it is written in the pipeline, or the stage that has made it.
        digest: of its content, which can be images for several platforms.
        platform: the one that it is for, such as `linux/amd64`.
    """

    ref: str
    digest: str
    platform: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredients:
    """What one attempt is made from.

    Attributes:
        definition: for each key of the stage that says how it runs, its digest.
        image: its image; None for a stage without a container.
        services: the images of its services, by their names.
        variables: for each variable that is set, the digest of its text. If the text is sensitive, this is a keyed hash.
        outputs: for each stage that it comes after, the digest of what that stage printed. A keyed hash if it is sensitive.
        volumes: for each stage whose volume it mounts or works on, the digest of the content.
        code: for each folder of the code that it mounts or works on, the digest of the content; an empty text is all of it.
        also: for each further file of the code that it depends on, the digest of its bytes.
        salt: any text that begins anew.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    definition: Mapping[str, str]
    image: UsedImage | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[StageName, str] = field(default_factory=dict)
    volumes: Mapping[StageName, str] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    also: Mapping[str, str] = field(default_factory=dict)
    salt: str = ""
    services: Mapping[str, UsedImage] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The key of the attempt, `sha256:…`. It is the same only if everything is the same."""
        return digest_of_json([VERSION, self._without_names()])

    def to_json(self) -> dict[str, Any]:
        """As JSON values, which `from_json` parses."""
        services = {name: _image_to_json(image) for name, image in self.services.items()}
        return {
            "definition": dict(self.definition),
            "image": None if self.image is None else _image_to_json(self.image),
            "variables": dict(self.variables),
            "outputs": dict(self.outputs),
            "volumes": dict(self.volumes),
            "code": dict(self.code),
            "also": dict(self.also),
            "salt": self.salt,
            **({"services": services} if services else {}),  # only then, so that other keys stay as they were
        }

    @classmethod
    def from_json(cls, data: Any) -> Ingredients:
        """Parse the result of `to_json`.

        Raises:
            ValueError: the value is not from this version of dockercise.
        """
        return _INGREDIENTS.validate_python(data)

    def _without_names(self) -> dict[str, Any]:
        """What counts. Another name of the same image makes no difference."""
        services = {name: [image.digest, image.platform] for name, image in self.services.items()}
        return {
            **self.to_json(),
            "image": None if self.image is None else [self.image.digest, self.image.platform],
            **({"services": services} if services else {}),
        }


def _image_to_json(image: UsedImage) -> dict[str, str]:
    return {"ref": image.ref, "digest": image.digest, "platform": image.platform}


_INGREDIENTS = TypeAdapter(Ingredients)
_ON_ONE_LINE = json.JSONEncoder(sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def digest_of_json(value: Any) -> str:
    """The digest of a JSON value, `sha256:…`, over its text on one line with sorted keys."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # half a surrogate pair, or a number of over 64 bits
        text = _ON_ONE_LINE.encode(value).encode()
    return f"sha256:{hashlib.sha256(text).hexdigest()}"
