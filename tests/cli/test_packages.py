"""Where commands get packages from: an image is run once, and its document is kept and read again."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from dockercise_prefect.cli import package_sources as cli_packages
from dockercise_prefect.cli.package_sources import not_kept
from dockercise_prefect.errors import EngineError
from dockercise_prefect.frontend.subgraphs import Package, PackageBrokenError, PackageMissingError
from dockercise_prefect.orchestration.packages.cache import PackageCache
from dockercise_prefect.orchestration.packages.fetch import EnginePackages, KeptPackages
from tests.engines.scripted import Behaviour, ScriptedEngine
from tests.support.command import Command

TOOLS = "host.example/tools:1"
DOCUMENT = b"scan: {img: x:1}\n"


@pytest.fixture
def said() -> list[str]:
    """Lines for the user."""
    return []


@pytest.fixture
def cache(tmp_path: Path, said: list[str]) -> PackageCache:
    """An empty cache."""
    return PackageCache(tmp_path / "data" / "packages", said.append)


@pytest.fixture
def port(scripted: ScriptedEngine, cache: PackageCache, said: list[str]) -> Callable[[], EnginePackages]:
    """Packages on an engine with the image `TOOLS`, as a new process would open them."""
    scripted.add_image(TOOLS, command=("cat", "/tools"))
    scripted.script("/tools", Behaviour(stdout=DOCUMENT))
    return lambda: EnginePackages(lambda: cache, lambda: scripted, said.append)


def test_provenance_is_name_and_digest(port: Callable[[], EnginePackages], scripted: ScriptedEngine) -> None:
    """The provenance of a package is its name without the tag, and its digest."""
    package = port().fetch(TOOLS)

    assert package.provenance == f"host.example/tools@{scripted.add_image(TOOLS)}"
    assert package.data == DOCUMENT


def test_an_image_is_run_once(port: Callable[[], EnginePackages], scripted: ScriptedEngine, said: list[str]) -> None:
    """A later compile, or another name of the image, uses the kept document; a line is shown only when the image is run."""
    first = port().fetch(TOOLS)
    second = port().fetch(TOOLS)

    assert first == second
    assert len(scripted.runs) == 1
    assert said == [f"running the package {first.provenance}"]


def test_what_failed_is_run_again(scripted: ScriptedEngine, cache: PackageCache, said: list[str]) -> None:
    """A package that failed or printed no document is not kept."""
    for name, behaviour in (
        ("fails", Behaviour(exit_code=3, stderr=b"no\n")),
        ("empty", Behaviour()),
        ("rubbish", Behaviour(stdout=b"a: [")),
    ):
        scripted.add_image(name, command=(name,))
        scripted.script(name, behaviour)
    packages = EnginePackages(lambda: cache, lambda: scripted, said.append)

    with pytest.raises(PackageBrokenError, match=r"the package fails@sha256:[0-9a-f]+ failed: exit code 3, and said: no"):
        packages.fetch("fails")
    for name in ("empty", "empty", "rubbish", "rubbish"):
        packages.fetch(name)

    assert len(scripted.runs) == 5
    assert [cache.last(name) for name in ("fails", "empty", "rubbish")] == [None, None, None]


def test_an_absent_image(port: Callable[[], EnginePackages]) -> None:
    """An image that cannot be pulled is an error with the engine's reason."""
    with pytest.raises(PackageMissingError, match="the package `gone` is not available: there is no image gone"):
        port().fetch("gone")


def test_an_engine_that_does_not_answer_is_asked_once(cache: PackageCache, said: list[str]) -> None:
    """Without an engine every package is an error after one attempt; if it was read before, the hint is `--offline`."""
    attempts = []

    def connect() -> ScriptedEngine:
        attempts.append(1)
        raise EngineError("no engine", "start it")

    cache.keep("known", Package("known@sha256:1", "sha256:1", DOCUMENT))
    packages = EnginePackages(lambda: cache, connect, said.append)
    hints = []
    for name in ("known", "new"):
        with pytest.raises(PackageMissingError) as caught:
            packages.fetch(name)
        hints.append(caught.value.hint)
    packages.close()

    assert attempts == [1]
    assert hints == ["start it; `--offline` uses what it printed last", "start it"]


