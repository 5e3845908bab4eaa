"""Where a tool server may listen over HTTP, and what it may be called there."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_servers.protocol.bind import Bind, BindRefused, check_bind, is_called_rightly, is_from_nobodys_page, place_of

CERT, KEY = Path("c.pem"), Path("k.pem")


@pytest.mark.parametrize(
    ("said", "place"),
    [("8100", ("127.0.0.1", 8100)), ("192.168.1.2:80", ("192.168.1.2", 80)), ("[::1]:0", ("::1", 0)), (" localhost:1 ", ("localhost", 1))],
)
def test_a_place_is_a_port_or_an_address_and_a_port(said: str, place: tuple[str, int]) -> None:
    assert place_of(said) == place


@pytest.mark.parametrize("said", ["", "host", "70000", "::1:80", "http://a:80", ":80", "1.2.3.4:", "[::1]"])
def test_what_is_no_place_is_refused(said: str) -> None:
    with pytest.raises(BindRefused, match="is no place to listen"):
        place_of(said)


@pytest.mark.parametrize(
    "bind",
    [
        Bind("127.0.0.1", 1),
        Bind("localhost", 1),
        Bind("::1", 1),
        Bind("192.168.1.2", 1, CERT, KEY),
        Bind("10.0.0.1", 1, allows_plain_http=True),
        Bind("127.0.0.1", 1, origins=("http://127.0.0.1:8080", "https://a.example")),
    ],
)
def test_loopback_and_what_was_permitted_by_name_are_good(bind: Bind) -> None:
    check_bind(bind)


@pytest.mark.parametrize(
    ("bind", "why"),
    [
        (Bind("192.168.1.2", 1), "could be read over the network"),
        (Bind("::ffff:192.168.1.2", 1), "could be read over the network"),
        (Bind("0.0.0.0", 1, CERT, KEY), "every network"),
        (Bind("::", 1, CERT, KEY), "every network"),
        (Bind("8.8.8.8", 1, CERT, KEY), "public address"),
        (Bind("224.0.0.1", 1, CERT, KEY), "public address"),
        (Bind("mybox", 1, CERT, KEY), "is no address"),
        (Bind("127.0.0.1", 1, tls_cert=CERT), "--tls-key is missing"),
        (Bind("127.0.0.1", 1, tls_key=KEY), "--tls-cert is missing"),
        (Bind("127.0.0.1", 1, origins=("*",)), "is no origin"),
        (Bind("127.0.0.1", 1, origins=("http://a.example/",)), "is no origin"),
        (Bind("127.0.0.1", 1, origins=("null",)), "is no origin"),
    ],
)
def test_what_would_expose_the_server_is_refused_with_a_sentence(bind: Bind, why: str) -> None:
    with pytest.raises(BindRefused, match=why) as refused:
        check_bind(bind)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    ("host", "bind", "is_right"),
    [
        ("127.0.0.1:8100", Bind("127.0.0.1", 1), True),
        ("LOCALHOST:9", Bind("127.0.0.1", 1), True),
        ("[::1]:9", Bind("127.0.0.1", 1), True),
        ("192.168.1.2", Bind("127.0.0.1", 1), False),
        ("192.168.1.2", Bind("192.168.1.2", 1), True),
        ("8.8.8.8", Bind("192.168.1.2", 1), False),
        ("box.lan", Bind("192.168.1.2", 1), False),
        ("box.lan:80", Bind("192.168.1.2", 1, names=("box.lan",)), True),
        ("127.0.0.1.evil.example", Bind("127.0.0.1", 1), False),
        ("evil.example@127.0.0.1", Bind("127.0.0.1", 1), True),
        ("", Bind("127.0.0.1", 1), False),
        ("[::1", Bind("127.0.0.1", 1), False),
    ],
)
def test_a_name_that_anybody_could_point_here_is_not_ours(host: str, bind: Bind, is_right: bool) -> None:
    assert is_called_rightly(host, bind) is is_right


@pytest.mark.parametrize(
    ("origin", "is_let_in"),
    [
        (None, True),
        ("http://127.0.0.1:8100", True),
        ("http://127.0.0.1:8080", True),
        ("http://127.0.0.1:8081", False),
        ("https://evil.example", False),
        ("null", False),
        ("", False),
        ("http://[", False),
    ],
)
def test_a_page_is_let_in_only_by_name(origin: str | None, is_let_in: bool) -> None:
    bind = Bind("127.0.0.1", 8100, origins=("http://127.0.0.1:8080",))
    assert is_from_nobodys_page(origin, "127.0.0.1:8100", bind) is is_let_in
