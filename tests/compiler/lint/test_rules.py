"""When lint rules find something and when they do not, in addition to the examples of their pages."""

from __future__ import annotations

import pytest

from tests.compiler.sources import lint_codes, linted


def _script(script: str, **keys: str) -> str:
    """A stage `s` with that script, and a stage `a` before it."""
    lines = [f"{key}: {value}" for key, value in {"img": "x:1", "after": "a", **keys}.items()]
    indented = "".join(f"    {line}\n" for line in script.splitlines())
    return "a: {img: x:1}\ns:\n" + "".join(f"  {line}\n" for line in lines) + f"  run: |\n{indented}"


def _places(text: str) -> list[tuple[str, int, int]]:
    return [(finding.code, finding.place.line, finding.place.column) for finding in linted(text) if finding.place]


def test_no_triggers_no_finding() -> None:
    """DK101: if no stage has `triggers`, none is missing."""
    assert lint_codes("a: {img: x:1}\nb: {img: x:1}\n") == []


def test_what_a_target_needs_runs_on_a_push() -> None:
    """DK101: a stage that a stage with `triggers` needs, directly or not, is not found; every other stage is found."""
    text = "a: {img: x:1}\nb: {img: x:1, after: a}\nc: {after: b, triggers: '*'}\nd: {after: c}\ne: {after: d}\n"

    assert _places(text) == [("DK101", 4, 1), ("DK101", 5, 1)]


def test_clean_up_needs_no_triggers() -> None:
    """DK101: a clean-up stage is not found, because it runs with the stages that it comes after. Those are found."""
    text = (
        "a: {img: x:1, triggers: '*'}\nb: {img: x:1}\nlast: {img: x:1, when: failure}\n"
        "c: {img: x:1, after: [a, b], when: always}\nd: {img: x:1, after: b, when: always}\ne: {img: x:1, after: c}\n"
    )

    assert _places(text) == [("DK101", 2, 1), ("DK101", 6, 1)]


def test_inherited_triggers_count() -> None:
    """DK101: `triggers` in `meta.defaults` make every stage a target."""
    assert lint_codes("meta: {defaults: {triggers: '*'}}\na: {img: x:1}\nb: {img: x:1, triggers: y}\n") == []


@pytest.mark.parametrize(
    "script",
    [
        "x=$(date); : ignored",
        "set -ex\ncd /tmp\nmkdir -p a/b\ncp -r a b\nmv b c\nrm -rf c\ntouch d",
        "export A=1; unset A; [ -f /x ] && exit 0",
        "date > /tmp/x; date >/dev/null; date >&2",
        "{ date; ls; } > /tmp/x 2>&1",
        "date | cat > /tmp/x",
        "cat > /tmp/x <<E\nhello\nE",
        "if test -f a; then touch b; else false; fi",
        "# nothing\n:",
    ],
)
def test_scripts_that_print_nothing(script: str) -> None:
    """DK102: a value is empty if every command prints nothing or redirects its output."""
    text = _script(script) + "t: {img: x:1, env: s, run: date}\n"

    assert "DK102" in lint_codes(text)


@pytest.mark.parametrize(
    "script",
    [
        "echo",
        "unknown",
        "cp -v a b",
        "mkdir -pv a",
        "rm --verb a",
        "chmod -c 7 a",
        "set",
        "export -p",
        "cd -",
        "touch x; f() { date; }",
        "date > /dev/stdout",
        'date > "$LOG"',
        "{ date >&3; } 3>&1",
        "rm x 2>&1",
        "touch a > b && date",
        "if true; then",
    ],
)
def test_scripts_that_may_print(script: str) -> None:
    """DK102: a single command that may print, or a script that is not understood, prevents the finding."""
    text = _script(script) + "t: {img: x:1, env: s, run: date}\n"

    assert "DK102" not in lint_codes(text)


def test_an_empty_value_for_all_is_found_once() -> None:
    """DK102: an empty value that `meta.env` gives to every stage is one finding, at its place in `meta`."""
    text = "meta: {env: a}\na: {img: x:1, run: touch b}\nb: {img: x:1}\nc: {img: x:1}\n"

    assert _places(text) == [("DK102", 1, 13)]


