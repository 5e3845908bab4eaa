"""An address inside the house is known as one in every form that it can be written in."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_servers.errors import Refusal
from mcp_servers.outside.addresses import is_public
from mcp_servers.outside.destinations import MAX_URL_CHARS, NO_CREDENTIALS, Destination, destination_of, moved_to

INSIDE = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255"),
    *("192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.1.1.1"),
    *("240.0.0.1", "255.255.255.255", "192.31.196.1", "192.52.193.1", "192.175.48.1"),
    *("::", "::1", "::7f00:1", "fe80::1", "fec0::1", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1"),
    *("2001:2::1", "2001:10::1", "2001:20::1", "2620:4f:8000::1", "64:ff9b:1::7f00:1", "4000::1", "8000::1"),
    *(
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:c0a8:101::1",
    ),
    *("2001:0:7f00:1::ffff:ffff", "2001:0:5db8:d822:0:0:80ff:fffe", "2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:7f00:1"),
]
OPEN = [
    *("93.184.216.34", "8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "192.0.3.1", "2606:4700:4700::1111", "2a00:1450::1"),
    *("::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "2001:0:808:808::f7f7:f7f7"),
]
HOUSE = st.sampled_from(["10.0.0.0", "127.0.0.0", "192.168.0.0", "169.254.0.0", "172.16.0.0", "100.64.0.0"])


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_not_public_is_known(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OPEN)
def test_what_is_public_is_open(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("text", ["", "example.org", "fe80::1%eth0", "2606:4700::1%1", "1.2.3", "0127.0.0.1", "1.2.3.4.5", "[::1]"])
def test_what_is_no_plain_address_is_not_public(text: str) -> None:
    assert not is_public(text)


@given(st.integers(0, 2**32 - 1))
def test_an_address_in_another_one_is_judged_like_itself(number: int) -> None:
    v4 = IPv4Address(number)
    is_open = is_public(str(v4))
    carriers = [
        (0xFFFF << 32) | number,
        (0xFFFF << 48) | number,
        (0x64FF9B << 96) | number,
        (0x2002 << 112) | (number << 80),
        (0x2001 << 112) | (0x08080808 << 64) | (~number & 0xFFFFFFFF),
        (0x2001 << 112) | (number << 64) | (~0x08080808 & 0xFFFFFFFF),
        (0x2606 << 112) | (0x5EFE << 32) | number,
    ]
    assert [is_public(str(IPv6Address(carrier))) for carrier in carriers] == [is_open] * len(carriers)


def _forms(address: IPv4Address) -> list[str]:
    """The ways in which resolvers read one IPv4 address."""
    a, b, c, d = address.packed
    return [
        *(str(int(address)), hex(int(address)), f"0{int(address):o}", f"{a}.{int(address) & 0xFFFFFF}", f"{a}.{b}.{c * 256 + d}"),
        *(f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}", f"0{a:03o}.{b}.{c}.{d}", f"{a}.{b}.{c}.0x{d:x}", f"{a}.{b}.{c}.{d}", f"{a}.{b}.{c}.{d}."),
        *(
            f"{a}。{b}。{c}。{d}",
            f"{a}.{b}.{c}.%3{d % 10}",
            f"[::ffff:{a}.{b}.{c}.{d}]",
            f"[64:ff9b::{a}.{b}.{c}.{d}]",
            f"[::{a}.{b}.{c}.{d}]",
        ),
        *(f"{a:03d}.{b:03d}.{c:03d}.{d:03d}", f"{a}.{b}.{c}.{d}..", f"[::ffff:{a}.{b}.{c}.{d}%25eth0]", f"user@{a}.{b}.{c}.{d}"),
    ]


@given(HOUSE, st.integers(0, 65535), st.sampled_from(["http", "https", "HTTP"]), st.sampled_from(["", ":80", ":443"]), st.integers(0, 18))
def test_no_form_of_an_address_in_the_house_is_opened(network: str, low: int, scheme: str, port: str, form: int) -> None:
    host = _forms(IPv4Address(int(IPv4Address(network)) + low))[form]
    with pytest.raises(Refusal):
        destination_of(f"{scheme}://{host}{port}/")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "   ",
            "http://",
            "https:///x",
            "ftp://example.org/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/html,x",
            "gopher://example.org",
        ),
        *(
            "http://localhost/",
            "http://LOCALHOST./",
            "http://router/",
            "http://printer.local/",
            "http://a.internal/",
            "http://x.home.arpa",
            "http://a.onion",
        ),
        *("http://user@example.org/", "http://user:pw@example.org/", "http://example.org@10.0.0.1/", "http://@example.org/"),
        *(
            "http://example.org:22/",
            "http://example.org:8080/",
            "http://example.org:0/",
            "http://example.org:99999/",
            "http://example.org:x/",
        ),
        *("http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::1", "http://::1/", "http://[::1]x/", "http://[v1.x]/"),
        *("http://ex%61mple.org/", "http://127.0.0.1%2f.example.org/", "http://example.org\\@10.0.0.1/", "http://example.org\\.10.0.0.1/"),
        *(
            "http://example..org/",
            "http://-a.example.org/",
            "http://a_b.example.org/",
            "http://exa mple.org/",
            "http://example.org/\r\nHost: x",
        ),
        *("http://example.org/\x00", "http://" + "a" * 64 + ".org/", "https://example.org/" + "a" * MAX_URL_CHARS, "http://①②⑦.⓪.⓪.①/"),
    ],
)
def test_what_could_be_read_in_two_ways_or_leads_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(Refusal):
        destination_of(url)


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("example.org", "https://example.org/"),
        (" https://Example.ORG./a/b?q=1#part ", "https://example.org/a/b?q=1"),
        ("http://example.org:443/", "http://example.org:443/"),
        ("https://bücher.example/straße?q=ä&b=%20", "https://xn--bcher-kva.example/stra%C3%9Fe?q=%C3%A4&b=%20"),
        ("http://8.8.8.8/", "http://8.8.8.8/"),
        ("https://[2606:4700:4700:0:0::1111]/x", "https://[2606:4700:4700::1111]/x"),
    ],
)
def test_a_public_address_is_written_in_one_way(url: str, whole: str) -> None:
    assert destination_of(url).url == whole
    assert destination_of(whole).url == whole


@given(st.text(max_size=60), st.sampled_from(["", "http://", "https://", "//", "http://[", "http://a@", "http://example.org:"]))
def test_whatever_is_given_is_refused_or_means_one_thing(text: str, start: str) -> None:
    try:
        found = destination_of(start + text)
    except Refusal:
        return
    assert destination_of(found.url) == found
    assert found.url.isascii()
    assert not found.is_literal or is_public(found.host)


def test_a_redirect_is_judged_like_a_first_address() -> None:
    here = Destination("https", "example.org", 443, "/a/b")
    assert moved_to(here, "../c?d").url == "https://example.org/c?d"
    assert moved_to(here, "//other.example/x").url == "https://other.example/x"
    for location in (
        "http://example.org/",
        "//127.0.0.1/",
        "http://[::1]/",
        "https://x:y@example.org/",
        "file:///etc/passwd",
        "https://a:22/",
    ):
        with pytest.raises(Refusal):
            moved_to(here, location)


def test_a_name_and_password_are_named_as_the_reason() -> None:
    with pytest.raises(Refusal, match=NO_CREDENTIALS):
        destination_of("https://me:secret@example.org/")
