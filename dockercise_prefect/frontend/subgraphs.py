"""Packages: documents that images print, merged like files (LANGUAGE section 1, `subgraphs`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

from dockercise_prefect.errors import DockerciseError, Place, Related, did_you_mean
from dockercise_prefect.frontend.discover import MAX_BYTES, Source
from dockercise_prefect.frontend.document import Document, read_document
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar, Sequence, is_null
from dockercise_prefect.pipeline import Code, image_name_problem

KEY = "subgraphs"
PARAMETERS = "parameters"
ENTRY = ("image", "with")
"""The keys of an entry that is a mapping."""

MAX_PACKAGES = 100
"""The largest number of packages of one pipeline, including packages of packages; each one costs a container."""


@dataclass(frozen=True, slots=True)
class Package:
    """What an image printed.

    Attributes:
        provenance: `image@digest`; it is the path in every place of the document.
        id: the id of the image; two names of one image are one package.
        data: the document as it was printed.
    """

    provenance: str
    id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class NamedPackage:
    """An entry of `meta.subgraphs`: an image, and values for the parameters of its document."""

    image: Scalar
    given: Mapping | None = None

    @property
    def values(self) -> frozenset[tuple[str, str]]:
        """The names and texts of the values. A package is read once with the same values."""
        entries = self.given.entries if self.given else ()
        return frozenset((key.text, value.text) for key, value in entries if isinstance(value, Scalar))


@dataclass(frozen=True, slots=True)
class PackageUse:
    """The parameters of a package, and the values that they get where it is named.

    Attributes:
        image: the image, where it is named.
        given: the value of `with`.
        declared: `meta.parameters` of the package's document.
    """

    image: Scalar
    given: Mapping | None
    declared: Node | None


class PackageError(DockerciseError):
    """A package gives no document. The error becomes a finding at the place where the package is named."""

    code: ClassVar[Code]


class PackageMissingError(PackageError):
    """DK060: the image cannot be fetched, or there is nothing that can run it."""

    code = Code.PACKAGE_MISSING


class PackageBrokenError(PackageError):
    """DK061: the image ran and did not print a document."""

    code = Code.PACKAGE_BROKEN


class PackageUnreadError(PackageError):
    """DK062: the image must not be run here. This is a warning: nothing is wrong, but what the package defines is not known."""

    code = Code.PACKAGE_UNREAD


class PackageRefusedError(PackageError):
    """DK077: the pipeline is not trusted, and a package is a container that runs before its content is known."""

    code = Code.PACKAGE_REFUSED


class Packages(Protocol):
    """The source of the documents of packages. Compiling uses an engine only through this interface."""

    def fetch(self, image: str) -> Package:
        """What the image prints. It is called once for each name. An image with several names still runs only once.

        Raises:
            PackageError: the image gives no document; the message names the image.
        """
        ...


class NoPackages:
    """For places where nothing can be run: every package is an error."""

    def fetch(self, image: str) -> Package:
        """Refuse."""
        raise PackageMissingError(f"the package `{image}` is needed, but packages are not run here", "see `dockercise compile`")


class RefusedPackages:
    """For a pipeline that is not trusted. Earlier output of a package is refused too, because it may be private."""

    def fetch(self, image: str) -> Package:
        """Refuse."""
        hint = "write its stages into files of the repository"
        message = f"not trusted: the package `{image}` is not run, and its cached document is not used"
        raise PackageRefusedError(message, hint)


def read_packages(
    documents: Iterable[Document], packages: Packages, findings: Findings
) -> Iterator[tuple[Document, PackageUse] | None]:
    """The documents of all packages that the documents name, and that those name in turn.

    They come in the order in which they are named, those of the files first. An image that was read is not read again, so
    cycles end.

    Args:
        documents: the documents of the files.
        packages: returns what an image prints.
        findings: collects errors in the lists, and each package that could not be read, at the place where it is named.

    Yields:
        A document and its parameters, or None for a package that could not be read.
    """
    source = _Once(packages)
    waiting = deque(named for document in documents for named in named_packages(document, findings))
    read: set[tuple[str, frozenset[tuple[str, str]]]] = set()
    while waiting:
        named = waiting.popleft()
        package = None if named is None else _fetched(named.image, source, findings)
        if named is None or package is None:
            yield None
            continue
        image, key = named.image, (package.id, named.values)
        if key in read:
            continue
        read.add(key)
        if len(read) > MAX_PACKAGES:
            hint = "name fewer packages, here and in the packages"
            findings.error(Code.TOO_BIG, f"the pipeline reads more than {MAX_PACKAGES} packages", image.place, hint=hint)
            yield None
            return
        document = _document(package, image, findings)
        if document is None:
            yield None
        else:
            declared = document.meta.by_key.get(PARAMETERS) if document.meta else None
            yield document, PackageUse(image, named.given, declared)
            waiting.extend(named_packages(document, findings))


class _Once:
    """Asks for each name once, even if the answer was an error."""

    def __init__(self, packages: Packages) -> None:
        self._packages = packages
        self._answers: dict[str, Package | PackageError] = {}

    def ask(self, image: str) -> Package | PackageError:
        if image not in self._answers:
            try:
                self._answers[image] = self._packages.fetch(image)
            except PackageError as error:
                self._answers[image] = error
        return self._answers[image]


def _fetched(image: Scalar, source: _Once, findings: Findings) -> Package | None:
    match source.ask(image.text):
        case Package() as package:
            return package
        case PackageUnreadError(message=message, hint=hint):
            findings.warn(Code.PACKAGE_UNREAD, message, image.place, hint=hint)
        case PackageError(code=code, message=message, hint=hint):
            findings.error(code, message, image.place, hint=hint)
    return None


def _document(package: Package, image: Scalar, findings: Findings) -> Document | None:
    """The output of a package, read like a file. Errors in it become findings with places in that output."""
    if len(package.data) > MAX_BYTES:
        _broken(package, image, f"printed {len(package.data):,} bytes, but the limit is {MAX_BYTES:,}", findings)
        return None
    document = read_document(Source(package.provenance, package.data), findings)
    if document is None:
        related = [Related("what it printed begins here", Place(package.provenance, 1, 1))]
        _broken(package, image, "printed something that is not a dockercise document", findings, *related)
        return None
    if document.body is None:
        _broken(package, image, "printed nothing", findings)
        return None
    return document


def _broken(package: Package, image: Scalar, what: str, findings: Findings, *related: Related) -> None:
    findings.error(
        Code.PACKAGE_BROKEN,
        f"the package {package.provenance} {what}",
        image.place,
        hint=f"a package prints one dockercise document on its standard output; see it with `docker run --rm {image.text}`",
        related=related,
    )


def named_packages(document: Document, findings: Findings) -> Iterator[NamedPackage | None]:
    """The packages that a document names in `meta.subgraphs`, in order; None and a finding for an entry that names no image."""
    node = document.meta.by_key.get(KEY) if document.meta else None
    if node is None or is_null(node):
        return
    for item in node.items if isinstance(node, Sequence) else (node,):
        if isinstance(item, Mapping) and isinstance(node, Sequence):
            yield _with_values(item, findings)
        else:
            image = _image(item, findings)
            yield None if image is None else NamedPackage(image)


def _with_values(entry: Mapping, findings: Findings) -> NamedPackage | None:
    """An entry `{image: …, with: {…}}`."""
    for key, _ in entry:
        if key.text not in ENTRY:
            meant = did_you_mean(key.text, ENTRY)
            hint = f"did you mean `{meant}`?" if meant else "write `{image: …, with: {…}}`"
            findings.error(Code.UNKNOWN_KEY, f"meta.{KEY}: unknown key `{key.text}`", key.place, hint=hint)
    by_key = entry.by_key
    if is_null(by_key.get("image")):
        message = f"meta: an entry of `{KEY}` has no `image`"
        findings.error(Code.WRONG_VALUE, message, entry.place, hint="write `{image: …, with: {…}}`")
        return None
    image, given = _image(by_key["image"], findings), by_key.get("with")
    if given is not None and not is_null(given) and not isinstance(given, Mapping):
        message = f"meta.{KEY}: `with` must be a mapping of parameters to values"
        findings.error(Code.WRONG_TYPE, message, given.place, hint="write `with: {name: value}`")
    return None if image is None else NamedPackage(image, given if isinstance(given, Mapping) else None)


def _image(node: Node, findings: Findings) -> Scalar | None:
    if not isinstance(node, Scalar) or is_null(node):
        given = "empty" if is_null(node) else "a mapping" if isinstance(node, Mapping) else "a list"
        message = f"meta: `{KEY}` must be an image, or a list of images, but this is {given}"
        findings.error(Code.WRONG_TYPE, message, node.place)
        return None
    problem = image_name_problem(node.text)
    if problem is None:
        return node
    why, hint = problem
    findings.error(Code.WRONG_VALUE, f"meta: `{KEY}`: {why}", node.place, hint=hint)
    return None