def test_the_engine_is_closed(port: Callable[[], EnginePackages], scripted: ScriptedEngine) -> None:
    """An engine that was opened for packages is closed; without a package no engine is opened."""
    port().close()
    unopened = scripted.calls["close"]
    opened = port()
    opened.fetch(TOOLS)
    opened.close()

    assert (unopened, scripted.calls["close"]) == (0, 1)


def test_kept_packages_need_no_engine(port: Callable[[], EnginePackages], cache: PackageCache) -> None:
    """A document that was read once is available by the name it was read by, and by no other."""
    package = port().fetch(TOOLS)
    kept = KeptPackages(lambda: cache, not_kept)

    assert kept.fetch(TOOLS) == package
    with pytest.raises(PackageMissingError, match="has never been read here"):
        kept.fetch("host.example/tools:2")


def test_a_name_stands_for_what_it_was_last(cache: PackageCache) -> None:
    """If a tag has moved, its last image counts, and the document of the earlier image is still known."""
    cache.keep("tools", Package("tools@sha256:1", "sha256:1", b"a:\n"))
    cache.keep("tools", Package("tools@sha256:2", "sha256:2", b"b:\n"))

    assert cache.last("tools") == Package("tools@sha256:2", "sha256:2", b"b:\n")
    assert cache.document("sha256:1") == b"a:\n"


def test_the_cache_is_private(cache: PackageCache, tmp_path: Path) -> None:
    """No other user can read the kept documents, and the cache holds only complete files."""
    cache.keep("tools", Package("tools@sha256:1", "sha256:1", b"a:\n"))

    folder = tmp_path / "data" / "packages"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".yaml"]


def test_a_broken_entry_is_none(cache: PackageCache, tmp_path: Path) -> None:
    """A file that is not what was written counts as missing."""
    cache.keep("tools", Package("tools@sha256:1", "sha256:1", b"a:\n"))
    (entry,) = (tmp_path / "data" / "packages").glob("*.json")
    entry.write_text('["half')

    assert cache.last("tools") is None


def test_a_cache_that_cannot_be_written_is_only_said(tmp_path: Path, scripted: ScriptedEngine, said: list[str]) -> None:
    """If nothing can be kept, the package is still read, and a line shows why it will be run again."""
    (tmp_path / "file").write_text("")
    scripted.add_image(TOOLS, command=("cat", "/tools"))
    scripted.script("/tools", Behaviour(stdout=DOCUMENT))
    full = PackageCache(tmp_path / "file" / "packages", said.append)

    package = EnginePackages(lambda: full, lambda: scripted, said.append).fetch(TOOLS)

    assert package.data == DOCUMENT
    assert said[-1].startswith(f"cannot save what the package {TOOLS} printed in ")


# The commands.


