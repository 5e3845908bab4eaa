"""Who a line of an invitation is about: the address by which a person writes to them.

Pure. Apple's programs and some servers name guests by a principal's path, a urn or an address of their own relay, and
tell the person's address beside it (`EMAIL=`, RFC 7986, 6.2).
"""

from __future__ import annotations

import re
from typing import Any

from mcp_servers.outside.quoting import clean_line

_MAILTO = "mailto:"
_RELAYED = re.compile(r"mailto:[^\s@,;?%]+@imip\.me\.com", re.IGNORECASE)
"""At Apple's relay, which passes mails on to the address of who is invited. Of any other, the one that mails go to is shown."""
_PLAIN = re.compile(r"[^\s@:/]+@[^\s@:/]+")
"""As some programs write it, without `mailto:`; there are servers that take it for one."""


def is_mail_address(text: str) -> bool:
    """Whether it is an address that people know each other by."""
    return bool(_PLAIN.fullmatch(text)) or text.lower().startswith(_MAILTO) and not _RELAYED.fullmatch(text)


def plain_address(text: str) -> str:
    return text[len(_MAILTO) :] if text.lower().startswith(_MAILTO) else text


def alias_of(text: str) -> str:
    """The form in which two names of one person are the same."""
    return text.strip().rstrip("/").lower()


def address_of(person: Any) -> str:
    """Of an ATTENDEE or ORGANIZER; what the line itself says where it tells no address."""
    text = clean_line(str(person))
    return plain_address(text) if is_mail_address(text) else told_beside(person) or plain_address(text)


def told_beside(person: Any) -> str:
    told = getattr(person, "params", {}).get("EMAIL", "")
    told = plain_address(clean_line(told)) if isinstance(told, str) else ""
    return told if "@" in told else ""


def doubt(organizer: Any, aliases: frozenset[str], mine: frozenset[str]) -> None:
    """Takes one's own address from an ORGANIZER that the server calls by no name of one's own.

    Anybody can write it there, and who is taken for the person is not counted among those who are told. The rest is as of `tell_address`.
    """
    text = clean_line(str(organizer))
    if not is_mail_address(text) and alias_of(text) not in aliases and told_beside(organizer).lower() in mine:
        organizer.params.pop("EMAIL")


def tell_address(person: Any, aliases: frozenset[str], mine: frozenset[str]) -> None:
    """Writes one's own address beside a line that names one by another name, unless it is there.

    Args:
        person: an ATTENDEE or ORGANIZER.
        aliases: what else one is called there, each as of `alias_of`.
        mine: one's own addresses, in lower case.
    """
    if mine and alias_of(str(person)) in aliases and address_of(person).lower() not in mine:
        person.params["EMAIL"] = min(mine)