def test_another_edge_implies_after() -> None:
    """DK103: any other edge to the same stage gives both the order and its output, whatever the script reads."""
    text = "a: {img: x:1, run: date}\nb: {img: x:1, after: a, vol: a, run: cat out/a a/x}\n"

    assert _places(text) == [("DK103", 2, 22)]


@pytest.mark.parametrize("script", ["cat out/a", "ls /out", "sh code/x.sh", "code/x", "$TOOL", "python3 x.py", "if true; then"])
def test_after_may_be_for_the_output(script: str) -> None:
    """DK103: a longer way does not give `/out/A`, so nothing is found if the script may read it."""
    assert "DK103" not in lint_codes(_script(script, after="[a, b]") + "b: {img: x:1, after: a}\n")


def test_a_longer_way_implies_after() -> None:
    """DK103: a way of any length through another stage makes `after` unnecessary."""
    text = _script("npm test", after="[a, c]") + "b: {img: x:1, after: a}\nc: {img: x:1, after: b}\n"

    assert _places(text) == [("DK103", 4, 11)]


@pytest.mark.parametrize("status", ["always", "failure"])
def test_a_way_through_a_clean_up_stage_implies_nothing(status: str) -> None:
    """DK103: a clean-up stage can pass although A failed, so `after: A` is needed beside it, and beside a stage after it."""
    others = f"b: {{img: x:1, after: a, when: {status}}}\nc: {{img: x:1, after: b}}\n"

    assert lint_codes(_script("npm test", after="[a, b]") + others) == []
    assert lint_codes(_script("npm test", after="[a, c]") + others) == []


@pytest.mark.parametrize(
    "image", ["x:1", "x@sha256:" + "0" * 64, "localhost:5000/x:1", "ghcr.io/a/x:1@sha256:" + "0" * 64, "x:latest"]
)
def test_tags_and_digests(image: str) -> None:
    """DK104: a tag or a digest is enough."""
    assert lint_codes(f"a: {{img: '{image}'}}\n") == []


@pytest.mark.parametrize("image", ["x", "a/x", "localhost:5000/x"])
def test_images_without_a_tag(image: str) -> None:
    """DK104: a registry's port is not a tag."""
    assert lint_codes(f"a: {{img: '{image}'}}\n") == ["DK104"]


def test_an_image_of_a_service_without_a_tag() -> None:
    """An image of a service without a tag is found at the service; one with a tag is not."""
    text = "a:\n  img: x:1\n  services:\n    db: postgres\n    cache: redis:7\n"

    assert _places(text) == [("DK104", 4, 5)]


def test_an_inherited_image_is_found_once() -> None:
    """DK104: an image in `meta.defaults`, or behind an anchor, is one finding at the place where it is written."""
    text = "meta: {defaults: {img: x}}\nx-y: &y {img: y}\na: {}\nb: {}\nc: {<<: *y}\nd: {<<: *y}\ne: {img: a}\n"

    assert _places(text) == [("DK104", 1, 24), ("DK104", 2, 15)]


@pytest.mark.parametrize(
    ("stages", "found"),
    [
        ("alpine: {img: alpine:3}\n", []),
        ("alpine: {img: alpine:3}\nb: {img: alpine}\n", ["DK105"]),
        ("tool: {img: x:1}\nb: {img: tool}\n", []),
        ("tool: {img: x:1}\nb: {img: tool}\nc: {img: docker.io/library/tool:1}\n", ["DK105"]),
        ("tool: {img: x:1}\nb: {img: tool}\nc: {img: quay.io/a/tool:1}\n", []),
        ("node: {build: .}\nb: {img: node}\nc: {img: node:22}\n", []),
        ("meta: {implicit: false, lint: {DK104: off}}\nnode: {img: x:1}\nb: {img: node}\n", ["DK105"]),
    ],
)
def test_names_that_hide_an_image(stages: str, found: list[str]) -> None:
    """DK105: an `img` that means a stage without a build is found if an image of that name is used or well known."""
    assert lint_codes(stages) == found