@pytest.fixture
def pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scripted: ScriptedEngine, port: Callable[[], EnginePackages]
) -> ScriptedEngine:
    """A pipeline that takes `TOOLS`, in the working directory of `command`, and the engine that runs it."""
    del port
    monkeypatch.setenv("DOCKERCISE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(cli_packages, "_connect", lambda: scripted)
    (tmp_path / "a.dockercise.yaml").write_text(f"meta: {{subgraphs: '{TOOLS}'}}\nend: {{img: x:1, after: scan}}\n")
    return scripted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_package_running(pipeline: ScriptedEngine, command: Command, number: signal.Signals) -> None:
    """A signal that ends the process while a package runs gives exit status 130, and the container is removed."""
    pipeline._script.clear()
    pipeline.script("", Behaviour(action=lambda _: os.kill(os.getpid(), number)))
    before = signal.getsignal(number)

    outcome = command("compile")

    assert outcome.status == 130
    assert [leftover for leftover in pipeline.leftovers() if leftover.kind == "container"] == []
    assert signal.getsignal(number) is before


def test_compile_runs_packages(pipeline: ScriptedEngine, command: Command) -> None:
    """`compile` runs a package once, reports it on stderr, and does not run it again."""
    first = command("compile", "--format", "json")
    second = command("compile", "--format", "json")

    assert list(json.loads(first.out)["stages"]) == ["scan", "end"]
    assert first.out == second.out
    assert first.err.startswith("running the package host.example/tools@sha256:")
    assert second.err == ""
    assert len(pipeline.runs) == 1


def test_offline_needs_what_was_read(pipeline: ScriptedEngine, command: Command) -> None:
    """`--offline` never contacts an engine: an error before the package was read, the same output as before after it."""
    before = command("compile", "--offline")
    online = command("compile")
    asked = pipeline.calls.total()
    offline = command("compile", "--offline")

    assert (before.status, before.out) == (3, "")
    assert before.err == (
        f"a.dockercise.yaml:1:19: DK060 the package `{TOOLS}` has never been read here\n"
        "  hint: run once without --offline, to store what it prints\n1 finding in 1 file, nothing written\n"
    )
    assert (offline.status, offline.out) == (0, online.out)
    assert pipeline.calls.total() == asked


def test_lint_runs_none_unless_told(pipeline: ScriptedEngine, command: Command) -> None:
    """`lint` warns of a package that was not read; `--packages` runs it, and after that it is known."""
    first = command("lint")
    unread = pipeline.calls.total()
    told = command("lint", "--packages")
    after = command("lint")

    assert (first.status, unread) == (0, 0)
    assert f"DK062 warning: the package `{TOOLS}` was not read" in first.err
    assert told.status == 0
    assert after == (0, "", "")
    assert len(pipeline.runs) == 1


def test_lint_offline_wants_every_package(pipeline: ScriptedEngine, command: Command) -> None:
    """`lint --offline` is an error if a package was never read; with `--packages` it contradicts itself."""
    outcome = command("lint", "--offline")
    both = command("lint", "--offline", "--packages")

    assert pipeline.calls.total() == 0
    assert (outcome.status, both.status) == (3, 2)
    assert "--packages runs packages, but --offline forbids it" in both.err


def test_run_stops_without_its_packages(pipeline: ScriptedEngine, command: Command) -> None:
    """`run --offline` of a package that was never read starts nothing."""
    outcome = command("run", "--offline")

    assert outcome.status == 3
    assert "has never been read here" in outcome.err
    assert pipeline.calls.total() == 0


def test_a_pipeline_without_packages_asks_nobody(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `subgraphs` neither an engine nor the user's settings are read."""

    def refuse() -> ScriptedEngine:
        raise AssertionError

    monkeypatch.setattr(cli_packages, "_connect", refuse)
    monkeypatch.setattr(cli_packages, "_cache", refuse)
    (tmp_path / "a.dockercise.yaml").write_text("a: {img: x:1}\n")

    assert (command("compile").status, command("lint").status) == (0, 0)


@pytest.mark.parametrize(
    "arguments", ["compile", "compile --offline", "lint", "lint --packages", "lint --offline", "run", "run --offline"]
)
def test_who_is_not_trusted_gets_no_package(
    pipeline: ScriptedEngine, command: Command, monkeypatch: pytest.MonkeyPatch, arguments: str
) -> None:
    """If the settings trust nothing, no command runs a package or reads the document that it printed for somebody else."""
    command("compile")
    asked = pipeline.calls.total()
    monkeypatch.setenv("DOCKERCISE_UNTRUSTED", "true")

    outcome = command(*arguments.split())

    assert (outcome.status, outcome.out, pipeline.calls.total()) == (2, "", asked)
    assert outcome.err.startswith(
        f"a.dockercise.yaml:1:19: DK077 not trusted: the package `{TOOLS}` is not run, and its cached document is not used\n"
        "  hint: write its stages into files of the repository\n"
    )
    assert "DK031" not in outcome.err
