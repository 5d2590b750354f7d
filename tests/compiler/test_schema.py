"""The JSON Schema and the parser accept the same files, as far as a schema can see."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dockercise_prefect
from dockercise_prefect.compiler import compile_sources
from dockercise_prefect.compiler.keys import LATER_IN_STAGES, META, STAGE
from dockercise_prefect.compiler.reading.shapes import SPACE
from dockercise_prefect.compiler.schema import FILE, pipeline_schema, schema_text
from dockercise_prefect.errors import DefinitionError, Diagnostic
from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.frontend.subgraphs import Package
from dockercise_prefect.pipeline import Code
from tests.compiler.cases import CASES, case_names
from tests.compiler.instances import files, problems
from tests.compiler.strategies import Definition, Plain, as_yaml, definitions, metas

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted({*(ROOT / "docs").glob("*.md")} - {ROOT / "docs/notifying.md"})]  # it shows an automation
EXAMPLES = [text for page in PAGES for text in re.findall(r"^```yaml\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)]
RIGHT_FILES = [
    file for name in case_names() if (CASES / name / "flow.py").exists() for file in sorted((CASES / name).rglob("*.y*ml"))
]

NOT_SEEN_IN_A_SCHEMA = {
    Code.META_CONFLICT: "two keys have to agree",
    Code.STAGE_NAME: "a name's bytes are counted, and whether it is composed",
    Code.PIPELINE_NAME: "the name's bytes are counted, and which characters print",
    Code.NOTHING_TO_RUN_IN: "the image may be a default, of another file",
    Code.NO_EFFECT: "the image may be a default, of another file",
    Code.NO_MEMBERS: "the image may be a default, of another file",
    Code.WRONG_WITH: "the parameters of packages",
    Code.TWO_PROGRAMS: "two keys exclude each other, and one may be a default",
    Code.IMAGE_AND_BUILD: "two keys exclude each other, and one may be a default",
    Code.NO_IMAGE_LEFT: "names of stages",
    Code.UNKNOWN_STAGE: "names of stages",
    Code.WRONG_MOUNT: "what stands before `:` may be a stage; `./a/../..` is outside the root",
    Code.MOUNT_TWICE: "paths are compared, among them that of the stage's own volume",
    Code.VARIABLE_TWICE: "names of stages and variables are compared after folding",
    Code.VARIABLE_TAKEN: "names of stages are folded",
    Code.LOOKS_LIKE_STAGE: "names of stages are folded",
    Code.VARIABLE_NAME: "what is not a valid name of a variable may be that of a stage; which characters print",
    Code.CYCLE: "edges",
    Code.NOT_REUSABLE: "other stages, and `meta.secrets`",
    Code.UNKNOWN_SECRET: "names of stages and variables",
    Code.AXIS_TAKEN: "names of stages and variables are compared after folding",
    Code.WRONG_COUNT: "combinations are counted",
    Code.SAME_INSTANCE: "names of stages and instances are compared",
    Code.EXCLUDES_NOTHING: "values are compared",
    Code.UNKNOWN_AXIS: "names of variables are compared after folding",
    Code.NO_COUNTERPART: "instances of other stages",
}
"""Findings about a file that the schema accepts, and why it cannot know them."""

VALUES_NOT_SEEN_IN_A_SCHEMA = {
    "$": "a variable may be one of a `matrix`",
    "this is too small": "an expression does not add up `0h0.0001s`",
    "is not more than 0": "an expression does not add up `0d`",
    "Docker needs at least 6m": "an expression does not multiply `512k`",
    "is outside the folder that is built": "an expression does not resolve `a/../..`",
    "is not a file below the context": "an expression does not resolve `a/..`",
    "is not a valid image reference": "any name of a stage can be an `img`",
    "is a stage, whose value is always set": "names of stages",
    "is not a number from 1 to 100": "an expression does not compare numbers",
    "is not a whole number from": "an expression does not compare numbers",
    "is neither an exit code nor a failure": "an expression does not compare numbers",
    "is not a command": "a text that begins with a dash may be an argument of an entrypoint",
    "is not the name of a group": "a number may be the name of a group if it is quoted",
    "the entry names no variable": "the keys of a mapping are not counted",
    "a quote is not closed": "a shell's quotes, and the entrypoint may be a default",
    "is not the name or the path of one program": "white space at the ends of a text has no effect",
    "`false` has no meaning here": "any text may be the name of a program",
    "the entrypoint is empty": "the items of a list are not counted",
    "the list is empty": "the items of a list are not counted",
    "the command is empty": "the items of a list are not counted",
    "every pattern excludes": "the items of a list are not compared",
    "the last delay would be longer than a week": "keys are multiplied",
}
"""The same for findings with code DK024."""

WRONG_STAGES = """\
{imgs: x}
{cache: {salt: ''}}
{retries: many}
{retries: 101}
{retries: {delay: 5s}}
{retries: {times: 1, on: [never]}}
{retries: {times: 1, backoff: 0.5}}
{when: sometimes}
{when: {branches: main}}
{when: {event: pushed}}
{if: a b}
{unless: {}}
{stopGrace: 10}
{cache: forever}
{cache: 7}
{cache: [true]}
{cache: {fro: 7d}}
{cache: {for: 7 days}}
{shell: {}}
{shell: ""}
{img: [x]}
{img: a b}
{img: a:b:c}
{run: ""}
{run: []}
{run: [""]}
{run: [[]]}
{run: {}}
{env: [null]}
{env: {A: null}}
{env: {A: {stages: a}}}
{env: {a=b: c}}
{env: {OUT: x}}
{vol: "../x:/y"}
{vol: "a:/b:rx"}
{vol: "a:b"}
{vol: /a}
{dir: here}
{after: {}}
{after: [null]}
{after: a b}
{on: [a]}
{noLog: yes}
{neverFail: "true"}
{timeout: 90}
{timeout: soon}
{triggers: [""]}
{build: {}}
{build: ..}
{build: {context: null}}
{build: {context: ., file: x}}
{build: {context: ., dockerfile: /x}}
{build: {context: ., args: [A=b]}}
{build: {context: ., secrets: [A=b]}}
{build: {context: ., secrets: {A: b}}}
{build: {context: ., secrets: {OUT: {stage: a}}}}
{build: {context: ., secrets: {A-B: {stage: a}}}}
{user: a b}
{network: brigde}
{pull: true}
{platform: ""}
{cpus: many}
{cpus: 0}
{cpus: true}
{memory: 512}
{memory: much}
[]
text"""

WRONG_FILES = f"""\
meta: []
meta: {{title: x}}
meta: {{timeout: 60}}
meta: {{concurrency: 0}}
meta: {{concurrency: {{overlap: kill}}}}
meta: {{code: {{git: maybe}}}}
meta: {{code: {{git: true, depth: -1}}}}
meta: {{code: git}}
meta: {{cleanupAfterCrash: 1}}
meta: {{secrets: [A=b]}}
meta: {{secrets: {{}}}}
meta: {{name: a/b}}
meta: {{name: ..}}
meta: {{tags: {{}}}}
meta: {{implicit: 0}}
meta: {{env: {{A: []}}}}
meta: {{defaults: [a]}}
meta: {{defaults: {{run: x}}}}
meta: {{pull: x}}
bin: {{}}
code: {{}}
a b: {{}}
a/b: {{}}
"": {{}}
{"a" * 201}: {{}}"""

odd_scalars = st.sampled_from(
    "0x1F 0o17 1e3 1E3 .5 5. -1 -0 +1 .inf .nan TRUE ~ 1.10 512 yes on 1_000 90s 1:30".split()  # noqa: SIM905  a table
).map(Plain)
near_misses = st.sampled_from(
    r"1h30 5m1h 512 6mb 0.5_g a\b ../x a/.. ./. /x OUT=1 A= =x A? a-b? :/x a:/b:rx a:b code:/x:rw ~/x:/y a:b:3 Busybox".split()  # noqa: SIM905  a table
)
blanks = st.sampled_from(["", " ", "\n", "x\n", "90s\n", "0.5 g", "a b", "a\u0085b", "\ufeff"])
branches = ["stage", "A", "a b", "a=b", "OUT"]
junk: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-2, 2**40), odd_scalars, near_misses, blanks, st.text("ab:/.=?- \n", max_size=6)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(branches), inner, max_size=2)),
    max_leaves=3,
)
some_keys = st.sampled_from([*STAGE, *META, *LATER_IN_STAGES, *"context", "dockerfile", "args", "stage", "imgs", "x-y"])


class AnyPackage:
    """Packages whose images all print the same harmless document."""

    def fetch(self, image: str) -> Package:
        return Package(f"{image}@sha256:0", "sha256:0", b"x-nothing: {}")


def findings(text: str) -> tuple[Diagnostic, ...]:
    """All findings of the parser about a file."""
    try:
        return compile_sources([Source("a.dockercise.yaml", text.encode())], "test", AnyPackage()).warnings
    except DefinitionError as error:
        return error.diagnostics


def refused(text: str) -> bool:
    """Whether the parser refuses the file."""
    return any(finding.severity == "error" for finding in findings(text))


def is_about_form(finding: Diagnostic) -> bool:
    """Whether a finding concerns only the form of a value, so that the schema must refuse it too."""
    if re.search(r"\$\{?[A-Za-z_]", finding.message):  # with a parameter of that name, it would be another text
        return False
    if finding.code == Code.WRONG_VALUE:
        return not any(words in f"{finding.message}{finding.hint}" for words in VALUES_NOT_SEEN_IN_A_SCHEMA)
    return finding.code not in NOT_SEEN_IN_A_SCHEMA


@st.composite
def mutated(draw: st.DrawFn, originals: st.SearchStrategy[Definition]) -> Definition:
    """A file in which up to three values are changed, removed or added."""
    file = draw(originals)
    for _ in range(draw(st.integers(1, 3))):
        file = draw(_changed(file))
    return file if isinstance(file, dict) else {}


@st.composite
def _changed(draw: st.DrawFn, value: Any) -> Any:
    deeper = isinstance(value, dict | list) and draw(st.integers(0, 5)) > 0
    if not deeper:
        return draw(junk)
    if isinstance(value, list):
        at = draw(st.integers(0, len(value)))
        return [*value[:at], draw(_changed(value[at])) if at < len(value) else draw(junk), *value[at + 1 :]]
    if not value or draw(st.integers(0, 3)) == 0:
        return {**value, draw(some_keys): draw(junk)}
    key = draw(st.sampled_from(sorted(value)))
    rest = {name: item for name, item in value.items() if name != key}
    return rest if draw(st.integers(0, 5)) == 0 else {**rest, key: draw(_changed(value[key]))}


@given(definitions(), metas())
def test_what_the_parser_takes_the_schema_takes(definition: dict[str, Definition], meta: Definition) -> None:
    """A correct pipeline, with any correct `meta`, is valid."""
    text = as_yaml({"meta": meta, **definition})

    assert not refused(text)
    assert problems(text) == []


@pytest.mark.parametrize("file", RIGHT_FILES, ids=lambda file: str(file.relative_to(CASES)))
def test_golden_cases_are_valid(file: Path) -> None:
    """Every file of a golden case that compiles is valid."""
    assert problems(file.read_text(encoding="utf-8-sig")) == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_are_valid(example: str) -> None:
    """Every example of the pages is valid."""
    assert problems(example) == []


@pytest.mark.parametrize("file", sorted((ROOT / "flows").rglob("*.dockercise.yaml")), ids=lambda file: file.name)
def test_flows_are_valid(file: Path) -> None:
    """Every example pipeline is valid."""
    assert problems(file.read_text()) == []


@given(files())
def test_what_the_schema_takes_has_the_right_form(file: Definition) -> None:
    """The parser finds nothing wrong with the form of a file that the schema accepts."""
    text = as_yaml(file)

    assert problems(text) == []
    assert [finding for finding in findings(text) if is_about_form(finding)] == []


@given(st.one_of(mutated(definitions()), mutated(metas().map(lambda meta: {"meta": meta})), mutated(files())))
def test_what_the_schema_refuses_the_parser_refuses(file: Definition) -> None:
    """An almost correct file that the schema refuses has an error."""
    text = as_yaml(file)

    assert refused(text) or problems(text) == []


@pytest.mark.parametrize("stage", WRONG_STAGES.split("\n"))
def test_both_refuse(stage: str) -> None:
    """A value with a wrong form is refused by the parser and by the schema, so that an editor marks it."""
    text = f"a: {stage}\n"

    assert problems(text)
    assert refused(text)


@pytest.mark.parametrize("file", WRONG_FILES.split("\n"))
def test_both_refuse_files(file: str) -> None:
    """The same for `meta` and for names of stages."""
    assert problems(file)
    assert refused(file)


def test_every_key_is_told() -> None:
    """The schema has every key that the parser knows, each with a description, and no key of a later version."""
    schema = pipeline_schema()
    stage, meta = schema["definitions"]["stage"]["properties"], schema["properties"]["meta"]["properties"]

    assert stage.keys() == STAGE.keys()
    assert meta.keys() == META.keys()
    assert all(key["description"] for key in [*stage.values(), *meta.values()])
    assert not stage.keys() & LATER_IN_STAGES.keys()


def test_names_that_look_like_numbers_are_names() -> None:
    """Names have no type in the schema: the YAML language server reads the stage `1.10` as a number."""
    schema = pipeline_schema()

    assert "type" not in schema["propertyNames"]
    assert problems("1.10: {img: x, env: {'1': 2}}") == []


def test_it_is_a_schema() -> None:
    """The schema is valid according to the schema of schemas."""
    jsonschema.Draft7Validator.check_schema(pipeline_schema())


def test_white_space_is_that_of_python() -> None:
    """The class of white space in expressions has the same characters as `str.isspace`."""
    everything = "".join(map(chr, range(0x110000)))

    assert re.findall(f"[{SPACE}]", everything) == [character for character in everything if character.isspace()]


def test_shipped_file_is_up_to_date() -> None:
    """The package has the schema as a file, written by `dockercise schema -o dockercise_prefect/dockercise.schema.json`."""
    shipped = Path(dockercise_prefect.__file__).parent / FILE

    assert shipped.read_text() == schema_text()
