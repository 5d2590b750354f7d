"""Sensitive texts are masked in all their forms, however the text around them is cut."""

import base64
import json
import textwrap
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.runtime.masking import Masker

SECRET = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCY=KEY"
KEY = b"-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7bq2\nq8Vn0Zr1yX9kLm3pQ4s5\n-----END RSA PRIVATE KEY-----\n"

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
    """A secret is masked as it is, in base64 wherever it begins there, URL-encoded and in JSON; of its middle nothing stays."""
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
    """What `base64` wraps at 76 columns is masked, line by line, and the lines stay lines."""
    token = b"FwoGZXIvYXdzEBYaDH" * 20
    lines = textwrap.wrap(base64.b64encode(b"token=" + token).decode(), width)
    text = break_.join(line.encode() for line in lines) + break_ + b"done\n"

    for chunks in ([text], [text[i : i + 1] for i in range(len(text))], text.splitlines(keepends=True)):
        shown = masked(masker_of(token), *chunks)

        assert shown.count(break_) == text.count(break_)
        assert max(map(len, shown.split(break_))) <= 20
        assert shown.endswith(b"done\n")


def test_a_key_of_several_lines_is_masked_whole_and_by_its_lines() -> None:
    """A private key is masked as a whole, line by line, and in JSON; what all keys have in common stays."""
    masker = masker_of(KEY)

    assert b"MII" not in masked(masker, b"key:\n" + KEY)
    assert masked(masker, b"| q8Vn0Zr1yX9kLm3pQ4s5 |") == b"| *** |"
    assert b"q8Vn" not in masked(masker, json.dumps({"key": KEY.decode()}).encode())
    assert masked(masker, b"-----BEGIN RSA PRIVATE KEY-----") == b"-----BEGIN RSA PRIVATE KEY-----"


def test_texts_in_json_are_secrets_of_their_own() -> None:
    """The values of a JSON object are masked where they stand alone, and its names are not."""
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
    """Of lines that set something, that are JSON, or that are between quotes, the text is masked where it stands alone."""
    assert masked(masker_of(value), b"it is correct horse battery, annabelle") == b"it is ***, ***"


def test_a_quoted_text_is_masked_without_its_quotes() -> None:
    """The value of `aws … --query Credentials.SecretAccessKey` has quotes, and what is made of it has none."""
    masker = masker_of(b'"' + SECRET + b'"\n')

    assert masked(masker, b"key=" + SECRET) == b"key=***"


def test_json_of_go_programs_is_masked() -> None:
    """Go writes `&`, `<` and `>` in JSON by their numbers."""
    assert masked(masker_of(b"Tom&Jerry<3"), b'{"password":"Tom\\u0026Jerry\\u003c3"}') == b'{"password":"***"}'


def test_common_texts_in_json_are_not_masked() -> None:
    """What is common by itself is common in JSON, too."""
    masker = masker_of(b'{"host": "localhost", "state": "disabled", "password": "correct horse"}')

    assert masked(masker, b"localhost: disabled, correct horse") == b"localhost: disabled, ***"


@pytest.mark.parametrize(
    "value", [b"", b"abc", b"true", b"None", b"8080", b"2026", b"  \n", b"{", b"{}", b"[]", b"yes\n", b"--------"]
)
def test_short_and_common_values_are_not_masked(value: bytes) -> None:
    """Masking what stands in every text would make nonsense of it."""
    text = b"true 8080 {} [] { abc yes None 2026 --------\n"

    assert masked(masker_of(value), text) == text


def test_lines_without_a_secret_do_not_wait() -> None:
    """A line is passed on when it is whole, also where its last character could begin a secret."""
    stream = masker_of(b"gamma-ray-burst").stream()

    assert stream.feed(b"starting\n") == b"starting\n"
    assert stream.feed(b"is it gamma") == b"is it "
    assert stream.feed(b"?\n") == b"gamma?\n"


def test_what_becomes_known_later_is_masked_from_then_on() -> None:
    """A stage that runs already masks the value of another that has just ended."""
    masker = Masker()
    stream = masker.stream()

    assert stream.feed(b"correct horse ") == b"correct horse "
    masker.add(b"battery staple")
    assert stream.feed(b"battery staple") + stream.flush() == b"***"


def test_secrets_that_overlap_are_masked_together() -> None:
    """Two secrets that share characters leave nothing of either, however the text is cut."""
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
    """A scan finds a secret over a border of two pieces, and does not know what is added later."""
    masker = masker_of(SECRET)
    scan = masker.scan()
    masker.add(b"a later secret")

    scan.feed(b"a later secret " + SECRET[:10])
    assert not scan.found
    scan.feed(SECRET[10:])
    assert scan.found


@given(secrets=st.lists(SECRETS, min_size=1, max_size=4), data=st.data())
def test_cutting_changes_nothing(secrets: list[bytes], data: st.DataObject) -> None:
    """A text in any pieces is masked as the text in one piece."""
    masker = masker_of(*secrets)
    parts = data.draw(st.lists(st.one_of(st.sampled_from(secrets), st.binary(max_size=20)), max_size=8))
    text = b"".join(parts).translate(None, b"\r\n")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    assert masked(masker, *pieces) == masked(masker, text)


@given(secrets=st.lists(SECRETS, min_size=1, max_size=3), around=st.binary(max_size=30), data=st.data())
def test_no_secret_survives(secrets: list[bytes], around: bytes, data: st.DataObject) -> None:
    """Whatever stands around a secret, and wherever the text is cut, the secret is not in what is shown."""
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
    """A text without anything sensitive comes out as it went in."""
    masker = masker_of(b"\x00\x01\x02 no text holds this \x03\x04")

    assert masker.text(text) == text
    assert masked(masker, text.encode()) == text.encode()
