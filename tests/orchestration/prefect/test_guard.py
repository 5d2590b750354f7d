"""Which requests the local Prefect server answers."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from dockercise_prefect.orchestration.prefect.guard import refusal

OWN = frozenset({"ci.example.org"})


def judged(host: str | None, method: str = "GET", *, hosts: frozenset[str] = frozenset(), **more: str) -> str | None:
    """The refusal of a request with these headers, or None."""
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    return refusal(Headers(headers if host is None else headers | {"host": host}), method, hosts)


@pytest.mark.parametrize("host", ["127.0.0.1:4200", "localhost:4200", "LOCALHOST", "[::1]:4200", "localhost:8080"])
def test_programs_and_own_pages_are_answered(host: str) -> None:
    """Every name of this machine is allowed with every port, as with a tunnel, without an origin or with the same one."""
    assert judged(host) is None
    assert judged(host, "POST", origin=f"http://{host}", sec_fetch_site="same-origin") is None


@pytest.mark.parametrize(
    "host",
    [
        *(
            None,
            "",
            "evil.example",
            "evil.example:4200",
            "localhost.evil.example",
            "127.0.0.1.evil.example:4200",
            "127.0.0.1:x",
        ),
        *("127.1", "0.0.0.0:4200", "2130706433", "evil.example@localhost", "localhost,evil.example", "x.localhost", "[::1"),
    ],
)
def test_other_names_are_refused(host: str | None) -> None:
    """A name that somebody else can point to this machine is not the server's, with or without an origin."""
    assert judged(host) is not None
    assert judged(host, "POST", origin=f"http://{host}") is not None


@pytest.mark.parametrize(
    "origin",
    [
        *("null", "", "http://evil.example", "http://127.0.0.1:3000", "http://localhost:4200", "http://127.0.0.1", "file://"),
        *("http://127.0.0.1:4200.evil.example", "http://127.0.0.1:4200@evil.example", "127.0.0.1:4200", "http://[::1"),
    ],
)
def test_other_origins_are_refused(origin: str) -> None:
    """A page belongs to the server only if its name and port are those of the request."""
    assert judged("127.0.0.1:4200", "POST", origin=origin) is not None


def test_two_hosts_or_two_origins_are_refused_if_one_is_foreign() -> None:
    """A request with two hosts or two origins is refused if one of them is foreign, because readers may choose either."""
    two_hosts = Headers(raw=[(b"host", b"localhost"), (b"host", b"evil.example")])
    two_origins = Headers(raw=[(b"host", b"localhost"), (b"origin", b"http://localhost"), (b"origin", b"http://evil.example")])

    assert refusal(two_hosts, "GET") is not None
    assert refusal(two_origins, "GET") is not None


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_page_embeds_is_refused_and_what_it_links_to_is_not(site: str) -> None:
    """Browsers send no origin for scripts, images and frames, but they report that another site makes the request."""
    embedded = [judged("localhost", sec_fetch_site=site, sec_fetch_dest=kind) for kind in ("script", "image", "empty")]
    framed = judged("localhost", sec_fetch_site=site, sec_fetch_mode="navigate", sec_fetch_dest="iframe")
    posted = judged("localhost", "POST", sec_fetch_site=site, sec_fetch_mode="navigate", sec_fetch_dest="document")
    linked = judged("localhost", sec_fetch_site=site, sec_fetch_mode="navigate", sec_fetch_dest="document")

    assert None not in [*embedded, framed, posted]
    assert linked is None


def test_a_name_that_the_user_gave_is_answered() -> None:
    """A proxy's name is allowed, whether the proxy passes it on or uses a name of this machine."""
    passed_on = judged("ci.example.org", "POST", hosts=OWN, origin="https://ci.example.org")
    renamed = judged("127.0.0.1:4200", "POST", hosts=OWN, origin="https://ci.example.org")
    another = judged("127.0.0.1:4200", "POST", hosts=OWN, origin="https://evil.example")

    assert passed_on is None
    assert renamed is None
    assert another is not None


def test_the_refusal_says_what_was_asked_and_what_to_do() -> None:
    """The refusal shows the requested name and the setting that allows it."""
    said = judged("ci.example.org:4200")

    assert said == (
        "Refused: this request came to the name ci.example.org:4200. This Prefect server only answers its own pages and "
        "local programs.\nIf you reach the server this way, set DOCKERCISE_SERVER_HOSTS=ci.example.org, then "
        "`dockercise down` and `dockercise up`.\n"
    )
