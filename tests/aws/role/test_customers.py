"""Customers and their external ids."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dockercise_prefect.aws.role.customers import FOLDER, Customers
from dockercise_prefect.errors import StorageError, UsageError


def test_each_customer_has_a_random_id_of_its_own(tmp_path: Path) -> None:
    """An external id has 192 random bits, and no two customers have the same."""
    customers = Customers(tmp_path)

    ids = {customers.add(f"customer-{number}").external_id for number in range(50)}

    assert len(ids) == 50
    assert {len(one) for one in ids} == {32}  # 6 bits a character


def test_an_id_is_found_again(tmp_path: Path) -> None:
    """Another process reads the id that was made, and customers are listed by name."""
    made = [Customers(tmp_path).add(name) for name in ("umbrella", "acme")]

    again = Customers(tmp_path)

    assert [again.find(one.name) for one in made] == made
    assert again.names() == ["acme", "umbrella"]


def test_an_id_is_never_replaced(tmp_path: Path) -> None:
    """A second attempt to add a customer is refused, and the id stays."""
    customers = Customers(tmp_path)
    made = customers.add("acme")

    with pytest.raises(UsageError, match="the customer acme exists"):
        customers.add("acme")

    assert customers.find("acme") == made


def test_of_many_attempts_at_once_one_succeeds(tmp_path: Path) -> None:
    """If several processes add the same customer, one id is stored, and the others are told so."""

    def attempt(_number: int) -> str | None:
        try:
            return Customers(tmp_path).add("acme").external_id
        except UsageError:
            return None

    with ThreadPoolExecutor(8) as pool:
        ids = [one for one in pool.map(attempt, range(40)) if one is not None]

    assert ids == [Customers(tmp_path).find("acme").external_id]
    assert [file.name for file in (tmp_path / FOLDER).iterdir()] == ["acme.json"]


def test_only_the_user_reads_an_id(tmp_path: Path) -> None:
    """Files and folders are closed to other users, and the id is in no text that is shown."""
    customer = Customers(tmp_path / "data").add("acme")

    folder = tmp_path / "data" / FOLDER
    assert stat.S_IMODE((folder / "acme.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert customer.external_id not in repr(customer)


@pytest.mark.parametrize("name", ["", "Acme", "../acme", "a b", "-acme", "acme-", "a" * 41, "acme\n"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    """A name can only have small letters, digits and dashes, so it reaches no file outside of the folder."""
    with pytest.raises(UsageError, match="cannot be the name of a customer"):
        Customers(tmp_path).add(name)

    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_or_broken_is_said(tmp_path: Path) -> None:
    """An unknown customer, a damaged file and a folder that cannot be made are errors with a next step."""
    customers = Customers(tmp_path)
    with pytest.raises(UsageError, match="there is no customer acme"):
        customers.find("acme")

    customers.add("acme")
    (tmp_path / FOLDER / "acme.json").write_text('{"external_id"')
    with pytest.raises(UsageError, match=r"acme\.json is damaged") as raised:
        customers.find("acme")
    assert raised.value.__cause__ is None

    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        Customers(tmp_path / "file").add("acme")
