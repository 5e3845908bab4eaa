"""Whom a person means by a name: the addresses to write to.

Pure. An address stands for itself; a name stands for someone who has written before. The decision tree, for each
of the names between commas, semicolons and `and`:
1. `Anna <anna@example.org>` and `anna@example.org` are that address;
2. a name that is somebody's whole name is that person, else everyone whose name or address holds its words;
3. nobody, or more than one person: a sentence that says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mcp_servers.errors import Quoting, Refusal
from mcp_servers.mailbox.message.letters import Person, is_address, no_address_text, one_line, people_in, several_addresses_text
from mcp_servers.wording import holds, words_of

MAX_RECIPIENTS = 20
_ONE = re.compile(r'(?:"[^"]*"|[^,;])+')
"""Up to the next comma or semicolon; one within quotation marks is part of a name."""


def recipients(to: str, known: tuple[Person, ...]) -> tuple[str, ...]:
    """The addresses that `to` means.

    Args:
        to: as the person said it.
        known: who has written before, the newest first.

    Raises:
        Refusal: somebody is unknown, or could be several people.
    """
    line = one_line(to, "recipient")
    names = [name.strip() for name in _ONE.findall(line) if name.strip()]
    found = [address for name in names for address in _of_one(name, known)]
    if not found:
        raise Refusal(no_address_text(line))
    if len(found) > MAX_RECIPIENTS:
        raise Refusal(f"{len(found)} recipients are more than {MAX_RECIPIENTS}. Name fewer.")
    return tuple(dict.fromkeys(found))


def distinct(people: Iterable[Person]) -> tuple[Person, ...]:
    """Each address once, under the first name that comes with it."""
    found: dict[str, Person] = {}
    for person in people:
        key = person.address.lower()
        if key not in found or (not found[key].name and person.name):
            found[key] = person
    return tuple(found.values())


def _of_one(name: str, known: tuple[Person, ...]) -> tuple[str, ...]:
    if is_address(name):  # 1.
        return (name,)
    if "<" in name:
        written = people_in(name)
        if len(written) == 1 and is_address(written[0].address):
            return (written[0].address,)
        raise Refusal(no_address_text(name))
    if domain := _in_ascii(name):
        raise Refusal(f'"{name}" has letters beyond ASCII behind its @. Give the address with {domain}, if that is meant.')
    people = _named(name, known)  # 2.
    if not people and re.search(r"\band\b", name):
        return tuple(address for part in re.split(r"\band\b", name) if part.strip() for address in _of_one(part.strip(), known))
    if not people or "@" in name:  # 3.
        raise Refusal(no_address_text(name))
    if len(people) > 1:
        raise Quoting(several_addresses_text(name, people))
    return tuple(person.address for person in people)


def _in_ascii(name: str) -> str:
    """The domain of an address as mail servers write it, where it has letters beyond ASCII; else nothing. Some look like others."""
    local, _, domain = name.rpartition("@")
    try:
        written = "" if not local or domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        return ""
    return written if is_address(f"{local}@{written}") else ""


def _named(name: str, known: tuple[Person, ...]) -> tuple[Person, ...]:
    wanted = words_of(name)
    if not wanted:
        return ()
    whole = tuple(person for person in known if words_of(person.name) == wanted)
    return whole or tuple(person for person in known if holds(f"{person.name} {person.address}", wanted))
