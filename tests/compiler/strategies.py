"""Random pipelines as YAML: what people may write, and its meaning."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from dockercise_prefect.compiler.reading.names import stage_name_problem
from dockercise_prefect.emit.identifiers import module_name
from dockercise_prefect.pipeline.image_name import IMAGE
from tests.compiler.cases import CASES

Definition = dict[str, Any]


class Plain(str):
    """A scalar that is written unchanged, without quotes."""

    __slots__ = ()


PUBLIC = ["busybox", "alpine:3", "host.example:5000/a/b@sha256:" + "0" * 64]
"""Images that no stage makes. Hypothesis also tries texts of this module as names of stages."""

stage_names = st.one_of(
    st.sampled_from(
        ["build", "test", "stage", "class", "None", "a-b", "a_b", "a.b", "☃", "it's", "pipeline", "env", "größe", "2"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=12).filter(
        lambda name: stage_name_problem(name) is None and not name.startswith((".", "x-")) and name not in PUBLIC
    ),
)

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)
scripts = st.one_of(texts, st.lists(texts, min_size=1).map("\n".join)).filter(
    lambda text: bool(text.strip()) and not text.startswith("-")  # no command begins like this
)

pipeline_names = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="/%&<>"), min_size=1
).filter(lambda name: name not in {".", ".."} and len(name) < 20 and len(module_name(name)) > 0)


def images(earlier: list[str]) -> st.SearchStrategy[Definition]:
    """A public image, or that of a stage whose name can be an image."""
    return st.fixed_dictionaries({"img": st.sampled_from([*PUBLIC, *(name for name in earlier if IMAGE.match(name))])})


def builds(earlier: list[str]) -> st.SearchStrategy[Any]:
    """A build in either form."""
    folders = st.sampled_from([".", "app", "./a/b", "/code/x", *(f"/{name}/d" for name in earlier)])
    args = st.dictionaries(st.sampled_from(["A", "B"]), texts)
    more = {"dockerfile": st.sampled_from(["Dockerfile", "d/F"]), "args": args, "target": st.just("t")}
    return st.one_of(folders, st.fixed_dictionaries({"context": folders}, optional=more))


def mounts(earlier: list[str]) -> list[str]:
    """Entries of `vol` in every form, never two at the same path."""
    outside = ["code", "code/a", "code/b c:/mnt/e", "/host:/mnt/a", "./below/root:/mnt/b:ro", ".:/mnt/c", "ccache:/mnt/d:rw"]
    return [*outside, *(f"{name}:/mnt/stages/{index}" for index, name in enumerate(earlier))]


@st.composite
def stages(draw: st.DrawFn, name: str, earlier: list[str]) -> Definition:
    """One stage, which may refer to earlier ones."""
    some = st.lists(st.sampled_from(earlier), unique=True, max_size=4) if earlier else st.just([])
    stage: Definition = draw(st.one_of(images(earlier), st.fixed_dictionaries({"build": builds(earlier)})))
    optional: dict[str, st.SearchStrategy[Any]] = {
        "run": st.one_of(scripts, st.lists(texts).map(lambda lines: [*lines, "true"]), st.just(True)),
        "after": some,
        "if": some,
        "unless": some,
        "when": st.sampled_from(["always", "failure", {"branch": ["main", "v*"], "event": "push"}, {"changed": "*.md"}]),
        "retries": st.sampled_from([0, "2", {"times": 3, "delay": "1.5s", "backoff": 2, "on": [1, "oom"]}]),
        "stopGrace": st.sampled_from(["0s", "1m"]),
        "shell": st.sampled_from(["bash", ["bash", "-eo", "pipefail"], "python3"]),
        "vol": st.one_of(some, st.lists(st.sampled_from(mounts(earlier)), unique=True, max_size=2)),
        "env": st.one_of(
            some.map(lambda names: {f"V{index}": {"stage": other} for index, other in enumerate(names)}),
            st.dictionaries(st.sampled_from(["A", "B", "lower", "discovery.type"]), texts),
            st.lists(st.sampled_from(["XHOME", "XTOKEN?", "XTEXT=a=b", "x_proxy"]), unique=True),
        ),
        "on": st.sampled_from([*earlier, "code"]),
        "dir": st.sampled_from(["/", "/work", "/a b"]),
        "noLog": st.booleans(),
        "neverFail": st.booleans(),
        "sudo": st.booleans(),
        "timeout": st.sampled_from(["90s", "1h30m", "0.5s"]),
        "triggers": st.lists(st.sampled_from(["a/**", "*.md", "ü"])),
        "junit": st.sampled_from(["*.xml", ["reports/**", "!old/**"], None]),
        "user": st.sampled_from(["root", "1000", "1:1", 1000, None]),
        "network": st.sampled_from(["bridge", "none", "host"]),
        "pull": st.sampled_from(["missing", "always", "never"]),
        "platform": st.just("linux/arm64"),
        "cpus": st.sampled_from(["0.5", "2", 0.5, 2, Plain(".5")]),
        "memory": st.sampled_from(["6m", "1.5g", 2**30]),
    }
    chosen = draw(st.lists(st.sampled_from(sorted(optional)), unique=True, max_size=6))
    return stage | {key: draw(optional[key]) for key in chosen if key != "on" or name not in {"", "code"}}


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Definition]:
    """The stages of a correct pipeline, in an order without meaning."""
    names = draw(st.lists(stage_names, unique=True, max_size=8))
    made = {name: draw(stages(name, names[:index])) for index, name in enumerate(names)}
    return {name: made[name] for name in draw(st.permutations(names))}


def metas() -> st.SearchStrategy[Definition]:
    """A `meta` that fits any stages."""
    settings: dict[str, st.SearchStrategy[Any]] = {
        "network": st.sampled_from(["bridge", "none", None]),
        "pull": st.sampled_from(["missing", "never"]),
        "platform": st.just("linux/arm64"),
    }
    others = {
        "img": st.just("busybox"),
        "timeout": st.just("1m"),
        "triggers": st.just("*.md"),
        "user": st.sampled_from([0, "u"]),
        "cache": st.sampled_from([True, "7d", "1d30m", {"for": "1h", "salt": 1, "also": ["*.lock"]}, {"salt": "s"}]),
    }
    return st.fixed_dictionaries(
        {},
        optional={
            "name": st.one_of(pipeline_names, st.just(2026)),
            "tags": st.one_of(texts, st.lists(st.one_of(texts, st.integers()))),
            "env": st.sampled_from(["XMETA", ["XMETA?", "XOTHER=1"], {"XMETA": 1.5, "discovery.type": 1}, None]),
            "implicit": st.booleans(),
            "timeout": st.just("1h"),
            "cleanupGrace": st.just("0s"),
            "cleanupAfterCrash": st.booleans(),
            "code": st.sampled_from([{"git": True}, {"git": True, "depth": "0"}, {"git": False, "depth": 7}, {"depth": None}]),
            "concurrency": st.sampled_from([1, {"group": "g", "limit": "2", "overlap": "cancel"}]),
            "lint": st.dictionaries(st.sampled_from(["DK101", "DK104"]), st.sampled_from(["off", "on", None])),
            "defaults": st.one_of(st.none(), st.fixed_dictionaries({}, optional=others)),
            **settings,
        },
    )


_OF_STAGES = (
    "img build run env vol on after dir timeout memory cpus triggers user network pull noLog".split()  # noqa: SIM905  a table
    + "if unless when retries shell cache".split()  # noqa: SIM905  a table
)
_OTHERS = "meta a b x-c context args stage tags defaults name implicit times delay status branch limit concurrency".split()  # noqa: SIM905  a table

keys = st.sampled_from([*_OF_STAGES, *_OTHERS])
"""Keys that have a meaning somewhere."""

words = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    texts,
    stage_names,
    st.sampled_from(["a", "b", "code", "a:/x", "NAME?", "5m", "x", "none"]),
)

documents = st.dictionaries(
    st.one_of(keys, stage_names),
    st.recursive(
        words, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=5)), max_leaves=12
    ),
    min_size=1,
    max_size=6,
)
"""Nestings of everything that can be in a file, correct only by chance."""

settings_of_meta = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "tags": st.lists(st.sampled_from(["one", "two", "three"])),
            "env": st.one_of(
                st.lists(st.sampled_from(["a", "XHOME", "XTOKEN?"]), unique=True),
                st.dictionaries(st.sampled_from(["P", "Q"]), st.just("text")),
            ),
            "name": st.just("same"),
            "network": st.just("none"),
            "defaults": st.fixed_dictionaries(
                {}, optional={"triggers": st.lists(st.sampled_from(["*.md", "a/**"])), "user": st.just("1")}
            ),
        },
    ),
    max_size=4,
)
"""Parts of `meta` that several files may have without a contradiction."""

_CASES = [path.read_bytes() for path in sorted(CASES.rglob("*.yaml"))]


@st.composite
def _changed(draw: st.DrawFn) -> bytes:
    """A golden case in which some bytes are removed, doubled or replaced."""
    data = draw(st.sampled_from(_CASES))
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(data)))
        end = draw(st.integers(begin, min(begin + 40, len(data))))
        signs = st.sampled_from([b"\n", b"{", b"- ", b": ", b"*a", b"&a ", b"'"])
        put = draw(st.one_of(st.binary(max_size=4), st.just(data[begin:end] * 2), signs))
        data = data[:begin] + put + data[end:]
    return data


changed_files = _changed()
"""Files that were correct, or wrong in a known way, and have been damaged."""


def as_yaml(definition: dict[str, Definition]) -> str:
    """YAML of some stages: JSON is YAML if only ASCII is unescaped, except for surrogate pairs."""
    return "".join(f"{_scalar(name)}: {flow_style(stage)}\n" for name, stage in definition.items())


def flow_style(value: object) -> str:
    """Any value on one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{_scalar(key)}: {flow_style(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(flow_style(item) for item in value) + "]"
        case bool() | int() | float() | None:
            return json.dumps(value)
        case Plain():
            return value
    return _scalar(str(value))


def _scalar(text: str) -> str:
    return (
        '"'
        + "".join(
            character if character.isalnum() and character.isascii() else f"\\U{ord(character):08x}" for character in text
        )
        + '"'
    )
