"""Texts that are hard for readers that look ahead, go back or nest, and our readers that get them.

To add a case, add a line to the function of its section. To add a section, write such a function and add it to `SECTIONS`. The
reader must accept the input, since an input that is refused because of its size is refused immediately.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from dockercise_prefect.compiler import compile_sources
from dockercise_prefect.compiler.shell.mentions import mentions
from dockercise_prefect.compiler.shell.paths import mentioned
from dockercise_prefect.errors import DefinitionError
from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.git.context import read_commit
from dockercise_prefect.git.without_login import without_login
from dockercise_prefect.globs import MAX_LENGTH, Globs
from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.orchestration.prefect import markdown
from dockercise_prefect.orchestration.run.stage_log import LONGEST_LINE
from dockercise_prefect.results.cache.lists import MOST
from dockercise_prefect.results.reading.terminal_text import coloured_line, plain_line
from dockercise_prefect.reuse.file_list import FileList, changed_file, list_of_code, list_of_volume
from dockercise_prefect.runtime.docker.streams import FrameSplitter
from dockercise_prefect.runtime.files.lines import LineDecoder, LogTail
from dockercise_prefect.runtime.secrets.masking import Masker
from dockercise_prefect.webhook.payload.claims import claimed_addresses
from dockercise_prefect.webhook.payload.content import read_payload
from dockercise_prefect.webhook.payload.delivery import Delivery
from dockercise_prefect.webhook.payload.reading import READ_HERE

LINE = b"2026-11-28 12:00:00 INFO shop.orders: order 1831 was packed in 17 ms, see /var/log/shop/orders.log\n"


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of text, and one reader.

    Attributes:
        name: a name that is unique in its section.
        size: the size of the smaller input, in the unit of `make`.
        make: makes an input of a size.
        work: reads the input.
    """

    name: str
    size: int
    make: Callable[[int], Any]
    work: Callable[[Any], object]


def learnt(*values: bytes) -> Masker:
    """A masker that knows these values."""
    masker = Masker()
    for value in values:
        masker.add(value)
    return masker


def shown(masker: Masker, pieces: Sequence[bytes]) -> None:
    """Mask a text that arrives in pieces, and search it for secrets."""
    stream, scan = masker.stream(), masker.scan()
    for piece in pieces:
        stream.feed(piece)
        scan.feed(piece)
    stream.flush()


