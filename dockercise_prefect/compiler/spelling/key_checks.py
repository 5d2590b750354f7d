"""Checks the keys of a mapping."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from dockercise_prefect.compiler.spelling.suggest import suggestion
from dockercise_prefect.errors import did_you_mean
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Node, Scalar
from dockercise_prefect.pipeline import Code


def no_hint(_word: str) -> str | None:
    """For keys that no other tool has."""
    return None


def check_keys(
    owner: str,
    entries: Iterable[tuple[Scalar, Node]],
    known: Iterable[str],
    findings: Findings,
    *,
    later: Mapping[str, str] | None = None,
    hint_for: Callable[[str], str | None] = no_hint,
) -> None:
    """Report DK021 for unknown keys, and DK022 for those that are not supported yet.

    Args:
        owner: the owner of the keys.
        entries: the keys and values.
        known: the keys that exist.
        findings: collects what is wrong.
        later: keys that are not supported yet, each with what to write until then.
        hint_for: returns the hint for an unknown key. If it returns None, the hint is the closest known key, or all of them.
    """
    words = sorted(known)
    for key, _ in entries:
        if later and key.text in later:
            findings.error(Code.NOT_SUPPORTED, f"{owner}: `{key.text}` is not supported yet", key.place, hint=later[key.text])
        elif key.text not in words:
            meant = None if findings.are_many else did_you_mean(key.text, words)
            hint = hint_for(key.text) or (f"did you mean `{meant}`?" if meant else suggestion("", words))
            findings.error(Code.UNKNOWN_KEY, f"{owner}: unknown key `{key.text}`", key.place, hint=hint)
