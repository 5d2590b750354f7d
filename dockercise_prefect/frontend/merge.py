"""Merges all documents of a pipeline into one (LANGUAGE section 1)."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field

from dockercise_prefect.errors import Related
from dockercise_prefect.frontend.convert import is_stage_name, report_stage_twice
from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.frontend.document import Document, read_document
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.foreign import is_foreign
from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar, Sequence, is_null
from dockercise_prefect.frontend.subgraphs import PARAMETERS, Packages, PackageUse, named_packages, read_packages
from dockercise_prefect.pipeline import Code

_LISTS = frozenset({"env", "subgraphs", "tags", "triggers"})
"""Settings that are lists; a single text counts as a list of one item."""


@dataclass(frozen=True, slots=True)
class StageDefinition:
    """A stage as written: its name, its place, and the nodes below it."""

    key: Scalar
    body: Node

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.key.text


@dataclass(frozen=True, slots=True)
class MergedDocument:
    """All files merged into one.

    Attributes:
        stages: the stages in the order of files and lines; no name occurs twice.
        meta: the merged settings of `meta` except `env`, each with the key that set it first.
        meta_env: every `env` of a `meta`, in order.
        texts: the texts of the files and packages, by their paths.
        complete: False if a file or a package could not be read, so that it may define a name that is missing here.
        packages: the parameters of each package, by its path, in the order in which packages are read.
    """

    stages: tuple[StageDefinition, ...]
    meta: dict[str, tuple[Scalar, Node]]
    meta_env: tuple[Node, ...]
    texts: dict[str, str]
    complete: bool
    packages: MappingOf[str, PackageUse] = field(default_factory=dict)


def read_all(sources: Iterable[Source], packages: Packages, findings: Findings) -> MergedDocument:
    """Read and merge files and the packages they name. If one cannot be read, the findings of the others are still reported."""
    files = [read_document(source, findings) for source in sources]
    readable = _ours(files, findings)
    printed = list(read_packages(readable, packages, findings))
    found = [one for one in printed if one is not None]
    complete = len(readable) + len(found) == len(files) + len(printed)
    uses = {document.path: use for document, use in found}
    return merge([*readable, *(document for document, _ in found)], findings, complete=complete, packages=uses)


def read_part(sources: Iterable[Source], findings: Findings) -> MergedDocument:
    """Read and merge files that others will complete. Packages are not fetched, and any name may be defined elsewhere."""
    readable = _ours([read_document(source, findings) for source in sources], findings)
    for document in readable:
        list(named_packages(document, findings))
    return merge(readable, findings, complete=False)


def _ours(documents: Iterable[Document | None], findings: Findings) -> list[Document]:
    """The documents that could be read and were written for Dockercise."""
    return [document for document in documents if document is not None and not is_foreign(document.body, findings)]


def merge(
    documents: SequenceOf[Document], findings: Findings, *, complete: bool, packages: MappingOf[str, PackageUse] | None = None
) -> MergedDocument:
    """Merge documents. A stage in two of them is an error (DK010), and so is a setting with two values (DK011).

    The parameters of a package stay its own.
    """
    packages = packages or {}
    stages: dict[str, StageDefinition] = {}
    meta: dict[str, tuple[Scalar, Node]] = {}
    meta_env: list[Node] = []
    for document in documents:
        for key, body in document.body or ():
            if key.text == "meta":
                own = PARAMETERS if document.path in packages else None
                _merge_meta(body, own, meta, meta_env, findings)
            elif not is_stage_name(key.text):
                continue
            elif key.text in stages:
                report_stage_twice(key, stages[key.text].key, findings)
            else:
                stages[key.text] = StageDefinition(key, body)
    texts = {document.path: document.text for document in documents}
    return MergedDocument(tuple(stages.values()), meta, tuple(meta_env), texts, complete, packages)


def _merge_meta(body: Node, own: str | None, meta: dict[str, tuple[Scalar, Node]], env: list[Node], findings: Findings) -> None:
    """Merge one `meta`, without the key that is the document's own."""
    if is_null(body):
        return
    if not isinstance(body, Mapping):
        findings.error(Code.NOT_A_STAGE, "`meta` must be a mapping of settings, but this is not one", body.place)
        return
    for key, value in body:
        if key.text == own:
            continue
        if key.text == "env":
            env.append(value)
        elif key.text in meta:
            first_key, first = meta[key.text]
            meta[key.text] = first_key, _joined(first, value, key.text, key.text, findings)
        else:
            meta[key.text] = key, value


def _joined(first: Node, later: Node, name: str, path: str, findings: Findings) -> Node:
    """Joins lists and merges mappings; a scalar can have only one value."""
    if is_null(later):
        return first
    if is_null(first):
        return later
    if isinstance(first, Mapping) and isinstance(later, Mapping):
        entries = dict(first.by_text)
        for key, value in later:
            known = entries.get(key.text)
            entries[key.text] = (
                (key, value)
                if known is None
                else (known[0], _joined(known[1], value, key.text, f"{path}.{key.text}", findings))
            )
        return Mapping(first.path, first.mark, entries)
    if _is_list(first, name) and _is_list(later, name):
        return Sequence(first.path, first.mark, (*_items(first), *_items(later)))
    if not (isinstance(first, Scalar) and isinstance(later, Scalar) and (first.text, first.kind) == (later.text, later.kind)):
        findings.error(
            Code.META_CONFLICT,
            f"`meta.{path}` has two different values",
            later.place,
            hint="set it once",
            related=[Related("the first is here", first.place)],
        )
    return first


def _is_list(node: Node, name: str) -> bool:
    return isinstance(node, Sequence) or (isinstance(node, Scalar) and name in _LISTS)


def _items(node: Node) -> tuple[Node, ...]:
    return node.items if isinstance(node, Sequence) else (node,)
