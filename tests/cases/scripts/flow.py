"""Prefect flow `scripts`: 14 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, stage

ROOT = Path(__file__).resolve().parent

one_line = stage(
    "one-line",
    image="busybox",
    run='echo "it\'s" \\ done',
    at="a.dockercise.yaml:2:1",
)

quotes = stage(
    "quotes",
    image="busybox",
    run="echo \"a\" 'b'",
    at="a.dockercise.yaml:3:1",
)

many_quotes = stage(
    "many-quotes",
    image="busybox",
    run='echo "a" "b" it\'s',
    at="a.dockercise.yaml:4:1",
)

list_ = stage(
    "list",
    image="busybox",
    run="""\
cd /tmp
cat <<EOF
text
EOF

echo done""",
    at="a.dockercise.yaml:5:1",
)

block = stage(
    "block",
    image="busybox",
    run="""\
set -x
if true; then
  printf 'a\\tb\\n' \\
    | cat
fi
""",
    at="a.dockercise.yaml:13:1",
)

folded = stage(
    "folded",
    image="busybox",
    run="echo one two\n",
    at="a.dockercise.yaml:20:1",
)

kept = stage(
    "kept",
    image="busybox",
    run="echo blank lines below\n\n",
    at="a.dockercise.yaml:24:1",
)

triple = stage(
    "triple",
    image="busybox",
    run="""\
echo \"""
echo '''
echo \"\"\""\"""",
    at="a.dockercise.yaml:28:1",
)

control = stage(
    "control",
    image="busybox",
    run="""\
printf '\x07\x1b[1m'\r
echo \u202eabc\u202c \x20
\techo tab
""",
    at="a.dockercise.yaml:29:1",
)

trailing = stage(
    "trailing",
    image="busybox",
    run="""\
echo a \x20
echo b\x20

""",
    at="a.dockercise.yaml:30:1",
)

unicode = stage(
    "unicode",
    image="busybox",
    run="""\
echo ☃ 🐳 größe
echo \xa0
""",
    at="a.dockercise.yaml:31:1",
)

boolean = stage(
    "boolean",
    image="busybox",
    run="true",
    at="a.dockercise.yaml:32:1",
)

number = stage(
    "number",
    image="busybox",
    run="42",
    at="a.dockercise.yaml:33:1",
)

null_run = stage(
    "null-run",
    image="busybox",
    at="a.dockercise.yaml:34:1",
)

pipeline = Pipeline(
    "scripts",
    [
        one_line,
        quotes,
        many_quotes,
        list_,
        block,
        folded,
        kept,
        triple,
        control,
        trailing,
        unicode,
        boolean,
        number,
        null_run,
    ],
    digest="sha256:36264474f65941d26e83ec6d7728ea653cc96c0a5fb58f34d63484c7f807dd95",
)


@flow(name="scripts")
def scripts(
    targets: list[str] | None = None,
    env: dict[str, str] | None = None,
    commit: str | None = None,
    results: str | None = None,
    resume: str | None = None,
) -> RunSummary:
    """Run the pipeline, or only the targets and what they need."""
    return run_pipeline(
        pipeline,
        root=ROOT,
        targets=targets,
        env=env,
        commit=commit,
        results=results,
        resume=resume,
    )


if __name__ == "__main__":
    raise SystemExit(run_as_script(scripts))
