"""What `.dockerignore` leaves out, as Docker does it."""

import pytest

from dockercise_prefect.runtime.docker.ignore import DockerIgnore

PATHS = ["Dockerfile", "a.tmp", "docs", "docs/README.md", "docs/deep", "docs/deep/a.tmp", "docs/deep/keep", "src", "src/main.c"]


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        (None, []),
        ("", []),
        ("# docs\n\n  \n", []),
        ("*.tmp", ["a.tmp"]),
        ("**/*.tmp", ["a.tmp", "docs/deep/a.tmp"]),
        ("docs", ["docs", "docs/README.md", "docs/deep", "docs/deep/a.tmp", "docs/deep/keep"]),
        ("/docs/", ["docs", "docs/README.md", "docs/deep", "docs/deep/a.tmp", "docs/deep/keep"]),
        ("docs\n!docs/README.md", ["docs", "docs/deep", "docs/deep/a.tmp", "docs/deep/keep"]),
        ("docs\n! docs/deep/keep", ["docs", "docs/README.md", "docs/deep", "docs/deep/a.tmp"]),
        ("docs\n!**/README.md", ["docs", "docs/README.md", "docs/deep", "docs/deep/a.tmp", "docs/deep/keep"]),
        ("*\n!src", [path for path in PATHS if not path.startswith("src")]),
        ("docs/*/keep", ["docs/deep/keep"]),
        ("!docs\ndocs/deep", ["docs/deep", "docs/deep/a.tmp", "docs/deep/keep"]),
        ("\ufeff*.tmp\r\n", ["a.tmp"]),
        (".", []),
        ("./src/../docs/README.md", ["docs/README.md"]),
        ("Dockerfile", ["Dockerfile"]),
        ("[^s]*", ["Dockerfile", "a.tmp", "docs", "docs/README.md", "docs/deep", "docs/deep/a.tmp", "docs/deep/keep"]),
        ("[s!]*", ["src", "src/main.c"]),
        ("[!s]*", ["src", "src/main.c"]),
        ("[a-d].tmp", ["a.tmp"]),
    ],
)
def test_what_is_left_out(text: str | None, left_out: list[str]) -> None:
    """Later patterns win and exceptions add files again; an ignored folder is read only if an exception begins with it."""
    ignore = DockerIgnore(None if text is None else text.encode())

    assert [path for path in PATHS if ignore.excludes(path)] == left_out
