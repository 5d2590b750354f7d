"""Where commands get packages from: the user's engine, or what it printed before (`frontend.subgraphs.Packages`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from dockercise_prefect.cli.signals import as_interrupt
from dockercise_prefect.frontend.subgraphs import PackageError, PackageMissingError, Packages, PackageUnreadError
from dockercise_prefect.orchestration.package_cache import PackageCache
from dockercise_prefect.orchestration.packages import FOLDER, EnginePackages, KeptPackages
from dockercise_prefect.settings import read_settings

if TYPE_CHECKING:
    from dockercise_prefect.runtime.engine import Engine


@contextmanager
def chosen_packages(*, offline: bool) -> Iterator[Packages]:
    """What `--offline` asks for. Neither settings nor an engine are looked for before the first package is."""
    if offline:
        yield KeptPackages(_cache, not_kept)
        return
    with as_interrupt(), closing(EnginePackages(_cache, _connect, _say)) as packages:
        yield packages


def not_kept(image: str) -> PackageError:
    """DK060, where no engine may be asked."""
    hint = "run once without --offline: what it prints is kept"
    return PackageMissingError(f"the package `{image}` was never read here", hint)


def not_asked_for(image: str) -> PackageError:
    """DK062, where nobody asked for packages to be run."""
    hint = "`dockercise lint --packages` runs it; until then any name may be defined in it"
    return PackageUnreadError(f"the package `{image}` was not read, since lint runs none by itself", hint)


def kept_packages() -> Packages:
    """What was kept, and a warning for each other package: nothing is run."""
    return KeptPackages(_cache, not_asked_for)


def _cache() -> PackageCache:
    return PackageCache(read_settings().data / FOLDER, _say)


def _connect() -> Engine:
    from dockercise_prefect.orchestration.registry import connect_engine

    return connect_engine(read_settings())


def _say(line: str) -> None:
    click.echo(line, err=True)
