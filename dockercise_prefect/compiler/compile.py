"""Compiles files into a `Pipeline`: finds, reads, merges and assembles them. All errors are reported together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dockercise_prefect.collector import collector_paused
from dockercise_prefect.compiler.assemble import assemble
from dockercise_prefect.errors import DefinitionError, Diagnostic, NothingToDoError, PackagesMissingError, Severity
from dockercise_prefect.frontend.discover import Source, ignored_sources, read_sources
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.merge import MergedDocument, read_all, read_part
from dockercise_prefect.frontend.subgraphs import NoPackages, Packages
from dockercise_prefect.pipeline import Code, Pipeline


@dataclass(frozen=True, slots=True)
class Origin:
    """What a pipeline was compiled from, for code that needs more exact places than the pipeline has.

    Attributes:
        document: the merged content of all files and packages, with the values of parameters.
        files: the paths of the files.
        lint_off: lint rules that `meta.lint` switches off.
    """

    document: MergedDocument
    files: frozenset[str]
    lint_off: frozenset[Code]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A pipeline, the warnings of its compilation, and the number of its files."""

    pipeline: Pipeline
    warnings: tuple[Diagnostic, ...]
    files: int


@dataclass(frozen=True, slots=True)
class Part:
    """A checked part of a pipeline, which other files complete.

    Attributes:
        document: the merged content of the files.
        name: the name of a pipeline that consists of this part alone.
    """

    document: MergedDocument
    name: str
    warnings: tuple[Diagnostic, ...]


_NO_PACKAGES = NoPackages()


def compile_folder(
    root: Path,
    *,
    name: str | None = None,
    packages: Packages = _NO_PACKAGES,
    parameters: Mapping[str, object] | None = None,
) -> Compiled:
    """Find, read, merge and compile the pipeline below a folder.

    Args:
        root: the folder to search.
        name: the pipeline's name if there is no `meta.name`; by default the folder's name.
        packages: returns what the images of `meta.subgraphs` print; by default each of them is an error.
        parameters: values of the pipeline's parameters, instead of their defaults.

    Raises:
        UsageError: the root is not a folder.
        NothingToDoError: the folder holds no file of a pipeline.
        PackagesMissingError: packages could not be fetched; nothing else is wrong with what could be read.
        DefinitionError: the files or packages are wrong; the error holds all findings.
    """
    findings = Findings()
    sources = _sources(root, findings)
    with collector_paused():  # the nodes are freed before the collector runs again
        return _compile(sources, name or root.resolve().name, packages, findings, parameters)[0]


def compile_with_origin(
    root: Path, *, packages: Packages = _NO_PACKAGES, parameters: Mapping[str, object] | None = None
) -> tuple[Compiled, Origin]:
    """Like `compile_folder`, but also returns what the pipeline was compiled from, for more exact places than it has."""
    findings = Findings()
    sources = _sources(root, findings)
    with collector_paused():
        return _compile(sources, root.resolve().name, packages, findings, parameters)


def check_part(root: Path) -> Part:
    """Find, read, merge and check the files below a folder as a part of pipelines. Other files may define what they name.

    Raises:
        UsageError: the root is not a folder.
        NothingToDoError: the folder holds no file of a pipeline.
        DefinitionError: the files are wrong; the error holds all findings.
    """
    findings = Findings()
    document = read_part(_sources(root, findings), findings)
    pipeline = assemble(document, root.resolve().name, findings).pipeline
    if pipeline is None:
        raise DefinitionError(findings.in_order())
    return Part(document, pipeline.name, findings.in_order())


def _sources(root: Path, findings: Findings) -> list[Source]:
    sources = read_sources(root, findings)
    if not sources and not findings.failed:
        ignored = ignored_sources(root)
        if ignored:
            message = f"nothing to do: git ignores every *.dockercise.yaml below {root}, such as {ignored[0]}"
            raise NothingToDoError(message, f"`git check-ignore -v {ignored[0]}` shows the rule")
        raise NothingToDoError(f"nothing to do: no *.dockercise.yaml below {root}", "`dockercise init` writes a first one")
    return sources


def compile_sources(
    sources: Sequence[Source],
    name: str,
    packages: Packages = _NO_PACKAGES,
    parameters: Mapping[str, object] | None = None,
) -> Compiled:
    """Compile files that have been read. The result depends only on the arguments.

    Args:
        sources: the files, in path order.
        name: the pipeline's name if there is no `meta.name`.
        packages: as for `compile_folder`.
        parameters: as for `compile_folder`.

    Raises:
        DefinitionError: the files are wrong; the error holds all findings.
    """
    with collector_paused():
        return _compile(sources, name, packages, Findings(), parameters)[0]


def _compile(
    sources: Sequence[Source], name: str, packages: Packages, findings: Findings, parameters: Mapping[str, object] | None
) -> tuple[Compiled, Origin]:
    unread = findings.failed
    document = read_all(sources, packages, findings)
    document = replace(document, complete=document.complete and not unread)
    assembled = assemble(document, name, findings, parameters)
    found = findings.in_order()
    if assembled.pipeline is None:
        errors = {finding.code for finding in found if finding.severity is Severity.ERROR}
        raise (PackagesMissingError if errors == {Code.PACKAGE_MISSING} else DefinitionError)(found)
    origin = Origin(assembled.document, frozenset(source.path for source in sources), assembled.meta.lint_off)
    return Compiled(assembled.pipeline, found, len(sources)), origin
