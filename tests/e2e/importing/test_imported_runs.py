"""Drafts that `dockercise import` makes run, and hand on files and values as the other system does."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.importing import Kind, imported
from tests.e2e.conftest import Dockercise

pytestmark = pytest.mark.docker

WOODPECKER = """\
steps:
  - name: make
    image: busybox
    commands: [echo made > file, cd /]
  - name: change
    image: busybox
    commands: [echo changed >> file]
  - name: release
    image: busybox
    commands: [echo released >> file]
    when: { event: tag }
  - name: read
    image: busybox
    commands: [cat letter.txt file]
"""
GITLAB = """\
image: busybox
stages: [make, use]
variables: { NAME: shop, FILE: $NAME.txt }
one:
  stage: make
  script: [mkdir -p out, echo one > out/$FILE]
  after_script: [cat out/$FILE]
  artifacts: { paths: [out/] }
two:
  stage: make
  script: [mkdir -p out, echo two > out/two.txt]
  artifacts: { paths: [out/*.txt] }
use:
  stage: use
  rules: [{ if: '$LEVEL == "all" || $CI_COMMIT_TAG' }, { if: '$CI_PIPELINE_SOURCE == "web"' }]
  script: [cat letter.txt out/shop.txt out/two.txt]
"""
CIRCLECI = """\
version: 2.1
jobs:
  make:
    docker: [{ image: busybox }]
    steps:
      - checkout
      - run: { command: pwd && mkdir -p dist && cd dist && echo made > file }
      - run: echo 'export FOUND=yes' >> "$BASH_ENV"
      - run: test -f dist/file && echo "$FOUND" >> dist/file
      - persist_to_workspace: { root: ., paths: [dist] }
  use:
    docker: [{ image: busybox }]
    steps:
      - checkout
      - attach_workspace: { at: /tmp/made }
      - run: cat letter.txt /tmp/made/dist/file
workflows: { all: { jobs: [make, use: { requires: [make] }] } }
"""
GITHUB = """\
on: push
jobs:
  make:
    runs-on: ubuntu-latest
    container: busybox
    outputs: { name: "${{ steps.find.outputs.name }}" }
    steps:
      - uses: actions/checkout@v4
      - { id: find, run: "echo name=shop one >> $GITHUB_OUTPUT" }
      - { run: "mkdir -p web && echo GREETING=hello you >> $GITHUB_ENV" }
      - { run: "echo \\"$GREETING\\" > '${{ steps.find.outputs.name }}'", working-directory: web }
      - { if: "matrix.none == 'x' || github.ref == 'refs/heads/none'", run: exit 9 }
      - { uses: actions/upload-artifact@v4, with: { name: web, path: web } }
  use:
    needs: make
    runs-on: ubuntu-latest
    container: busybox
    strategy: { matrix: { number: [1, 2] } }
    steps:
      - { uses: actions/download-artifact@v4, with: { name: web, path: got } }
      - run: cat "got/${{ needs.make.outputs.name }}"; echo ${{ matrix.number }}
"""


@pytest.mark.parametrize(
    ("kind", "text", "printed"),
    [
        pytest.param(Kind.WOODPECKER, WOODPECKER, {"read": "a letter\nmade\nchanged"}, id="woodpecker"),
        pytest.param(Kind.GITLAB, GITLAB, {"use": "a letter\none\ntwo", "one-after": "one"}, id="gitlab"),
        pytest.param(Kind.CIRCLECI, CIRCLECI, {"use": "a letter\nmade\nyes"}, id="circleci"),
        pytest.param(Kind.GITHUB, GITHUB, {"use(1)": "hello you\n1", "use(2)": "hello you\n2"}, id="github"),
    ],
)
def test_files_and_values_reach_the_next_stage(
    dockercise_run: Dockercise, tmp_path: Path, kind: Kind, text: str, printed: dict[str, str]
) -> None:
    """A draft passes, and its last stages print what the stages before them have left."""
    root = tmp_path / "imported"
    root.mkdir()
    (root / "letter.txt").write_text("a letter\n")
    draft = imported(Source("ci.yml", text.encode()), kind).text
    (root / "p.dockercise.yaml").write_text(draft.replace("busybox:1.37", "busybox"))

    said = dockercise_run("-C", root, "--env", "LEVEL=all")

    assert said.exit_status == 0, said.stderr
    (results,) = filter(Path.is_dir, (tmp_path / "data/results/imported").iterdir())
    assert {stage: (results / f"{stage}.log").read_text().strip() for stage in printed} == printed
