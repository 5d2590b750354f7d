"""Renders templates to pages. Styles and scripts are inside the pages, which load nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dockercise_prefect.results.reading.wording import duration, size_words

LIVE = "live.js"
"""The script of pages that load themselves again while somebody looks at them, and of what they become in the end."""


def page(template: str, scripts: Sequence[str] = (), refresh: int | None = None, **what: object) -> str:
    """A complete page.

    Args:
        template: the file of the template.
        scripts: the files of JavaScript that may run in the page.
        refresh: with the script `LIVE`, the page loads itself again after so many seconds; None if it never does.
        what: the variables of the template. Texts are escaped.
    """
    text = _templates().get_template(template)
    return text.render(
        css=_asset("page.css"),
        scripts=[_asset(name) for name in scripts],
        script_sources=" ".join(map(script_source, scripts)),
        refresh=refresh,
        **what,
    )


@cache
def script_source(name: str) -> str:
    """A script of ours as a policy for contents names it: by its digest."""
    digest = hashlib.sha256(_asset(name).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("dockercise_prefect.results.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": duration, "moment": _moment, "bytes": size_words}
    return environment


@cache
def _asset(name: str) -> Markup:
    return Markup(files("dockercise_prefect.results.report").joinpath(name).read_text(encoding="utf-8"))  # noqa: S704  our own files


def _moment(text: str) -> str:
    """`2026-11-26 12:01:30`, from an ISO 8601 time in UTC."""
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"
