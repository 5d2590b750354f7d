"""Keys that a mapping must not have."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from dockercise_prefect.compiler.suggest import suggestion
from dockercise_prefect.errors import did_you_mean
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Node, Scalar
from dockercise_prefect.pipeline import Code


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
