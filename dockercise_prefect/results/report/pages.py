"""Renders templates to pages. Styles and scripts are inside the pages, which load nothing else."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dockercise_prefect.results.reading.wording import duration, size_words


def page(template: str, script: str | None = None, **what: object) -> str:
    """A complete page.

    Args:
        template: the file of the template.
        script: a file of JavaScript, the only script that may run in the page; None for a page without scripts.
        what: the variables of the template. Texts are escaped.
    """
    code = _asset(script) if script else None
    digest = base64.b64encode(hashlib.sha256((code or "").encode()).digest()).decode()
    text = _templates().get_template(template)
    return text.render(css=_asset("page.css"), script=code, script_hash=f"sha256-{digest}", **what)


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
