"""Which mails are meant: those that a search names, and the one that a person's words name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from mcp_servers.errors import Quoting, Refusal
from mcp_servers.mail import shape
from mcp_servers.mailbox.message.mime import Parsed
from mcp_servers.mailbox.places import ROLES, Wanted
from mcp_servers.mailbox.store import Indexed, MailStore
from mcp_servers.outside.quoting import clean_line
from mcp_servers.protocol.calls import Call
from mcp_servers.when import resolve
from mcp_servers.wording import ALL, EMPTY_WORDS, holds, holds_signs, signs_in, words_of

_MAIL_WORDS = frozenset("mail mails email emails message messages letter newest latest last recent new one".split())
"""Words for mails in general: without any other, the newest is meant."""
_ID = re.compile(r"#?m?([0-9]{1,12})")
MAX_NAMED = 100
"""Gmail lets a person look at 300 mails in a minute, and each is looked at before and after a change."""


def wanted_by(call: Call) -> Wanted | None:
    """What a search wants, for accounts whose servers search; None where it wants the newest of all."""
    period = resolve(call.text("when"), call.now, "back").span if call.text("when") else None
    wanted = Wanted(call.text("sender"), call.text("query"), period, bool(call.arguments.get("unread")))
    return wanted if wanted != Wanted() else None


def filtered(store: MailStore, mails: Iterable[Indexed], call: Call) -> list[Indexed]:
    """Those that `sender`, `query`, `when` and `unread` of the call leave; a server that found words has them in more than we see."""
    found = list(mails)
    for name, looked_at in (("sender", sender_words), ("query", subject_words)):
        # Its server was asked for no word either: that it brought a mail says nothing.
        if call.text(name) != ALL and (signs := signs_in(call.text(name))):
            found = [mail for mail in found if holds_signs(looked_at(mail), signs)]
    if sender := significant(call.text("sender")):
        found = narrowed(found, sender, sender_words)
    if query := significant(call.text("query")):
        found = store.holding(found, query)
    if call.text("when"):
        period = resolve(call.text("when"), call.now, "back").span
        found = [mail for mail in found if period.start <= mail.sent_at < period.end]
    if call.arguments.get("unread"):  # false asks for nothing: it is how a model says that it does not matter
        found = [mail for mail in found if mail.is_unread]
    return found


def find(store: MailStore, said: str, *, is_prepared: bool = False) -> tuple[Indexed, Parsed]:
    """The mail with that id, wherever it is; for words the newest in the inbox whose sender or subject holds them.

    Args:
        store: whose.
        said: an id or words.
        is_prepared: it was shown and approved by its id, so words mean nothing.

    Raises:
        Refusal: there is none.
    """
    number = _number(said)
    # A mail that is known is read without a look at all the others, of which many may be new.
    if number and (known := store.mail(number)) is not None and (parsed := store.read(known)) is not None:
        return known, parsed
    mails = store.mails()
    by_id = [mail for mail in mails if mail.number == number] if number else []
    for mail in by_id or _meant(mails, said, is_prepared=is_prepared):
        parsed = store.read(mail)
        if parsed is not None:
            return mail, parsed
    # Where not everything was looked at, that there is none is not known.
    missing = (*store.problems, *store.left_out)
    # In a problem stand the server's own words.
    raise (Quoting if missing else Refusal)(" ".join([shape.no_mail_text(_shown(said)), *missing]))


def asked_for(call: Call) -> tuple[str, ...]:
    """What the call names mails by: `mail`, `mails` or both, each once.

    Raises:
        Refusal: none, an empty name, or too many.
    """
    said = tuple(dict.fromkeys((*([call.text("mail")] if call.text("mail") else ()), *call.arguments.get("mails", ()))))
    if not said:
        raise Refusal('Which mail is meant is missing. Give "mail", or "mails" for several.')
    if not all(text.strip() for text in said):
        raise Refusal("One of the mails has an empty name. Name each by its id, such as m12.")
    if len(said) > MAX_NAMED:
        raise Refusal(f"{len(said)} mails are more than the {MAX_NAMED} of one call. Name fewer, and the others in another call.")
    return said


class Named(NamedTuple):
    """Which mails several names mean."""

    mails: tuple[Indexed, ...]
    """Each once."""
    missing: tuple[str, ...]
    """Of the names, those that mean none."""


def named(store: MailStore, said: Iterable[str], *, is_prepared: bool = False) -> Named:
    """The same as `find` for several; each account is asked once for all of them, and no mail is read.

    Raises:
        Refusal: an account that has one of them gives no answer.
    """
    numbers = {text: _number(text) for text in said}
    known = store.known([number for number in dict.fromkeys(numbers.values()) if number])
    inbox = () if all(number in known for number in numbers.values()) else store.mails()
    known |= {mail.number: mail for mail in inbox}
    found: dict[int, Indexed] = {}
    missing: list[str] = []
    for text, number in numbers.items():
        mail = known.get(number) or next(iter(_meant(inbox, text, is_prepared=is_prepared)), None)
        if mail is None:
            missing.append(_shown(text))
        else:
            found[mail.number] = mail
    return Named(tuple(found.values()), tuple(missing))


def meant_by(said: str, known: Sequence[str]) -> str | None:
    """The folder or label that a person names, as its account spells it: by its name, else whatever its case, else as it is shown."""
    looks: tuple[Callable[[str], str], ...] = (str, str.lower, lambda name: clean_line(name).lower())
    for look in looks:
        if found := [name for name in known if look(name) == look(said)]:
            # Two that look the same once what hides is taken out: nobody knows which is meant.
            return found[0] if len(found) == 1 or look is not looks[-1] else None
    return None


def no_folder(said: str, known: Iterable[str]) -> Quoting:
    """The refusal where no account has a folder of that name."""
    return Quoting(f'There is no folder "{clean_line(said)}". There are {", ".join(map(clean_line, known))}. Name one of them.')


def folders_meant(store: MailStore, said: str, account: str) -> tuple[str, ...]:
    """The folders that a person names, as the accounts that have them spell them.

    Args:
        store: whose.
        said: the name; roles have theirs in every account, and are not asked for.
        account: absent for all.

    Raises:
        Refusal: there is none.
    """
    if role := meant_by(said, ROLES):
        return (role,)
    known = tuple(dict.fromkeys(folder for _, folder in store.folders(account)))
    found = tuple(folder for folder in known if folder.lower() == said.lower()) or tuple(filter(None, (meant_by(said, known),)))
    if not found and not store.problems:
        raise no_folder(said, known)
    # Where an account gave no answer it may have such a folder: the answer names it.
    return found or (said,)


def _number(said: str) -> int:
    """Of an id such as `m12` or `#12`; 0 of words."""
    match = _ID.fullmatch(said.strip().lower())
    return int(match[1]) if match else 0


def _meant(mails: Iterable[Indexed], said: str, *, is_prepared: bool) -> list[Indexed]:
    """By words alone. An id whose mail is gone is no word: a stranger's subject may hold it. A bare number may be one."""
    if is_prepared or _number(said) and not said.strip().isdecimal():
        return []
    if signs := signs_in(said, EMPTY_WORDS | _MAIL_WORDS):
        return [mail for mail in mails if holds_signs(subject_words(mail), signs)]
    specific = tuple(word for word in significant(said) if word not in _MAIL_WORDS)
    return narrowed(mails, specific, subject_words)


def _shown(said: str) -> str:
    return clean_line(said).replace('"', "")


def significant(text: str) -> tuple[str, ...]:
    return tuple(word for word in words_of(text) if word not in EMPTY_WORDS)


def narrowed(mails: Iterable[Indexed], wanted: tuple[str, ...], words: Callable[[Indexed], str]) -> list[Indexed]:
    """Those whose words hold all that are wanted; where none does, those that do with one slip of the pen forgiven."""
    listed = list(mails)
    return [mail for mail in listed if mail.is_found or holds(words(mail), wanted)] or [
        mail for mail in listed if holds(words(mail), wanted, is_forgiving=True)
    ]


def sender_words(mail: Indexed) -> str:
    return f"{mail.sender.name} {mail.sender.address}"


def subject_words(mail: Indexed) -> str:
    return f"{mail.subject} {sender_words(mail)}"
