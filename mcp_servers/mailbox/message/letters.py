"""What a letter is before it is a mail: people, subjects, and the line that echoes it.

Pure. Both the mail server (drafts) and the outbox (sending) speak of letters in these words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import getaddresses

from mcp_servers.errors import Refusal
from mcp_servers.outside.quoting import clean_line, shortened

NO_SUBJECT = "(no subject)"
MAX_ECHO_CHARS = 200
"""How much of a body a result repeats; the structured result has all of it."""
_MAX_SUBJECT_CHARS = 48
_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\"\\]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)*")
_MAILBOX = re.compile(r'(?:[^\s@<>()\[\],;:"\\]{1,64}|"[^\x00-\x1f\x7f"\\]{1,64}")@(?:[^\s@<>()\[\],;:"\\]{1,255}|\[[0-9A-Za-z.:]{1,60}\])')


@dataclass(frozen=True)
class Person:
    """Someone who writes or is written to."""

    name: str
    address: str

    @property
    def shown_name(self) -> str:
        return self.name or self.address

    @property
    def full(self) -> str:
        """`Anna Keller <anna@example.org>`."""
        return f"{self.name} <{self.address}>" if self.name else self.address


@dataclass(frozen=True)
class Letter:
    """A mail to be written. `to` and `cc` are plain addresses."""

    to: tuple[str, ...]
    subject: str
    body: str
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()

    @property
    def everyone(self) -> tuple[str, ...]:
        """Whoever gets it, each once."""
        return tuple(dict.fromkeys((*self.to, *self.cc)))


def is_address(text: str) -> bool:
    return _ADDRESS.fullmatch(text) is not None


def is_mailbox(text: str) -> bool:
    """Whether it can be one address and not two: what other programs write to is more than what is asked of a person's words."""
    return _MAILBOX.fullmatch(text) is not None


def people_in(header: str) -> tuple[Person, ...]:
    """The people of an address header, cleaned; what is not an address is left out."""
    pairs = getaddresses([header])
    return tuple(Person(clean_line(name), clean_line(address)) for name, address in pairs if address)


def default_subject(body: str) -> str:
    """A subject for a letter that was given none: how its first line begins."""
    lines = [line.strip() for line in body.splitlines() if line.strip()]
    first = clean_line(lines[0]) if lines else ""
    sentence = re.split(r"(?<=[.!?])\s", first, maxsplit=1)[0].rstrip(".!,;: ")
    return shortened(sentence, _MAX_SUBJECT_CHARS) or NO_SUBJECT


def reply_subject(subject: str) -> str:
    """`Re: ` once, however long the exchange."""
    bare = re.sub(r"^(?:\s*re\s*:\s*)+", "", subject, flags=re.IGNORECASE).strip()
    return f"Re: {bare or NO_SUBJECT}"


def letter_text(to: tuple[str, ...], subject: str, body: str) -> str:
    """`to anna@example.org, subject "Re: Budget": I agree.`, the tail of every echo."""
    return f'to {", ".join(to)}, subject "{subject}": {shortened(clean_line(body), MAX_ECHO_CHARS)}'


def one_line(text: str, what: str) -> str:
    """A header's text; a line break in it would begin another header.

    Raises:
        Refusal: it has one.
    """
    if any(character in text for character in "\r\n\0\x0b\x0c\x85\u2028\u2029"):
        raise Refusal(f"The {what} must be one line. Leave out the line breaks.")
    return clean_line(text)


def no_address_text(name: str) -> str:
    """The error when nobody of that name has written."""
    return f'No address is known for "{name}". Give an address.'


def several_addresses_text(name: str, people: tuple[Person, ...]) -> str:
    """The error when the name fits more than one person."""
    return f'{len(people)} people match "{name}": {"; ".join(person.full for person in people)}. Say which one.'


def no_draft_text(draft: str) -> str:
    """The error when no draft has that id."""
    return f'No draft matches "{draft}".'
