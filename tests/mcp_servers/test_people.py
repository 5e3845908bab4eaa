"""A name becomes the address of the person who is meant, or a sentence."""

from __future__ import annotations

import pytest

from mcp_servers.errors import Refusal
from mcp_servers.mailbox.message.letters import Person
from mcp_servers.mailbox.people import distinct, recipients

KNOWN = (
    Person("Anna Keller", "anna@example.org"),
    Person("Anna Brandt", "brandt@example.org"),
    Person("Bruno M\u00fcller", "bm@example.org"),
    Person("", "zoe@example.org"),
)


@pytest.mark.parametrize(
    ("said", "addresses"),
    [
        ("Anna Keller", ["anna@example.org"]),
        ("bruno", ["bm@example.org"]),
        ("muller", ["bm@example.org"]),
        ("zoe", ["zoe@example.org"]),
        ("new@example.net", ["new@example.net"]),
        ("New One <new@example.net>", ["new@example.net"]),
        ("Bruno and Zoe", ["bm@example.org", "zoe@example.org"]),
        ("bruno, zoe; bruno", ["bm@example.org", "zoe@example.org"]),
    ],
)
def test_a_recipient_is_an_address_or_someone_known(said: str, addresses: list[str]) -> None:
    assert list(recipients(said, KNOWN)) == addresses


@pytest.mark.parametrize("said", ["Bob", "bob@", "@example.org", "<>", "Bob <bob>", "Anna <not an address>", "bruno and Bob", ",", "the"])
def test_nobody_known_is_said(said: str) -> None:
    with pytest.raises(Refusal, match="No address is known for"):
        recipients(said, KNOWN)


def test_two_of_the_same_name_are_named() -> None:
    with pytest.raises(Refusal) as refused:
        recipients("anna", KNOWN)
    assert str(refused.value) == ('2 people match "anna": Anna Keller <anna@example.org>; Anna Brandt <brandt@example.org>. Say which one.')


def test_too_many_recipients_are_refused() -> None:
    with pytest.raises(Refusal, match="21 recipients are more than 20"):
        recipients(",".join(f"a{number}@example.org" for number in range(21)), KNOWN)


def test_an_address_is_one_person_under_the_first_name_that_comes_with_it() -> None:
    seen = [Person("", "A@example.org"), Person("Anna", "a@example.org"), Person("A. Keller", "a@example.org")]
    assert distinct(seen) == (Person("Anna", "a@example.org"),)


def test_a_comma_within_quotation_marks_is_part_of_a_name_and_adds_nobody() -> None:
    known = (Person("Anna Keller", "anna@example.org"), Person("Bruno Rossi", "bruno@example.org"))
    assert recipients('"Keller, Anna" <other@example.org>; bruno', known) == ("other@example.org", "bruno@example.org")
    assert recipients('"bruno", anna', known) == ("bruno@example.org", "anna@example.org")


def test_a_domain_beyond_ascii_is_shown_as_mail_servers_write_it() -> None:
    with pytest.raises(Refusal) as refused:
        recipients("bob@ex\u0430mple.org", ())
    assert str(refused.value) == (
        '"bob@ex\u0430mple.org" has letters beyond ASCII behind its @. Give the address with xn--exmple-4nf.org, if that is meant.'
    )
    with pytest.raises(Refusal, match="No address is known"):
        recipients("bob@\u0430.." + "x" * 80, ())
