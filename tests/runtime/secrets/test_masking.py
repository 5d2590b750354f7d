"""Sensitive texts are masked in all their forms, at whatever places the text is cut."""

import base64
import functools
import hashlib
import html
import json
import re
import shlex
import subprocess
import textwrap
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.runtime.secrets.forms import forms_of
from dockercise_prefect.runtime.secrets.masking import Masker

SECRET = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCY=KEY"
KEY = b"-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7bq2\nq8Vn0Zr1yX9kLm3pQ4s5\n-----END RSA PRIVATE KEY-----\n"

VALUES = [
    SECRET,
    b'p\xc3\xa4ssw\xc3\xb6rt\xe2\x82\xac "it\'s" \\o/ <&> $x;~',
    KEY.strip(),
    bytes(range(33, 127)) * 3,
    hashlib.shake_128(b"noise").hexdigest(200).encode(),
]
TOKENS = st.binary(min_size=12, max_size=12).filter(lambda value: value.strip() == value and len(set(value)) > 6)

SECRETS = st.binary(min_size=8, max_size=40).filter(lambda value: len(set(value.strip())) > 6 and b"\r" not in value)
CHARACTERS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=60)


def masker_of(*secrets: bytes) -> Masker:
    masker = Masker()
    for secret in secrets:
        masker.add(secret)
    return masker


def masked(masker: Masker, *chunks: bytes) -> bytes:
    stream = masker.stream()
    return b"".join([*map(stream.feed, chunks), stream.flush()])


def in_base64(before: int, secret: bytes) -> bytes:
    return base64.b64encode(b"x" * before + secret + b"tail")


def in_base64_of_addresses(before: int, secret: bytes) -> bytes:
    return base64.urlsafe_b64encode(b"x" * before + secret)


def in_lines(width: int, break_: bytes, secret: bytes) -> bytes:
    encoded = base64.b64encode(b"some user:" + secret + b"tail")
    return b"".join(encoded[start : start + width] + break_ for start in range(0, len(encoded), width))


@functools.cache
def in_bash(text: bytes, locale: str) -> bytes:
    """The text as bash's own `printf %q` writes it."""
    command = ["bash", "-c", 'printf %q "$TEXT"']
    return subprocess.run(command, env={b"TEXT": text, b"LC_ALL": locale.encode()}, capture_output=True, check=True).stdout


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda secret: secret,
    "carriage returns": lambda secret: secret.replace(b"\n", b"\r\n"),
    **{f"base64 after {before}": functools.partial(in_base64, before) for before in range(3)},
    **{f"base64 after {before}, for addresses": functools.partial(in_base64_of_addresses, before) for before in range(3)},
    **{
        f"base64 in lines of {width}, {break_!r}": functools.partial(in_lines, width, break_)
        for width in (16, 20, 64, 76)
        for break_ in (b"\n", b"\r\n")
    },
    "address": lambda secret: quote(secret, safe="").encode(),
    "path": lambda secret: quote(secret).encode(),
    "JavaScript": lambda secret: quote(secret, safe="!'()*").encode(),
    "small letters": lambda secret: re.sub(rb"%..", lambda found: found[0].lower(), quote(secret, safe="").encode()),
    "form": lambda secret: quote_plus(secret).encode(),
    "address twice": lambda secret: quote(quote(secret, safe=""), safe="").encode(),
    "form twice": lambda secret: quote_plus(quote_plus(secret)).encode(),
    "JSON": lambda secret: json.dumps(secret.decode()).encode(),
    "JSON with all characters": lambda secret: json.dumps(secret.decode(), ensure_ascii=False).encode(),
    "JSON of PHP": lambda secret: json.dumps(secret.decode()).replace("/", "\\/").encode(),
    "JSON of Go": lambda secret: re.sub(
        "[&<>]", lambda found: f"\\u{ord(found[0]):04x}", json.dumps(secret.decode(), ensure_ascii=False)
    ).encode(),
    "JSON in JSON": lambda secret: json.dumps(json.dumps({"key": secret.decode()})).encode(),
    "Python": lambda secret: repr(secret.decode()).encode(),
    "Python, ASCII": lambda secret: ascii(secret.decode()).encode(),
    "Python, bytes": lambda secret: repr(secret).encode(),
    "shlex": lambda secret: shlex.quote(secret.decode()).encode(),
    "trace of a shell": lambda secret: secret.replace(b"'", b"'\\''"),
    "YAML": lambda secret: secret.replace(b"'", b"''"),
    "printf %q": lambda secret: in_bash(secret, "C.UTF-8"),
    "printf %q without a locale": lambda secret: in_bash(secret, "C"),
    "HTML": lambda secret: html.escape(secret.decode()).encode(),
}


