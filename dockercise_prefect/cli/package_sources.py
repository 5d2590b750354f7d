"""Packages for commands: from the user's engine, or from kept output (`frontend.subgraphs.Packages`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

import click

from dockercise_prefect.frontend.subgraphs import (
    Package,
    PackageError,
    PackageMissingError,
    Packages,
    PackageUnreadError,
    RefusedPackages,
)
from dockercise_prefect.orchestration.packages.cache import PackageCache
from dockercise_prefect.orchestration.packages.fetch import FOLDER, EnginePackages, KeptPackages
from dockercise_prefect.settings import read_settings
from dockercise_prefect.signals import as_interrupt

if TYPE_CHECKING:
    from dockercise_prefect.runtime.engine import Engine


@contextmanager
def chosen_packages(*, offline: bool, untrusted: bool = False) -> Iterator[Packages]:
    """The packages that a command may use. Settings are read, and the engine is used, only for the first package.

    Args:
        offline: whether the engine must not be used.
        untrusted: whether the pipeline is known to be untrusted. If False, the user's settings decide.
    """
    if untrusted:
        yield RefusedPackages()
    elif offline:
        yield WhereTrusted(KeptPackages(_cache, not_kept), _is_untrusted)
    else:
        with as_interrupt(), closing(EnginePackages(_cache, _connect, _say)) as packages:
            yield WhereTrusted(packages, _is_untrusted)


def not_kept(image: str) -> PackageError:
    """DK060, for a command that must not use an engine."""
    hint = "run once without --offline, to store what it prints"
    return PackageMissingError(f"the package `{image}` has never been read here", hint)


def not_asked_for(image: str) -> PackageError:
    """DK062, for a command that does not run packages."""
    hint = "`dockercise lint --packages` runs it; until then, it may define any name"
    return PackageUnreadError(f"the package `{image}` was not read, because lint does not run packages", hint)


def kept_packages() -> Packages:
    """The packages whose output was kept, and a warning for each other package. Nothing is run."""
    return WhereTrusted(KeptPackages(_cache, not_asked_for), _is_untrusted)


class WhereTrusted:
    """Packages, unless the pipeline is untrusted.

    Args:
        packages: used if the pipeline is trusted.
        untrusted: called for the first package; returns whether the pipeline is untrusted.
    """

    def __init__(self, packages: Packages, untrusted: Callable[[], bool]) -> None:
        self._packages = packages
        self._untrusted = untrusted

    def fetch(self, image: str) -> Package:
        return self._chosen.fetch(image)

    @cached_property
    def _chosen(self) -> Packages:
        return RefusedPackages() if self._untrusted() else self._packages


def _cache() -> PackageCache:
    return PackageCache(read_settings().data / FOLDER, _say)


def _is_untrusted() -> bool:
    return read_settings().untrusted


def _connect() -> Engine:
    from dockercise_prefect.orchestration.prefect.engine_login import connect_engine

    return connect_engine(read_settings())


def _say(line: str) -> None:
    click.echo(line, err=True)
