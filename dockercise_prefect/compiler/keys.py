"""Which keys there are, and which are promised for later (LANGUAGE sections 1 and 2)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from dockercise_prefect.compiler import values
from dockercise_prefect.compiler.suggest import suggestion
from dockercise_prefect.compiler.values import Field, Reader
from dockercise_prefect.errors import did_you_mean
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Node, Scalar
from dockercise_prefect.pipeline import Code, Network, PullPolicy

SETTINGS: Mapping[str, tuple[str, Reader]] = {
    "img": ("image", values.image),
    "dir": ("working_dir", values.absolute_path),
    "noLog": ("no_log", values.boolean),
    "neverFail": ("never_fail", values.boolean),
    "timeout": ("timeout", values.duration),
    "triggers": ("triggers", values.globs),
    "user": ("user", values.word),
    "network": ("network", values.one_of(Network)),
    "pull": ("pull", values.one_of(PullPolicy)),
    "platform": ("platform", values.word),
    "cpus": ("cpus", values.processors),
    "memory": ("memory", values.size),
}
"""Keys that stand for themselves and can be inherited: to the attribute of `Stage` that they set, and how they are read."""

OWN = frozenset({"after", "env", "vol", "on", "run"})
"""Keys that only a stage itself can have."""

INHERITED = frozenset({*SETTINGS, "build"})
"""Keys that `meta.defaults` can give."""

OF_A_CONTAINER = frozenset(SETTINGS) - {"img", "noLog", "triggers"}
"""Keys without effect where nothing is run and nothing built."""

OF_A_SCRIPT = OF_A_CONTAINER - {"network", "platform", "pull", "timeout"} | {"env", "vol", "on"}
"""Keys without effect where an image is built and nothing run in it."""

META = frozenset({"name", "tags", "env", "defaults", "implicit", "network", "pull", "platform"})

LATER_IN_STAGES = frozenset(
    {"retries", "when", "if", "unless", "stopGrace", "cache", "services", "matrix", "secrets", "approve"}
    | {"concurrency", "artifacts", "shell", "entrypoint"}
)

LATER_IN_META = frozenset({"subgraphs", "secrets", "lint", "timeout", "concurrency"})

STAGE = INHERITED | OWN


def check_keys(
    owner: str, entries: Iterable[tuple[Scalar, Node]], known: Collection[str], later: Collection[str], findings: Findings
) -> None:
    """DK021 for keys that there are not, DK022 for those that are not supported yet."""
    for key, _ in entries:
        if key.text in later:
            findings.error(
                Code.NOT_SUPPORTED, f"{owner}: `{key.text}` is not supported yet", key.place, hint="take the key away"
            )
        elif key.text not in known:
            meant = did_you_mean(key.text, sorted(known))
            hint = f"did you mean `{meant}`?" if meant else suggestion("", sorted(known))
            findings.error(Code.UNKNOWN_KEY, f"{owner}: unknown key `{key.text}`", key.place, hint=hint)


def read_settings(owner: str, by_key: Mapping[str, Node], findings: Findings) -> dict[str, Any]:
    """What the keys of `SETTINGS` say, by the attributes they set; None where a key is wrong or unset by `null`."""
    settings: dict[str, Any] = {}
    for key in by_key.keys() & SETTINGS.keys():
        attribute, read = SETTINGS[key]
        node = by_key[key]
        unset = isinstance(node, Scalar) and node.kind == "null"
        settings[attribute] = None if unset else read(Field(owner, key, node, findings))
    return settings