def chunks(text: bytes, size: int) -> list[bytes]:
    """The text in pieces of one size."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def noise(size: int) -> bytes:
    """Pseudo-random bytes, always the same ones."""
    return hashlib.shake_128(b"noise").digest(size)


def tokens(count: int) -> list[bytes]:
    """Realistic values."""
    return list(map(base64.b64encode, chunks(noise(30 * count), 30)))


def repeated(text: str, length: int) -> Callable[[int], list[str]]:
    """Return a function that makes a number of lines. Each line repeats the text up to the length."""
    line = text * (length // len(text))
    return lambda count: [line] * count


def one_line(text: str, length: int) -> list[str]:
    """A line that repeats the text."""
    return repeated(text, length)(1)


def learning() -> Iterator[Case]:
    """Values that become secret."""
    add: Callable[[bytes], object] = lambda value: Masker().add(value)  # noqa: E731  one for all cases
    yield Case("one line again and again", 6_000, lambda n: b"line\n" * n, add)
    yield Case("different lines", 120, lambda n: b"\n".join(tokens(n)), add)
    yield Case(
        "lines that begin alike", 250, lambda n: b"\n".join(b"password: %s%d" % (b"x" * (i % 50), i) for i in range(n)), add
    )
    yield Case("base64 in one line", 9_000, lambda n: base64.b64encode(noise(n)), add)
    yield Case("base64 in many lines", 6_000, lambda n: base64.encodebytes(noise(n)), add)
    yield Case("binary bytes", 6_000, noise, add)
    yield Case("control characters", 30_000, lambda n: bytes(range(1, 9)) * (n // 8), add)
    yield Case("one letter", 500_000, lambda n: b"a" * n, add)
    yield Case("two letters", 30_000, lambda n: b"ab" * (n // 2), add)
    yield Case("white space", 500_000, lambda n: b" \n" * (n // 2), add)
    yield Case("quotes", 30_000, lambda n: b"'\"\\" * (n // 3), add)
    yield Case("assignments", 30_000, lambda n: b"a=" * (n // 2), add)
    yield Case("brackets", 30_000, lambda n: b"[" * n, add)
    yield Case("lines of brackets", 30_000, lambda n: b"[[[[[[[[\n" * (n // 9), add)
    yield Case("JSON", 400, lambda n: b"[%s]" % b",".join(b'"%s"' % each for each in tokens(n // 4)), add)
    yield Case("many values", 60, tokens, lambda values: learnt(*values))
    yield Case(
        "values of 300 lines",
        2,
        lambda n: [b"\n".join(tokens(300 * n)[i::n]) for i in range(n)],
        lambda values: learnt(*values),
    )


def masking() -> Iterator[Case]:
    """Texts that are searched for secrets."""
    line, key = learnt(b"line\n" * 3_000), tokens(1)[0]
    alike = learnt(b"\n".join(b"password: %s%d" % (b"x" * (i % 50), i) for i in range(500)))
    few, many = learnt(*tokens(5)), learnt(*tokens(300))
    yield Case(
        "a secret and nothing else", 30_000, lambda n: chunks(b"line\n" * (n // 5), 65_536), lambda given: shown(line, given)
    )
    yield Case("the same, line by line", 5_000, lambda n: [b"line\n"] * (n // 5), lambda given: shown(line, given))
    yield Case(
        "beginnings of secrets", 30_000, lambda n: chunks(b"password: " * (n // 10), 65_536), lambda given: shown(alike, given)
    )
    yield Case("beginnings and ends", 30_000, lambda n: chunks(b"x" * n, 65_536), lambda given: shown(alike, given))
    yield Case(
        "half a secret", 200_000, lambda n: chunks(key[:20] * (n // 20), 65_536), lambda given: shown(learnt(key), given)
    )
    yield Case("base64 in lines", 60_000, lambda n: chunks(base64.encodebytes(bytes(n)), 77), lambda given: shown(few, given))
    yield Case("line breaks", 300_000, lambda n: chunks(b"\n" * n, 65_536), lambda given: shown(few, given))
    yield Case(
        "line breaks after base64", 30_000, lambda n: [b"A" * 20, *chunks(b"\n" * n, 10)], lambda given: shown(few, given)
    )
    yield Case("lines of a log", 3_000, lambda n: [LINE] * n, lambda given: shown(few, given))
    yield Case("a log", 20_000, lambda n: chunks(LINE * n, 65_536), lambda given: shown(many, given))
    yield Case("a message", 2_000, lambda n: (LINE * n).decode(), many.text)


def decoded(pieces: Sequence[bytes]) -> None:
    """Split output into lines, and keep the last one."""
    lines, tail = LineDecoder(LONGEST_LINE), LogTail()
    for piece in pieces:
        lines.feed(piece)
        tail.add("stdout", piece)
    lines.flush()
    tail.text()


def split(pieces: Sequence[bytes]) -> None:
    """Split the frames of an engine."""
    splitter = FrameSplitter()
    for piece in pieces:
        for _ in splitter.feed(piece):
            pass


def cleaned(lines: Sequence[str]) -> None:
    """Make lines safe for a terminal, in both ways."""
    for line in lines:
        plain_line(line)
        coloured_line(line)


def log_lines() -> Iterator[Case]:
    """The output of stages, as it is processed for the terminal, the record and Prefect."""
    frame = b"\x01\x00\x00\x00\x00\x00\x00\x01."
    yield Case("a line without an end", 20_000_000, lambda n: chunks(b"x" * n, 65_536), decoded)
    yield Case("the same, byte by byte", 50_000, lambda n: chunks(b"x" * n, 1), decoded)
    yield Case("line breaks only", 300_000, lambda n: chunks(b"\n" * n, 65_536), decoded)
    yield Case("binary bytes", 3_000_000, lambda n: chunks(b"\xff\xc3\x28\xf0\x9f" * (n // 5), 65_536), decoded)
    yield Case("frames of one byte", 300_000, lambda n: chunks(frame * (n // 9), 65_536), split)
    for name, text in {
        "colours": "\x1b[31mred\x1b[0m",
        "colours that never end": "\x1b[1;",
        "one long control sequence": "\x1b[" + "0" * 1_000,
        "titles that never end": "\x1b]0;title",
        "escapes": "\x1b",
        "returns": "50 %\r",
        "null characters": "\x00",
        "letters": "x",
    }.items():
        yield Case(f"lines of {name}", 8, repeated(text, LONGEST_LINE), cleaned)
        yield Case(f"a line of {name}", LONGEST_LINE // 2, partial(one_line, text), cleaned)
    yield Case("back quotes in an artifact", 400, repeated("`", 500), lambda lines: list(markdown.fenced(lines)))
    yield Case("marks in an artifact", 40, repeated("*[`", 2_000), lambda lines: list(map(markdown.plain, lines)))


def compiled(text: str) -> None:
    """Read one file, and find its errors."""
    with suppress(DefinitionError):
        compile_sources([Source("a.dockercise.yaml", text.encode())], "hostile")


def pipelines() -> Iterator[Case]:
    """The pipeline files of a repository."""
    stage = "a: {img: x, run: y}\n"
    for name, size, make in (
        ("a long list", 64_000, lambda n: "x-a: [" + "a," * n + "]\n" + stage),
        ("anchors", 16_000, lambda n: "x-a:\n" + "".join(f"  - &a{i} x\n" for i in range(n)) + stage),
        ("aliases of a list", 64_000, lambda n: "x-a: &a [b, c]\nx-b: [" + "*a ," * n + "]\n" + stage),
        ("one long text", 32_000, lambda n: 'a: {img: x, run: "' + "x " * n + '"}\n'),
        ("a long script", 32_000, lambda n: "a:\n  img: x\n  run: |\n" + "    echo\n" * n),
        ("comments", 250_000, lambda n: "#\n" * n + stage),
        ("stages", 2_000, lambda n: "".join(f"s{i}: {{img: x, run: y}}\n" for i in range(n))),
        ("unknown keys", 2_000, lambda n: "a:\n" + "".join(f"  k{i}: x\n" for i in range(n))),
        ("stages with a matrix", 64, lambda n: "".join(f"s{i}: {{img: x, matrix: {{a: [1, 2, 3, 4]}}}}\n" for i in range(n))),
        ("entries of a matrix", 100, lambda n: "a: {img: x, matrix: {b: [1], include: [" + "{b: 1, cb: d}," * n + "]}}\n"),
        ("tags", 8_000, lambda n: "a:\n  img: x\n  env:\n" + "    - ! x\n" * n),
        ("variables", 8_000, lambda n: "a:\n  img: x\n  env:\n" + "".join(f"    - A{i}=x\n" for i in range(n))),
        ("a block that is not indented", 64_000, lambda n: "a:\n  run: |\n    x\n" + "EOF\n" * n),
    ):
        yield Case(name, size, make, compiled)


def globs() -> Iterator[Case]:
    """Globs of `triggers`, within the limits of the language."""
    for piece in ("?", "a*", "[!b]", "**/a/"):
        make = partial(_globs, piece)
        yield Case(f"of {piece}", MAX_LENGTH // 4, make, lambda patterns: Globs(patterns).takes("b/" * 200))


def _globs(piece: str, length: int) -> list[str]:
    return [piece * (length // len(piece)) + str(index) for index in range(4)]


def named(script: str) -> None:
    """Find the names and the paths in a script."""
    for literal in mentions(script).literals:
        for _ in mentioned(literal):
            pass


def numbered(piece: str, size: int) -> str:
    """Repeat the piece. In each repetition, `%d` is replaced by another number."""
    return "".join(piece.replace("%d", str(number)) for number in range(size // len(piece)))


def scripts() -> Iterator[Case]:
    """Scripts, in which the compiler searches for references to other stages."""
    for piece in SCRIPT_PIECES:
        yield Case(f"{piece!r} over and over", 20_000, partial(numbered, piece), named)
    for piece in ("x", "echo $A%d /a/b\n", "/a/b ", "${A"):
        yield Case(f"{piece!r} in a long script", 500_000, partial(numbered, piece), named)


SCRIPT_PIECES = (
    *("(A=", "(A=1;:)\n", "$(", "$(echo ) ", '"$(', '"', "$((", "$((1) 2) ", "${A:-", "${A:-b} ", "${A[", "`"),
    *("`echo` ", "<("),
    *("case a in ", "case a in b) c;; esac\n", "(", "((", "[[ ", "if ", "for a in ", "while ", "{ ", "f() ("),
    *("function f ", "@(a|"),
    *("cat <<A\n", "<<A ", "cat <<'E'\n/a/b\nE\n", "<<< a ", "> a ", "\\", "\\\n", "\n", " ", "#", ";", "& ", "a | "),
    *("a & ", "a |& "),
    *("a | b\n",),
    *("f() { echo $A$B; }; f\n", "f%d() { g; echo $A%d; }\n", "(V%d=1; f)\n", "echo $A%d\n", "A%d=1\n"),
    *("$((A%d++)) ", "export A%d\n"),
    *("cd a\n", "cd ..; cat a/b\n", "(cd /x; cat a/b)\n", "mkdir a%d\n", "/a/", "/", "../", ":/a", "=/a", "@/a"),
    *("a=/b?", "a/b,", "{a,b}/"),
    *("eval 'echo $A'\n", "trap 'echo $A' EXIT\n", "sh -c 'sh -c \"echo $A\"'\n", "docker run -e A -v /a:/b c\n"),
    *("sed -e /a/ ",),
    *("sudo env xargs ", "process.env.A ", 'getenv("A', "echo $A # dockercise: ignore references\n", "dockercise: "),
    *("é$A ", "x"),
)
"""Pieces that are hard for readers that look ahead, go back or nest."""


def proven(body: bytes) -> None:
    """Read a body as the receiver does after the check of its signature."""
    read_payload(body, form=False)


def unproven(body: bytes) -> None:
    """Read a body as the receiver does before the check of its signature."""
    for form in (False, True):
        claimed_addresses(Delivery(kind=HostKind.GITHUB, event="push", identity="1", proofs=(), form=form, body=body))


def json_bodies() -> Iterator[Case]:
    """Bodies for the receiver: of any size before the check of the signature, then those small enough for its own process."""
    for name, form, piece in (
        ("texts", '["%s"]', "a"),
        ("escapes", '["%s"]', "\\u0061"),
        ("letters beyond ASCII", '["%s"]', "é"),
        ("lists", "[%s0]", "[],"),
        ("objects", "[%s0]", '{"a":1},'),
        ("numbers", "[%s0]", "1e5,"),
        ("keys", '{%s"a":0}', '"%d":1,'),
        ("the same key", '{%s"a":0}', '"a":1,'),
        ("white space", "[%s0]", " \n"),
    ):
        yield Case(name, READ_HERE // 2, partial(_body, f'{{"a":{form}}}', piece), proven)
    for piece in ('_url":"https://h/a/b",', "_url%22%3A%22", '_url" : "', "%%", '_url":"' + "\\u0061" * 160, "[", '"'):
        yield Case(f"{piece[:20]} before the proof", 5_000_000, partial(_body, "[%s]", piece), unproven)


def _body(form: str, piece: str, size: int) -> bytes:
    return form.replace("%s", numbered(piece, size - len(form))).encode()


def commits() -> Iterator[Case]:
    """What git prints of a commit, and addresses in a repository's settings."""
    for name, piece in (
        ("lines", b"a\n"),
        ("empty lines", b"\n"),
        ("no text", b"\0\xff"),
        ("letters beyond ASCII", "é".encode()),
    ):
        yield Case(f"a message of {name}", 2_000_000, partial(_commit, piece), read_commit)
    for text in ("a", "a@", "a.", "@:", "://a@", "a:1/", "%41"):
        yield Case(f"an address of {text}", 100_000, partial(numbered, text), without_login)
        yield Case(f"a URL of {text}", 100_000, partial(_url, text), without_login)


