"""Which user a container runs as."""

import pytest

from dockercise_prefect.runtime.users import Ids, ids_of, is_root

PASSWD = b"root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1001::/home/node:/bin/sh\nbroken\n"
GROUP = b"root:x:0:\nstaff:x:50:node\n"


@pytest.mark.parametrize(
    ("user", "root"),
    [
        ("", True),
        ("0", True),
        ("root", True),
        ("0:1000", True),
        ("root:x", True),
        ("1000", False),
        ("node", False),
        ("1:0", False),
    ],
)
def test_root(user: str, root: bool) -> None:
    """The group does not matter."""
    assert is_root(user) is root


@pytest.mark.parametrize(
    ("user", "ids"),
    [
        ("1000", Ids(1000, 1001)),
        ("1234", Ids(1234, 0)),
        ("1234:5", Ids(1234, 5)),
        ("node", Ids(1000, 1001)),
        ("node:staff", Ids(1000, 50)),
        ("node:7", Ids(1000, 7)),
        ("nobody", Ids(0, 0)),
        ("node:nogroup", Ids(1000, 0)),
    ],
)
def test_numbers_of_a_user(user: str, ids: Ids) -> None:
    """As `docker run --user` has it: a number needs no account, a name does, an account brings its group."""
    assert ids_of(user, PASSWD, GROUP) == ids


def test_an_image_without_accounts() -> None:
    """Numbers work in an image that has no users at all."""
    assert ids_of("12:34", b"", b"") == Ids(12, 34)
