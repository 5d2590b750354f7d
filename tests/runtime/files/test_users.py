"""Which user a container runs as."""

from collections.abc import Mapping
from tarfile import DIRTYPE, SYMTYPE

import pytest

from dockercise_prefect.runtime.engine import Engine, ResolvedImage
from dockercise_prefect.runtime.files.users import Ids, ids_of, is_root, look_up
from tests.engines.driving import container, member, spec_of, tar_of
from tests.engines.scripted import ScriptedEngine

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
    """A user is root whatever its group is."""
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
    """As with `docker run --user`, a number needs no account, a name needs one, and an account gives the group."""
    assert ids_of(user, PASSWD, GROUP) == ids


def test_an_image_without_accounts() -> None:
    """Numbers work in an image that has no users at all."""
    assert ids_of("12:34", b"", b"") == Ids(12, 34)


@pytest.mark.parametrize(
    ("links", "ids"),
    [
        ({"etc/passwd": "/opt/accounts"}, Ids(1000, 1001)),
        ({"etc/passwd": "../etc/./other", "etc/other": "../opt/accounts"}, Ids(1000, 1001)),
        ({"etc/passwd": "/nowhere"}, Ids(0, 0)),
        ({"etc/passwd": "passwd"}, Ids(0, 0)),
        ({"etc/passwd": "/opt"}, Ids(0, 0)),
    ],
)
def test_accounts_behind_links(
    engine: Engine, image: ResolvedImage, labels: Mapping[str, str], links: Mapping[str, str], ids: Ids
) -> None:
    """A file of accounts may be behind one or several links; a link that leads nowhere or in a circle counts as no file."""
    files = [(member("opt/accounts"), PASSWD), *((member(name, SYMTYPE, link=to), b"") for name, to in links.items())]

    with container(engine, spec_of(image, labels, "true")) as id_:
        engine.put(id_, "/", [tar_of((member("opt", DIRTYPE, mode=0o755), b""), *files)])
        found = look_up(engine, id_, "node")

    assert found == ids


def test_what_is_no_archive_holds_no_accounts(scripted: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the engine answers with something else, a user's numbers are unknown, and nothing is raised."""
    monkeypatch.setattr(scripted, "get", lambda _container, _path: iter([b"no tar"]))

    assert look_up(scripted, "c", "12:34") == Ids(12, 34)