def _commit(piece: bytes, size: int) -> bytes:
    return b"commit 1\n1\nA <a@b>\n" + piece * (size // len(piece))


def _url(piece: str, size: int) -> str:
    return "https://" + numbered(piece, size)


def file_lists() -> Iterator[Case]:
    """Lists of the files of volumes, whose names stages choose, and of the code."""
    for name, piece in (("names", "a"), ("deep paths", "a/" * 100), ("escapes", "\x1b"), ("letters beyond ASCII", "é")):
        yield Case(f"a volume of {name}", MOST // 2, partial(_volume_list, piece), lambda data: _said(list_of_volume(data)))
        yield Case(f"code of {name}", MOST // 2, partial(_code_list, piece), lambda data: _said(list_of_code(data)))


def _said(files: FileList) -> str | None:
    return changed_file(files, FileList({}, {}), "the code")


def _volume_list(piece: str, size: int) -> bytes:
    entry = f"{piece}%d\0f\x000644\x000\x000\0{'0' * 64}\0"
    return b"".join((entry % number).encode() for number in range(size // len(entry)))


def _code_list(piece: str, size: int) -> bytes:
    lines = (json.dumps([f"{piece}{number}", f"sha256:{'0' * 64}"]) for number in range(size // (len(piece) + 90)))
    return "".join(f"{line}\n" for line in lines).encode()


SECTIONS: dict[str, Callable[[], Iterator[Case]]] = {
    "commits": commits,
    "file-lists": file_lists,
    "learning": learning,
    "masking": masking,
    "log-lines": log_lines,
    "pipelines": pipelines,
    "json": json_bodies,
    "globs": globs,
    "scripts": scripts,
}
