"""What is true for any file, whatever is in it; used by the property tests and by the fuzzer (`scripts/fuzz.py`)."""

from __future__ import annotations

import json
import re

from dockercise_prefect.compiler import compile_sources
from dockercise_prefect.emit import FORMATS, Request
from dockercise_prefect.errors import DefinitionError, Diagnostic, Place
from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.pipeline import Pipeline, from_json, to_json

PATH = "a.dockercise.yaml"


def check_file(data: bytes) -> None:
    """Compile a file of any bytes, and check the result.

    Raises:
        AssertionError: something is not true.
    """
    try:
        compiled = compile_sources([Source(PATH, data)], "test")
    except DefinitionError as error:
        refusal = error.diagnostics
    else:
        check_findings(compiled.warnings, data)
        check_pipeline(compiled.pipeline)
        return
    assert refusal, "refused without a finding"
    check_findings(refusal, data)


def check_findings(findings: tuple[Diagnostic, ...], data: bytes) -> None:
    """Every finding is readable, and its places are inside the file."""
    lines = re.split(r"\r\n|\r|\n", data.decode("utf-8", "replace").removeprefix("\ufeff"))
    for finding in findings:
        assert all(line.isprintable() for line in str(finding).split("\n")), f"unreadable: {finding!r}"
        for place in (finding.place, *(related.place for related in finding.related)):
            assert place is None or _is_inside(place, lines), f"{place} is not in the file: {finding}"


def check_pipeline(pipeline: Pipeline) -> None:
    """Stages are in order, JSON can be read back, every format can be written, and the module declares the same pipeline."""
    seen: set[str] = set()
    for stage in pipeline:
        assert seen.issuperset(stage.needs), f"{stage.name} stands before what it needs"
        seen.add(stage.name)
    text = FORMATS["json"].emit(Request(pipeline))
    again = from_json(json.loads(text))
    assert again == pipeline
    assert again.digest == pipeline.digest
    assert text == json.dumps(to_json(pipeline), indent=2, ensure_ascii=False) + "\n"
    assert FORMATS["text"].emit(Request(pipeline))
    written = declared(FORMATS["python"].emit(Request(pipeline)))
    assert without_places(written) == without_places(pipeline)
    assert written.digest == pipeline.digest


def declared(module: str) -> Pipeline:
    """The pipeline of a compiled module, from its declarations only and without Prefect."""
    compile(module, "compiled.py", "exec")
    head, declarations = module.split("\nROOT = ", 1)
    imports = head[head.index("from dockercise_prefect.pipeline") :]
    namespace: dict[str, object] = {}
    exec(compile(imports + "\n#" + declarations.split("\n\n\n@flow")[0], "compiled.py", "exec"), namespace)  # noqa: S102  the module is under test
    pipeline = namespace["pipeline"]
    assert isinstance(pipeline, Pipeline)
    return pipeline


def without_places(pipeline: Pipeline) -> Pipeline:
    """The pipeline without the places of its edges, which a module does not repeat."""
    data = to_json(pipeline)
    for stage in data["stages"].values():
        for edge in stage["depends_on"]:
            edge |= {"at": None, "inferred": False}
    return from_json(data)


def _is_inside(place: Place, lines: list[str]) -> bool:
    return place.path == PATH and 1 <= place.line <= len(lines) and 1 <= place.column <= len(lines[place.line - 1]) + 1
