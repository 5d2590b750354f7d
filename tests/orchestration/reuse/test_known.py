"""What is known of an attempt before it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field

from dockercise_prefect.archives.tarball import Entry, File
from dockercise_prefect.orchestration.reuse.known import Known
from dockercise_prefect.pipeline import Stage
from dockercise_prefect.runtime.engine import ResolvedImage
from dockercise_prefect.runtime.files.code_digests import CodeDigests
from dockercise_prefect.runtime.files.output import Printed
from dockercise_prefect.runtime.stage.environment import VariableTexts
from tests.compiler.sources import compiled


class _CountedDigests(CodeDigests):
    """Counts how often all files are looked through."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        super().__init__(entries)
        self.looks = 0

    def of_files(self, chosen: Callable[[str], bool]) -> dict[str, str]:
        self.looks += 1
        return super().of_files(chosen)


@dataclass
class _Seen:
    """A run with three files of code."""

    digests: _CountedDigests = field(
        default_factory=lambda: _CountedDigests(
            File(path=path, size=1, content=lambda: [b"x"]) for path in ("Makefile", "a.py", "b.py")
        )
    )

    def image_of(self, stage: Stage) -> ResolvedImage | None:
        return None

    def code_digests(self) -> CodeDigests:
        return self.digests


def test_files_are_chosen_once_for_all_stages_that_name_the_same() -> None:
    """A thousand stages with one `also` do not look through all files of the code a thousand times."""
    pipeline = compiled(
        a="""
meta: {defaults: {img: busybox}}
a: {run: x, cache: {also: ["*.py"]}}
b: {run: x, cache: {also: ["*.py"]}}
c: {run: x, cache: {also: [Makefile]}}
d: {run: x, cache: true}
"""
    )
    seen = _Seen()
    known = Known(
        pipeline=pipeline,
        seen=seen,
        texts=VariableTexts(pipeline, {}),
        secret={},
        opened=lambda _: nullcontext(Printed.of(b"")),
        find_key=lambda: None,
    )

    also = {stage.name: set(known.ingredients(stage, {}).also) for stage in pipeline}

    assert also == {"a": {"a.py", "b.py"}, "b": {"a.py", "b.py"}, "c": {"Makefile"}, "d": set()}
    assert seen.digests.looks == 2
