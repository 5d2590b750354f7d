"""The table of rules, and the selection of the findings that are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from dockercise_prefect.compiler.compile import Origin
from dockercise_prefect.compiler.lint.characters import misleading_name
from dockercise_prefect.compiler.lint.comments import ignores_nothing, is_ignored
from dockercise_prefect.compiler.lint.edges import after_is_implied, runs_on_no_push
from dockercise_prefect.compiler.lint.expansion import doubles_the_dollar, stays_as_written
from dockercise_prefect.compiler.lint.images import hides_image, image_without_tag
from dockercise_prefect.compiler.lint.secrets import looks_secret
from dockercise_prefect.compiler.lint.shells import left_open, shebang_without_effect
from dockercise_prefect.compiler.lint.silent import value_is_empty
from dockercise_prefect.compiler.lint.subject import Subject
from dockercise_prefect.compiler.lint.triggers import never_triggers
from dockercise_prefect.compiler.lint.unset import nothing_sets
from dockercise_prefect.compiler.lint.writes import writes_read_only
from dockercise_prefect.compiler.matrix.findings import merged
from dockercise_prefect.errors import Diagnostic, Place
from dockercise_prefect.frontend.findings import in_order
from dockercise_prefect.pipeline import Code, Pipeline

Rule: TypeAlias = Callable[[Subject], Iterator[Diagnostic]]

RULES: Mapping[Code, Rule] = {
    Code.IGNORES_NOTHING: ignores_nothing,
    Code.RUNS_ON_NO_PUSH: runs_on_no_push,
    Code.VALUE_IS_EMPTY: value_is_empty,
    Code.AFTER_IS_IMPLIED: after_is_implied,
    Code.IMAGE_WITHOUT_TAG: image_without_tag,
    Code.HIDES_IMAGE: hides_image,
    Code.WRITES_READ_ONLY: writes_read_only,
    Code.LOOKS_SECRET: looks_secret,
    Code.NOTHING_SETS: nothing_sets,
    Code.NEVER_TRIGGERS: never_triggers,
    Code.STAYS_AS_WRITTEN: stays_as_written,
    Code.DOUBLES_THE_DOLLAR: doubles_the_dollar,
    Code.SHEBANG_WITHOUT_EFFECT: shebang_without_effect,
    Code.LEFT_OPEN: left_open,
    Code.MISLEADING_NAME: misleading_name,
}


def lint(pipeline: Pipeline, origin: Origin) -> tuple[Diagnostic, ...]:
    """The findings of the rules, ordered by place, without those that `meta.lint` or a comment switches off. All are warnings.

    A rule has one finding for each place, even if many stages take over what is written there, from `meta` or an anchor.
    Findings in packages are left out; they are for the maker of the package.
    """
    subject = Subject(pipeline, origin)
    on = [rule for code, rule in RULES.items() if code not in origin.lint_off]
    found: dict[tuple[str, Place | None], Diagnostic] = {}
    for finding in merged((finding for rule in on for finding in rule(subject)), pipeline.instances):
        if finding.place is None or finding.place.path in origin.files:
            found.setdefault((finding.code, finding.place), finding)
    return in_order(finding for finding in found.values() if not is_ignored(finding, subject))