@pytest.mark.parametrize(
    "script",
    [
        "date > out/x",
        "date >> /out/a/b",
        "date | tee /tmp/x code/x",
        "cp /etc/passwd code",
        "cp -r -S .bak x /code/../code/y",
        "mv /code/a /tmp",
        "ln -s /tmp/x code/x",
        "mkdir -p -m 755 '/code/a b'",
        "touch -r /tmp/x /code/x",
        "rm -rf -- /code/x",
        "{ date; ls; } > code/x",
        "cd /tmp; date > /code/x",
        "cat <<E > code/x\nE",
        "date > /host/x",
        "date > /a/x",
    ],
)
def test_writes_below_a_read_only_mount(script: str) -> None:
    """DK106: a path that is known before the run and below a read-only mount is found."""
    assert lint_codes(_script(script, vol="['code', '/host:/host:ro', a]")) == ["DK103", "DK106"]


@pytest.mark.parametrize(
    "script",
    [
        "cp code/a /tmp",
        "ln -s /code/x /tmp/x",
        "touch -r /code/x /tmp/x",
        'date > "$OUT/x"; date > /s/x; date > /host/x',
        "date > /code/cache/x",
        "date > /codex; date > /tmp/code/x; cat < /code/x",
        "cd /tmp; date > code/x",
        "date > $X; date > /code*",
        "echo '> /code/x' \"; rm /code/x\"",
        "if true; then date > /code/x",
    ],
)
def test_writes_elsewhere(script: str) -> None:
    """DK106: writable paths, paths that are only read, and paths that are not known before the run are not found."""
    assert "DK106" not in lint_codes(_script(script, vol="['code', '/host:/host', 'cache:/code/cache']"))


def test_out_is_mounted_with_an_edge() -> None:
    """DK106: a stage without edges has no `/out`, so it may make a folder of that name."""
    assert lint_codes("a: {img: x:1, run: 'mkdir /out && date > /out/x'}\n") == []


def test_a_folder_that_is_there_may_be_asked_for() -> None:
    """DK106: `mkdir -p` of a mount changes nothing; below it, or without `-p`, `mkdir` fails."""
    assert lint_codes("a: {img: x:1, vol: code, run: 'mkdir -p /code; mkdir -vp /code; mkdir --parents /code'}\n") == []
    assert lint_codes("a: {img: x:1, vol: code, run: mkdir -p /code/x}\n") == ["DK106"]
    assert lint_codes("a: {img: x:1, vol: code, run: mkdir /code}\n") == ["DK106"]


def test_relative_paths_are_below_dir() -> None:
    """DK106: relative paths begin at `dir`."""
    assert lint_codes("a: {img: x:1, vol: code, dir: /code/b, run: touch x}\n") == ["DK106"]
    assert lint_codes("a: {img: x:1, on: code, run: touch x}\n") == []


@pytest.mark.parametrize(
    ("run", "line", "column"),
    [
        ("run: touch code/x", 4, 14),
        ("run: 'touch code/x'", 4, 15),
        ("run: &r |-\n    date\n    echo ü; touch code/x", 6, 19),
        ("run:\n  - date\n  - touch code/x", 6, 11),
        ("run: >\n    date;\n    touch code/x", 6, 11),
        ('run: "touch\\u0020code/x"', 4, 20),
    ],
)
def test_places_in_scripts(run: str, line: int, column: int) -> None:
    """A finding in a script has the place of the word, whatever style the YAML uses for the script."""
    assert _places(f"a:\n  img: x:1\n  vol: code\n  {run}\n") == [("DK106", line, column)]


