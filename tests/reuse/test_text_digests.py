"""Digests of variables."""

from __future__ import annotations

from hashlib import sha256

from dockercise_prefect.reuse.text_digests import KEY_BYTES, KeyedDigest, variable_digests

KEY, OTHER = bytes(KEY_BYTES), b"k" * KEY_BYTES
TEXTS = {"REGION": "eu", "TOKEN": "swordfish", "BYTES": "\udcff"}


def test_what_is_not_sensitive_has_the_same_digest_everywhere() -> None:
    """A text that is not sensitive needs no key, so every machine finds the same."""
    assert variable_digests(TEXTS, (), None) == variable_digests(TEXTS, (), KEY)


def test_a_sensitive_text_cannot_be_found_by_trying() -> None:
    """The digest of a sensitive text depends on the key, and is not the plain one."""
    mine, others = variable_digests(TEXTS, ["TOKEN"], KEY), variable_digests(TEXTS, ["TOKEN"], OTHER)

    assert mine is not None
    assert others is not None
    assert mine["TOKEN"] != others["TOKEN"]
    assert sha256(b"swordfish").hexdigest() not in f"{mine}{others}"
    assert {name: digest for name, digest in mine.items() if name != "TOKEN"} == {
        name: digest for name, digest in others.items() if name != "TOKEN"
    }


def test_without_a_key_a_sensitive_text_has_no_digest() -> None:
    """A stage with such a variable has no key, so it runs."""
    assert variable_digests(TEXTS, ["TOKEN"], None) is None
    assert variable_digests({"REGION": "eu"}, ["TOKEN"], None) is not None


def test_bytes_may_come_in_pieces() -> None:
    """The digest of what a stage printed does not depend on how it came."""
    whole, pieces = KeyedDigest(KEY), KeyedDigest(KEY)
    whole.update(b"version 7\n")
    for piece in (b"version", b"", b" 7\n"):
        pieces.update(piece)

    assert whole.digest() == pieces.digest()
