"""Imports every file of a folder, and shows which drafts lint clean and which share of their commands is kept.

    python -m scripts.import_survey FOLDER

A command is a line of a script in the file, without what expands: `echo $A` and `echo ${B}` are the same. It counts as kept if
it is a line of a script of the draft. Lines that occur several times count once.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from dockercise_prefect.compiler import compile_with_origin
from dockercise_prefect.compiler.lint import lint
from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar, Sequence
from dockercise_prefect.importing import imported
from dockercise_prefect.importing.reading import documents_of

_SCRIPTS = frozenset({"script", "before_script", "after_script", "commands", "run", "command"})
_EXPANDED = re.compile(r"\$\{\{.*?\}\}|<<.*?>>|\$\{[^}]*\}|\$+\w+")


def commands_of(node: Node, inside: bool = False) -> Iterator[str]:
    """The lines of all scripts in a file of any system."""
    if isinstance(node, Scalar):
        if inside:
            yield from lines_of(node.text)
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from commands_of(item, inside and not isinstance(item, Mapping))
    else:
        for key, value in node:
            yield from commands_of(value, key.text in _SCRIPTS and not (key.text == "commands" and isinstance(value, Mapping)))


def lines_of(script: str) -> Iterator[str]:
    """The commands of a script, one for each line."""
    for line in script.splitlines():
        text = re.sub(r"""'"X"'|"X"|'X'""", "X", " ".join(_EXPANDED.sub("X", line).split()))
        if text and not text.startswith("#") and text not in {"(", ")", "fi", "done", "else", "esac", "EOF"}:
            yield text


def surveyed(file: Path) -> tuple[int, int, Counter[str], int]:
    """How many commands a file has, how many are kept, the codes of the draft's warnings, and its stages.

    Raises:
        DockerciseError: it cannot be imported, or the draft has errors.
    """
    source = Source(file.as_posix(), file.read_bytes())
    draft = imported(source)
    before = {line for document in documents_of(source, Findings()) for line in commands_of(document)}
    with TemporaryDirectory() as folder:
        (Path(folder) / "draft.dockercise.yaml").write_text(draft.text)
        compiled, origin = compile_with_origin(Path(folder))
    after = {line for stage in compiled.pipeline for line in lines_of(stage.run or "")}
    warnings = Counter(str(finding.code) for finding in (*compiled.warnings, *lint(compiled.pipeline, origin)))
    return len(before), len(before & after), warnings, draft.stages


def main() -> None:
    """Print a table."""
    total = kept = clean = good = 0
    files = sorted(path for path in Path(sys.argv[1]).rglob("*") if path.is_file())
    print("| file | stages | commands | kept | warnings of lint |\n|---|---|---|---|---|")
    for file in files:
        name = file.relative_to(sys.argv[1])
        try:
            commands, of_these, warnings, stages = surveyed(file)
        except DockerciseError as error:
            print(f"| {name} | no | | | {error.message.splitlines()[0]} |")
            continue
        share = of_these / commands if commands else 1
        total, kept, clean, good = total + commands, kept + of_these, clean + 1, good + (share >= 0.8)  # noqa: PLR2004  the goal
        listed = ", ".join(f"{code} {count}" for code, count in sorted(warnings.items())) or "none"
        print(f"| {name} | {stages} | {commands} | {share:.0%} | {listed} |")
    print(f"\n{clean} of {len(files)} lint clean, {good} with at least 80 % of their commands; {kept} of {total} commands kept")


if __name__ == "__main__":
    main()
