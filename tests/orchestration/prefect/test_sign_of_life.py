"""The sign of life of a run."""

from __future__ import annotations

from dockercise_prefect.orchestration.prefect.sign_of_life import Sign, sign_now


def test_a_sign_reads_back() -> None:
    """Labels can be read back as the sign, with and without a record."""
    for sign in (Sign("o", 1), Sign("o", 2, "s3://bucket/shop/1")):
        assert Sign.parse({"others": 1, **sign.labels()}) == sign


def test_labels_of_others_are_no_sign() -> None:
    """Labels that no run of ours has written are not a sign."""
    assert Sign.parse({"prefect.flow.id": "x", "dockercise.owner": 1}) is None


def test_a_sign_holds_nothing_of_the_environment() -> None:
    """A sign says host, process and attempt, and no record before there is one."""
    sign = sign_now(3)

    assert (sign.attempt, sign.record) == (3, None)
    assert len(sign.owner.split("/")) == 6
