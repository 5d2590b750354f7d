"""Prefect flow `matrix`: 12 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, built_from, instance, stage, values_of

ROOT = Path(__file__).resolve().parent

lint_a_b = stage(
    "lint(a_b)",
    instance=instance("lint", TOOL="a b"),
    image="alpine:3",
    env={
        "TOOL": "a b",
    },
    run='echo "$TOOL"',
    at="a.dockercise.yaml:5:1",
)

lint_ruff = stage(
    "lint(ruff)",
    instance=instance("lint", TOOL="ruff"),
    image="alpine:3",
    env={
        "TOOL": "ruff",
    },
    run='echo "$TOOL"',
    at="a.dockercise.yaml:5:1",
)

test_3_10_pg = stage(
    "test(3.10,pg)",
    instance=instance("test", PYTHON="3.10", DB="pg"),
    image="python:3.10-slim",
    env={
        "PYTHON": "3.10",
        "DB": "pg",
        "IMAGE": "postgres",
        "LINT": values_of(lint_a_b, lint_ruff),
    },
    working_dir="/app/3.10",
    run='echo "$PYTHON-$DB" | tee "$OUT/f" /test/g\n',
    timeout=300,
    user="pg",
    memory=536870912,
    at="a.dockercise.yaml:10:1",
)

test_3_11_pg = stage(
    "test(3.11,pg)",
    instance=instance("test", PYTHON="3.11", DB="pg"),
    image="python:3.11-slim",
    env={
        "PYTHON": "3.11",
        "DB": "pg",
        "IMAGE": "postgres",
        "LINT": values_of(lint_a_b, lint_ruff),
    },
    working_dir="/app/3.11",
    run='echo "$PYTHON-$DB" | tee "$OUT/f" /test/g\n',
    timeout=300,
    user="pg",
    memory=536870912,
    at="a.dockercise.yaml:10:1",
)

test_3_11_mysql = stage(
    "test(3.11,mysql)",
    instance=instance("test", PYTHON="3.11", DB="mysql"),
    image="python:3.11-slim",
    env={
        "PYTHON": "3.11",
        "DB": "mysql",
        "LINT": values_of(lint_a_b, lint_ruff),
    },
    working_dir="/app/3.11",
    run='echo "$PYTHON-$DB" | tee "$OUT/f" /test/g\n',
    timeout=300,
    user="mysql",
    memory=536870912,
    at="a.dockercise.yaml:10:1",
)

test_3_13_pg = stage(
    "test(3.13,pg)",
    instance=instance("test", PYTHON="3.13", DB="pg"),
    image="python:3.13-slim",
    env={
        "PYTHON": "3.13",
        "DB": "pg",
        "LINT": values_of(lint_a_b, lint_ruff),
    },
    working_dir="/app/3.13",
    run='echo "$PYTHON-$DB" | tee "$OUT/f" /test/g\n',
    timeout=300,
    user="pg",
    memory=536870912,
    at="a.dockercise.yaml:10:1",
)

check_pg_alpine_3_11 = stage(
    "check(pg,alpine,3.11)",
    instance=instance("check", DB="pg", OS="alpine", PYTHON="3.11"),
    image="alpine:3",
    env={
        "DB": "pg",
        "OS": "alpine",
        "PYTHON": "3.11",
        "TEST": test_3_11_pg.value,
        "LINT": values_of(lint_a_b, lint_ruff),
    },
    volumes=[test_3_11_pg.volume.at("/test")],
    on=test_3_11_pg,
    run='cat f /test/f; cat /out/test; echo "$TEST"',
    at="a.dockercise.yaml:27:1",
)

check_pg_debian_3_11 = stage(
    "check(pg,debian,3.11)",
    instance=instance("check", DB="pg", OS="debian", PYTHON="3.11"),
    image="debian:3",
    env={
        "DB": "pg",
        "OS": "debian",
        "PYTHON": "3.11",
        "TEST": test_3_11_pg.value,
        "LINT": values_of(lint_a_b, lint_ruff),
    },
    volumes=[test_3_11_pg.volume.at("/test")],
    on=test_3_11_pg,
    run='cat f /test/f; cat /out/test; echo "$TEST"',
    at="a.dockercise.yaml:27:1",
)

from_left_3_11_pg = stage(
    "from-left(3.11,pg)",
    instance=instance("from-left", PYTHON="3.11", DB="pg"),
    image=test_3_11_pg,
    env={
        "PYTHON": "3.11",
        "DB": "pg",
        "LINT": values_of(lint_a_b, lint_ruff),
    },
    run="true",
    at="a.dockercise.yaml:36:1",
)

report = stage(
    "report",
    image="alpine:3",
    env={
        "TEST": values_of(
            test_3_10_pg,
            test_3_11_pg,
            test_3_11_mysql,
            test_3_13_pg,
        ),
        "LINT": values_of(lint_a_b, lint_ruff),
    },
    volumes=[
        test_3_10_pg.volume,
        test_3_11_pg.volume,
        test_3_11_mysql.volume,
        test_3_13_pg.volume,
    ],
    reads=[test_3_10_pg, test_3_11_pg, test_3_11_mysql, test_3_13_pg],
    run='cat /test/*/f; ls out/test; echo "$TEST"',
    at="a.dockercise.yaml:41:1",
)

some = stage(
    "some",
    build=built_from(test_3_13_pg, "app"),
    only_if=[lint_a_b, lint_ruff],
    env={
        "TEST_3_11_PG_": test_3_11_pg.value,
        "LINT": values_of(lint_a_b, lint_ruff),
    },
    volumes=[
        test_3_11_pg.volume,
        test_3_10_pg.volume.at("/data/3.10,pg"),
        test_3_11_pg.volume.at("/data/3.11,pg"),
        test_3_11_mysql.volume.at("/data/3.11,mysql"),
        test_3_13_pg.volume.at("/data/3.13,pg"),
        lint_a_b.volume.at("/x"),
        test_3_10_pg.volume,
        test_3_11_mysql.volume,
        test_3_13_pg.volume,
    ],
    run="ls /test",
    at="a.dockercise.yaml:45:1",
)

after_all = stage(
    "after-all",
    after=[
        test_3_10_pg,
        test_3_11_pg,
        test_3_11_mysql,
        test_3_13_pg,
        check_pg_alpine_3_11,
    ],
    at="a.dockercise.yaml:52:1",
)

pipeline = Pipeline(
    "matrix",
    [
        lint_a_b,
        lint_ruff,
        test_3_10_pg,
        test_3_11_pg,
        test_3_11_mysql,
        test_3_13_pg,
        check_pg_alpine_3_11,
        check_pg_debian_3_11,
        from_left_3_11_pg,
        report,
        some,
        after_all,
    ],
    digest="sha256:50f9fd6ede6569c2781c9e8b9e959ebac219e8b9c453277c79652134b5eaad2f",
)


@flow(name="matrix")
def matrix(
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
    raise SystemExit(run_as_script(matrix))
