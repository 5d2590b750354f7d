"""`meta`: the pipeline's name, its tags, and what every stage inherits (LANGUAGE section 1)."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from typing import Any

from dockercise_prefect.compiler.keys import (
    INHERITED,
    LATER_IN_STAGES,
    META,
    OWN,
    SHORT_DEFAULTS,
    read_settings,
)
from dockercise_prefect.compiler.reading.lifecycle import read_run
from dockercise_prefect.compiler.reading.names import pipeline_name_from, pipeline_name_problem
from dockercise_prefect.compiler.reading.secrets import read_secrets
from dockercise_prefect.compiler.reading.switches import read_switches
from dockercise_prefect.compiler.reading.values import Field, boolean, image, text, texts
from dockercise_prefect.compiler.reading.variables import Variable, Variables
from dockercise_prefect.compiler.spelling.key_checks import check_keys
from dockercise_prefect.compiler.spelling.keys_of_other_tools import hint_for_key, hint_for_top_level
from dockercise_prefect.errors import Place, Related
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.merge import MergedDocument
from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar, is_null
from dockercise_prefect.pipeline import Code, StageName


@dataclass(frozen=True, slots=True)
class Meta:
    """The content of `meta`.

    Attributes:
        settings: what stages inherit, by the attributes of `Stage`.
        written: the values that the settings were read from, by key, for findings that depend on a stage.
        implicit: whether edges are inferred.
        env: variables for every stage that starts a container, unless it has its own.
        lint_off: lint rules that are switched off.
        secrets: variables whose values are sensitive, by their folded names, each with its place.
        lifecycle: how runs go, by the attributes of `Pipeline`.
    """

    name: str
    tags: tuple[str, ...]
    settings: MappingOf[str, Any]
    written: MappingOf[str, Node]
    implicit: bool = True
    env: MappingOf[str, Variable] = field(default_factory=dict)
    lint_off: frozenset[Code] = frozenset()
    secrets: MappingOf[str, Place] = field(default_factory=dict)
    lifecycle: MappingOf[str, Any] = field(default_factory=dict)


def read_meta(document: MergedDocument, folder: str, variables: Variables, findings: Findings) -> Meta:
    """Check and read `meta`.

    Args:
        document: all files merged into one.
        folder: the pipeline's name if there is no `meta.name`.
        variables: reads `meta.env`.
        findings: collects what is wrong.
    """
    check_keys("meta", document.meta.values(), META, findings, hint_for=_hint_for_meta)
    by_key = {key: value for key, (_, value) in document.meta.items() if not is_null(value)}
    defaults = _defaults(by_key, findings)
    if "img" in defaults:
        _check_image(Field("meta.defaults", "img", defaults["img"], findings), {stage.name for stage in document.stages})
    env = variables.read(Field("meta", "env", node, findings) for node in document.meta_env if not is_null(node))
    tags = texts(Field("meta", "tags", by_key["tags"], findings)) if "tags" in by_key else []
    return Meta(
        name=_name(by_key.get("name"), folder, findings),
        tags=tuple(dict.fromkeys(tag for tag, _ in tags)),
        settings=read_settings("meta.defaults", defaults, findings),
        written=defaults,
        implicit=_implicit(by_key.get("implicit"), findings),
        env=env,
        lint_off=read_switches(by_key["lint"], findings) if "lint" in by_key else frozenset(),
        secrets=read_secrets(by_key["secrets"], findings) if "secrets" in by_key else {},
        lifecycle=read_run(by_key, findings),
    )


def _hint_for_meta(word: str) -> str | None:
    if word in INHERITED:
        return f"write it in `defaults`: `meta: {{defaults: {{{word}: …}}}}`"
    if word in OWN:
        return f"`{word}` belongs to a stage"
    return None if word == "default" else hint_for_top_level(word)  # `did you mean` is a better hint


def _name(node: Node | None, folder: str, findings: Findings) -> str:
    if node is None:
        return pipeline_name_from(folder)
    name = text(Field("meta", "name", node, findings))
    problem = pipeline_name_problem(name) if name else None
    if problem:
        why, hint = problem
        findings.error(Code.PIPELINE_NAME, f"meta: `name`: {why}", node.place, hint=hint)
    return name or folder


def _check_image(field: Field, stages: Collection[StageName]) -> None:
    """Check that a default image is an image or a stage, even if no stage inherits it."""
    if not isinstance(field.node, Scalar) or field.node.text not in stages:
        image(field)


def _implicit(node: Node | None, findings: Findings) -> bool:
    return node is None or boolean(Field("meta", "implicit", node, findings)) is not False


def _defaults(by_key: MappingOf[str, Node], findings: Findings) -> dict[str, Node]:
    """The defaults of `meta.defaults`, together with those beside it (`network`, `pull`, `platform`)."""
    defaults: dict[str, Node] = {}
    node = by_key.get("defaults")
    if isinstance(node, Mapping):
        _check_defaults(node, findings)
        defaults = {key: value for key, value in node.by_key.items() if key in INHERITED and not is_null(value)}
    elif node is not None:
        Field("meta", "defaults", node, findings).wrong_type("a mapping of keys that every stage inherits")
    for key in (key for key in SHORT_DEFAULTS if key in by_key):
        first, later = defaults.setdefault(key, by_key[key]), by_key[key]
        if isinstance(first, Scalar) and isinstance(later, Scalar) and first.text != later.text:
            findings.error(
                Code.META_CONFLICT,
                f"`meta.{key}` and `meta.defaults.{key}` differ",
                later.place,
                hint="set it once",
                related=[Related("the other is here", first.place)],
            )
    return defaults


def _check_defaults(node: Mapping, findings: Findings) -> None:
    own = [(key, value) for key, value in node if key.text in OWN]
    for key, _ in own:
        hint = "`meta.env` gives variables to every stage" if key.text == "env" else "write it in the stages themselves"
        findings.error(Code.UNKNOWN_KEY, f"meta.defaults: `{key.text}` cannot be inherited", key.place, hint=hint)
    others = [entry for entry in node if entry not in own]
    check_keys("meta.defaults", others, INHERITED, findings, later=LATER_IN_STAGES, hint_for=hint_for_key)
