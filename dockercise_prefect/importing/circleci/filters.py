"""`filters` of a job in a workflow: on which branches and tags it runs."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from dockercise_prefect.frontend.nodes import Mapping
from dockercise_prefect.importing.conditions import ALWAYS, NEVER, VARIABLES, Condition, Matches, Test, all_of, any_of, negated
from dockercise_prefect.importing.fields import Fields
from dockercise_prefect.importing.notes import Notes
from dockercise_prefect.importing.regular import glob_of

_NO_TAG = Test('[ -z "$DOCKERCISE_TAG" ]', ("DOCKERCISE_TAG",))


def condition_of(filters: Mapping | None, notes: Notes) -> Condition:
    """The condition of a job: without a filter for tags, it does not run for them; but stages without conditions do here."""
    if filters is None:
        return ALWAYS
    fields = Fields(filters, notes, "filters: ")
    branches, tags = fields.take("branches"), fields.take("tags")
    fields.leave_rest({})
    of_branches = _side(branches if isinstance(branches, Mapping) else None, "branch", notes)
    of_tags = _side(tags if isinstance(tags, Mapping) else None, "tag", notes)
    if of_tags is None:
        return ALWAYS if of_branches is None else of_branches
    if of_branches is None:
        return ALWAYS if of_tags == ALWAYS else any_of([_NO_TAG, of_tags])
    return any_of([of_branches, of_tags])


def _side(node: Mapping | None, key: str, notes: Notes) -> Condition | None:
    if node is None:
        return None
    fields = Fields(node, notes, f"filters: {key}: ")
    only, ignored = fields.texts("only"), fields.texts("ignore")
    fields.leave_rest({})
    if _is_all(only) and not ignored:
        return ALWAYS if key == "tag" else Matches(key, ("**",))
    if _is_all(ignored):
        return NEVER
    exists = Matches(key, ("**",))
    parts: list[Condition] = [any_of(_matches(text, key) for text in only)] if only else [exists]
    globs = [_glob(text) for text in ignored]
    if not only and all(globs):
        return Matches(key, ("**", *(f"!{glob}" for glob in globs))) if globs else exists
    parts += [negated(_matches(text, key)) for text in ignored]
    return all_of(parts)


def _is_all(patterns: Sequence[str]) -> bool:
    return any(pattern in {"/.*/", "/^.*$/", "/.+/"} for pattern in patterns)


def _glob(text: str) -> str | None:
    return glob_of(text[1:-1], whole=True) if _is_expression(text) else text


def _matches(text: str, key: str) -> Condition:
    glob = _glob(text)
    if glob is not None:
        return Matches(key, (glob,))
    return Test(f'printf %s "${VARIABLES[key]}" | grep -Exq {quote(text[1:-1])}', (VARIABLES[key],))


def _is_expression(text: str) -> bool:
    return len(text) > 2 and text.startswith("/") and text.endswith("/")  # noqa: PLR2004  both slashes, and something