def readings(shown: bytes) -> list[bytes]:
    """Everything that somebody can read from a text, also as base64."""
    runs = re.findall(rb"[A-Za-z0-9+/_-]{2,}", shown.translate(None, b"\r\n"))
    padded = [b"A" * lead + run for run in runs for lead in range(4)]
    return [
        shown,
        *(base64.urlsafe_b64decode(run[: len(run) // 4 * 4].translate(bytes.maketrans(b"+/", b"-_"))) for run in padded),
    ]


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("value", VALUES, ids=["token", "words", "key", "long", "longer"])
def test_no_form_shows_wherever_it_is_cut(value: bytes, name: str) -> None:
    """A secret in any form cannot be read wherever the text is cut, the text around it stays, and a scan finds it."""
    masker = masker_of(value)
    form = FORMS[name](value)
    text = b"before: " + form + b" :after"
    parts = {each[start : start + 6] for each in (value, *form.splitlines()[1:-1]) for start in range(len(each) - 5)}

    whole = masked(masker, text)

    assert whole.startswith(b"before: ")
    assert whole.endswith(b" :after")
    assert not [part for reading in readings(whole) for part in parts if part in reading]
    assert masked(masker, *(text[index : index + 1] for index in range(len(text)))) == whole
    for cut in range(0, len(text), max(1, len(text) // 25)):
        scan = masker.scan()
        scan.feed(text[:cut])
        scan.feed(text[cut:])
        assert scan.found
        assert masked(masker, text[:cut], text[cut:]) == whole


@given(first=TOKENS, second=TOKENS, around=st.tuples(st.binary(max_size=4), st.binary(max_size=4)), width=st.integers(16, 40))
def test_base64_holds_not_a_bit_of_a_secret(first: bytes, second: bytes, around: tuple[bytes, bytes], width: int) -> None:
    """In base64, two secrets of the same length with the same neighbours have the same masked text."""
    before, after = around

    def shown(secret: bytes) -> bytes:
        return masked(masker_of(secret), b'"' + base64.b64encode(before + secret + after) + b'"')

    assert shown(first) == shown(second)


def test_of_a_long_text_parts_are_masked() -> None:
    """A text of more than 64 bytes is masked in pieces, so it is also masked if its ends are cut off."""
    token = hashlib.shake_128(b"token").hexdigest(400).encode()

    shown = masked(masker_of(token), b"token=" + token[100:600] + b".")

    assert shown.startswith(b"token=")
    assert len(shown) < 6 + 3 + 2 * 64


def test_a_long_secret_does_not_wait_for_its_end() -> None:
    """At most a few hundred bytes of a masked text wait for the text that follows."""
    value = hashlib.shake_128(b"value").hexdigest(20_000).encode()
    stream = masker_of(value).stream()

    assert stream.feed(value[:20_000]) == b"***"
    assert stream.feed(b" ... and so on\n" * 20).endswith(b" ... and so on\n" * 10)


def test_what_a_long_text_is_ruled_off_with_stays() -> None:
    """Rules, blanks and borders of tables in a long value are not secrets by themselves."""
    value = b"+" + b"-" * 100 + b"+\n" + b" " * 200 + b"\n" + b"| correct horse battery staple |" + b" |" * 100

    assert masked(masker_of(value), b"-" * 100 + b" " * 200 + b" |" * 50) == b"-" * 100 + b" " * 200 + b" |" * 50


@pytest.mark.parametrize("value", [b"line\n" * 3_000, b"ab" * 30_000, b"a" * 1_000_000, b"0123456789" * 6_000])
def test_what_repeats_itself_is_learnt_once(value: bytes) -> None:
    """The number of searched texts does not grow with the number of repetitions in a value."""
    assert len(forms_of(value)) < 200


def test_secrets_that_touch_become_one_mask() -> None:
    """If two secrets touch, the mask does not show where one ends, however they are cut."""
    masker = masker_of(b"correct-horse", b"battery-staple")
    text = b"<correct-horsebattery-staple>"

    for cut in range(len(text)):
        assert masked(masker, text[:cut], text[cut:]) == b"<***>"


def test_short_lines_of_base64_do_not_wait() -> None:
    """A line that is not part of a wrapped text is passed on as soon as it is complete."""
    stream = masker_of(SECRET).stream()

    assert stream.feed(b"ready: d0\n") == b"ready: d0\n"


@pytest.mark.parametrize(
    "form",
    [
        lambda secret: secret,
        base64.b64encode,
        lambda secret: base64.b64encode(b"user:" + secret),
        lambda secret: base64.b64encode(b"x" + secret + b"tail"),
        lambda secret: base64.urlsafe_b64encode(b"xy" + secret),
        lambda secret: quote(secret, safe="").encode(),
        lambda secret: quote(secret).encode(),
        lambda secret: quote(secret, safe="").replace("%2F", "%2f").replace("%2B", "%2b").replace("%3D", "%3d").encode(),
        lambda secret: quote_plus(secret).encode(),
        lambda secret: json.dumps({"key": secret.decode()}).encode(),
        lambda secret: json.dumps({"key": secret.decode()}).replace("/", "\\/").encode(),
    ],
)
def test_each_form_is_masked(form: Callable[[bytes], bytes]) -> None:
    """A secret is masked as plain text, in base64 at any offset, URL-encoded and in JSON, and nothing of its middle stays."""
    text = b"before " + form(SECRET) + b" after"

    shown = masked(masker_of(SECRET), text)

    assert b"***" in shown
    assert shown.startswith(b"before ")
    assert shown.endswith(b" after")
    for part in (SECRET[6:-6], base64.b64encode(SECRET)[6:-6], b"FEMI"):
        assert part not in shown


@pytest.mark.parametrize("width", [20, 64, 76])
@pytest.mark.parametrize("break_", [b"\n", b"\r\n"])
def test_base64_is_masked_over_wrapped_lines(width: int, break_: bytes) -> None:
    """Text that `base64` wraps at 76 columns is masked line by line, and the lines stay lines."""
    token = b"FwoGZXIvYXdzEBYaDH" * 20
    lines = textwrap.wrap(base64.b64encode(b"token=" + token).decode(), width)
    text = break_.join(line.encode() for line in lines) + break_ + b"done\n"

    for chunks in ([text], [text[i : i + 1] for i in range(len(text))], text.splitlines(keepends=True)):
        shown = masked(masker_of(token), *chunks)

        assert shown.count(break_) == text.count(break_)
        assert max(map(len, shown.split(break_))) <= 20
        assert shown.endswith(b"done\n")


def test_a_key_of_several_lines_is_masked_whole_and_by_its_lines() -> None:
    """A private key is masked as a whole, line by line, and in JSON; the parts that all keys have in common stay."""
    masker = masker_of(KEY)

    assert b"MII" not in masked(masker, b"key:\n" + KEY)
    assert masked(masker, b"| q8Vn0Zr1yX9kLm3pQ4s5 |") == b"| *** |"
    assert b"q8Vn" not in masked(masker, json.dumps({"key": KEY.decode()}).encode())
    assert masked(masker, b"-----BEGIN RSA PRIVATE KEY-----") == b"-----BEGIN RSA PRIVATE KEY-----"


def test_texts_in_json_are_secrets_of_their_own() -> None:
    """The values of a JSON object are masked where they appear alone, and its names are not."""
    masker = masker_of(json.dumps({"Credentials": {"SecretAccessKey": SECRET.decode(), "Ttl": 3600}}, indent=2).encode())

    assert masked(masker, b"key=" + SECRET + b'; "Credentials": {') == b'key=***; "Credentials": {'


@pytest.mark.parametrize(
    "value",
    [
        b"export TOKEN='correct horse battery'\nUSER: annabelle",
        b"- token: correct horse battery\n- user: annabelle",
        b'"correct horse battery"\n"annabelle"',
        b'{"token":"correct horse battery"}\n{"user":"annabelle"}',
        b'logged in\n{\n  "token": "correct horse battery",\n  "user": "annabelle"\n}',
    ],
)
def test_texts_of_lines_are_secrets_of_their_own(value: bytes) -> None:
    """The texts of assignments, of JSON lines and between quotes are masked wherever they appear alone."""
    assert masked(masker_of(value), b"it is correct horse battery, annabelle") == b"it is ***, ***"


def test_a_quoted_text_is_masked_without_its_quotes() -> None:
    """The value of `aws … --query Credentials.SecretAccessKey` has quotes, and texts that are made from it have none."""
    masker = masker_of(b'"' + SECRET + b'"\n')

    assert masked(masker, b"key=" + SECRET) == b"key=***"


def test_json_of_go_programs_is_masked() -> None:
    """Go writes `&`, `<` and `>` in JSON as escaped numbers."""
    assert masked(masker_of(b"Tom&Jerry<3"), b'{"password":"Tom\\u0026Jerry\\u003c3"}') == b'{"password":"***"}'


def test_common_texts_in_json_are_not_masked() -> None:
    """A text that is too common to mask is not masked in JSON either."""
    masker = masker_of(b'{"host": "localhost", "state": "disabled", "password": "correct horse"}')

    assert masked(masker, b"localhost: disabled, correct horse") == b"localhost: disabled, ***"


@pytest.mark.parametrize(
    "value", [b"", b"abc", b"true", b"None", b"8080", b"2026", b"  \n", b"{", b"{}", b"[]", b"yes\n", b"--------"]
)
def test_short_and_common_values_are_not_masked(value: bytes) -> None:
    """A value that appears in every text is not masked, since the output would become unreadable."""
    text = b"true 8080 {} [] { abc yes None 2026 --------\n"

    assert masked(masker_of(value), text) == text


def test_lines_without_a_secret_do_not_wait() -> None:
    """A line is passed on as soon as it is complete, even if its last character could begin a secret."""
    stream = masker_of(b"gamma-ray-burst").stream()

    assert stream.feed(b"starting\n") == b"starting\n"
    assert stream.feed(b"is it gamma") == b"is it "
    assert stream.feed(b"?\n") == b"gamma?\n"


def test_what_becomes_known_later_is_masked_from_then_on() -> None:
    """A stage that is already running masks the value of another stage that has just ended."""
    masker = Masker()
    stream = masker.stream()

    assert stream.feed(b"correct horse ") == b"correct horse "
    masker.add(b"battery staple")
    assert stream.feed(b"battery staple") + stream.flush() == b"***"


def test_secrets_that_overlap_are_masked_together() -> None:
    """If two secrets share characters, nothing of either stays, however the text is cut."""
    masker = masker_of(b"abcdefgh", b"efghijklmn")

    for cut in range(1, 14):
        text = b"abcdefghijklmn."
        assert masked(masker, text[:cut], text[cut:]) == b"***."


def test_json_values_are_masked_deep_inside() -> None:
    """Texts in lists and objects are masked; numbers and names stay."""
    assert masker_of(SECRET).json({"a": [SECRET.decode(), 1, None], "b": {"c": "x"}}) == {
        "a": ["***", 1, None],
        "b": {"c": "x"},
    }


def test_a_scan_finds_what_was_known_when_it_began() -> None:
    """A scan finds a secret across the border of two pieces, and does not know secrets that are added later."""
    masker = masker_of(SECRET)
    scan = masker.scan()
    masker.add(b"a later secret")

    scan.feed(b"a later secret " + SECRET[:10])
    assert not scan.found
    scan.feed(SECRET[10:])
    assert scan.found


@given(secrets=st.lists(SECRETS, min_size=1, max_size=4), data=st.data())
def test_cutting_changes_nothing(secrets: list[bytes], data: st.DataObject) -> None:
    """A text in any pieces is masked like the text in one piece."""
    masker = masker_of(*secrets)
    parts = data.draw(st.lists(st.one_of(st.sampled_from(secrets), st.binary(max_size=20)), max_size=8))
    text = b"".join(parts).translate(None, b"\r\n")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    assert masked(masker, *pieces) == masked(masker, text)


@given(secrets=st.lists(SECRETS, min_size=1, max_size=3), around=st.binary(max_size=30), data=st.data())
def test_no_secret_survives(secrets: list[bytes], around: bytes, data: st.DataObject) -> None:
    """Whatever surrounds a secret, and wherever the text is cut, the secret is not in the text that is shown."""
    masker = masker_of(*secrets)
    secret = data.draw(st.sampled_from(secrets)).strip()
    encoded = data.draw(st.sampled_from([secret, base64.b64encode(secret), quote(secret, safe="").encode()]))
    text = around + encoded + around
    cut = data.draw(st.integers(0, len(text)))

    shown = masked(masker, text[:cut], text[cut:])

    assert encoded not in shown
    assert secret not in shown


@given(text=CHARACTERS)
def test_other_text_is_not_changed(text: str) -> None:
    """A text without anything sensitive is not changed."""
    masker = masker_of(b"\x00\x01\x02 no text holds this \x03\x04")

    assert masker.text(text) == text
    assert masked(masker, text.encode()) == text.encode()