@pytest.mark.parametrize(
    "entry",
    [
        "DB_PASSWORD: hunter2",
        "PGPASSWORD: hunter2",
        "api_token: Zm9vYmFyYmF6",
        "STRIPE_API_KEY: abcdef123456",
        "X: AKIAIOSFODNN7EXAMPLE",
        "X: prefix ghp_0123456789abcdefghijklmnopqrstuvwxyz",
        "X: xoxb-1234567890-abcdef",
        "X: 'postgres: sk_live_0123456789abcdefXYZ'",
        "X: AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "X: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "X: '-----BEGIN RSA PRIVATE KEY----- MIIEpAIBAAKCAQEA'",
    ],
)
def test_texts_that_look_secret(entry: str) -> None:
    """DK107: suspicious names and forms of known keys are found in `env` of a stage and of `meta`, and are not shown."""
    found = [*linted(f"a: {{img: x:1, env: {{{entry}}}}}\n"), *linted(f"meta: {{env: {{{entry}}}}}\na: {{img: x:1}}\n")]

    text = entry.partition(": ")[2].strip("'")
    assert [finding.code for finding in found] == ["DK107", "DK107"]
    assert not any(text in str(finding) for finding in found)


@pytest.mark.parametrize(
    "entry",
    [
        "DB_PASSWORD: ''",
        "DB_PASSWORD: changeme",
        "POSTGRES_PASSWORD: postgres",
        "TOKEN: <your token>",
        "TOKEN: $TOKEN",
        "TOKEN: '{{ token }}'",
        "TOKEN: 'true'",
        "TOKEN: 3600",
        "TOKEN: xxxxxxxx",
        "X_SECRET: /run/secrets/x",
        "TOKEN_URL: https://example.org/oauth",
        "MAX_TOKENS: many",
        "PASSWORD_FILE: abcdefgh",
        "X: ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "TOKEN: {stage: b}",
    ],
)
def test_texts_that_do_not(entry: str) -> None:
    """DK107: placeholders, numbers, paths, addresses and names that only look similar are not found."""
    assert "DK107" not in lint_codes(f"a: {{img: x:1, env: {{{entry}}}}}\nb: {{img: x:1}}\n")


def test_secrets_in_scripts_and_build_arguments() -> None:
    """DK107: the form of a known key is found in `run`, on its line, in a list of `env`, and in arguments of a build."""
    key = "AKIA" + "ABCDEFGHIJKLMNOP"
    text = (
        f"a:\n  img: x:1\n  env: [X=1, 'KEY={key}']\n  run: |\n    date\n    export K={key}\n"
        f"b: {{build: {{context: ., args: {{K: {key}}}}}}}\n"
    )

    assert _places(text) == [("DK107", 3, 14), ("DK107", 6, 14), ("DK107", 7, 35)]


def test_a_header_alone_is_no_key() -> None:
    """DK107: a script that puts a private key together contains none."""
    assert lint_codes('a: {img: x:1, env: KEY, run: \'echo "-----BEGIN PRIVATE KEY-----"; echo "$KEY"\'}\n') == []


def test_many_scripts_share_a_finding_of_their_anchor() -> None:
    """Stages that take the same text from an anchor give one finding for it."""
    text = "x-r: &r {img: x:1, env: {A_TOKEN: abcdefgh}}\na: {<<: *r}\nb: {<<: *r}\n"

    assert [finding.place and finding.place.line for finding in linted(text)] == [1]


@pytest.mark.parametrize("comment", ["DK104", "DK104,DK101", "DK101, DK104", "DK101 DK104 # because", "  DK104 "])
def test_comments(comment: str) -> None:
    """A comment ignores the rules that it names, separated by commas or blanks; anything may follow another `#`."""
    assert lint_codes(f"a: {{img: x}} # dockercise: ignore {comment}\n") == []


def test_comments_that_ignore_nothing() -> None:
    """DK100: a comment without a code, or with a word that is not a code, is found; prose about it in a text is not."""
    text = "a: {img: x:1} # dockercise: ignore\nb: {img: x:1} #dockercise:ignore all\n"
    text += "c: {img: x:1, run: 'date#dockercise: ignore x'}\n"

    assert _places(text) == [("DK100", 1, 15), ("DK100", 2, 34)]
