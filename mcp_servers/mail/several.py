"""Several mails filed or labelled in one call: one plan that names them all, and what came of each.

What was approved is done as far as it still can be: a mail that is gone, or that somebody has moved since, is said to be left as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import cast

from mcp_servers.errors import Quoting, Refusal, Stale
from mcp_servers.mail import shape
from mcp_servers.mail.fields import account_shown, listed, placed, removed_of
from mcp_servers.mail.search import named
from mcp_servers.mail.versions import is_based_on, version_of
from mcp_servers.mailbox.accounts import LabellingAccount
from mcp_servers.mailbox.moving import relabel_all
from mcp_servers.mailbox.places import UNREAD
from mcp_servers.mailbox.store import Indexed, MailStore
from mcp_servers.outside.quoting import clean_line, count_text
from mcp_servers.protocol.calls import Call, Outcome, Plan

MOVED_SINCE = "The mail has been moved since. Look again."
GONE = "The mail is gone. Look again."
_NOWHERE: Mapping[int, str] = MappingProxyType({})
Problems = dict[str, str]
"""Why a mail stays as it is, by its id."""


@dataclass(frozen=True)
class Labels:
    """The change of labels of one account's mails."""

    account: LabellingAccount
    added: tuple[str, ...]
    removed: tuple[str, ...]
    mails: list[Indexed] = field(default_factory=list[Indexed])


@dataclass(frozen=True)
class Meant:
    """The mails that a call names, and why some of them are left as they are."""

    mails: tuple[Indexed, ...]
    problems: Problems

    @property
    def ids(self) -> list[str]:
        return [f"m{mail.number}" for mail in self.mails]

    def version(self, targets: Mapping[int, str] = _NOWHERE) -> str:
        """What the host hands back: which each was, where it was, and where it goes."""
        based = {f"m{mail.number}": version_of(mail, targets.get(mail.number, "")) for mail in self.mails}
        return json.dumps(based, ensure_ascii=False, sort_keys=True)


def meant(store: MailStore, call: Call, said: Sequence[str]) -> Meant:
    """The mails of a call that names several.

    Raises:
        Refusal: one of them is not there, and none was approved yet.
        Stale: another one was approved.
    """
    before, is_prepared = _based_on(call), bool(call.host_text("version"))
    found = named(store, said, is_prepared=is_prepared)
    if found.missing and not is_prepared:
        names = ", ".join(f'"{name}"' for name in found.missing)
        missing = (*store.problems, *store.left_out)
        raise (Quoting if missing else Refusal)(
            " ".join([f"No mail matches {names}. Nothing was changed. Name the others without it.", *missing])
        )
    if is_prepared and any(f"m{mail.number}" not in before for mail in found.mails):
        raise Stale(MOVED_SINCE)
    return Meant(found.mails, dict.fromkeys(found.missing, GONE))


def file_plan(store: MailStore, call: Call, mails: Meant, target_of: Callable[[Indexed], str], arguments: Mapping[str, str]) -> Plan:
    """Put mails into other folders.

    Args:
        store: whose.
        call: as it came.
        mails: those that it names.
        target_of: the folder of each; raises `Refusal` where it can go nowhere.
        arguments: of the call, besides the mails.
    """
    before = _based_on(call)
    problems, targets = dict(mails.problems), dict[int, str]()
    for mail in mails.mails:
        name = f"m{mail.number}"
        try:
            target = target_of(mail)
        except Refusal as refusal:
            if not before:
                raise
            problems[name] = str(refusal)
            continue
        if before and not is_based_on(before.get(name, ""), mail, target):
            problems[name] = MOVED_SINCE
        else:
            targets[mail.number] = target
    going = [mail for mail in mails.mails if mail.number in targets]

    def execute() -> Outcome:
        moved: dict[int, Indexed | str] = {mail.number: mail for mail in going if mail.folder == targets[mail.number]}
        for folder in dict.fromkeys(targets.values()):
            leaving = [mail for mail in going if targets[mail.number] == folder and mail.folder != folder]
            moved |= store.move_all(leaving, folder) if leaving else {}
        done = [one for mail in going if not isinstance(one := moved[mail.number], str)]
        failed = problems | {f"m{number}": one for number, one in moved.items() if isinstance(one, str)}
        lines = [shape.moved_text(listed(one, call.now), one.folder, account_shown(one)) for one in done]
        return _outcome(call, "moved", lines, done, failed)

    shown: list[tuple[str, str]] = []
    for source, target in dict.fromkeys((_shown(mail, mail.folder), _shown(mail, targets[mail.number])) for mail in going):
        here = [mail for mail in going if (_shown(mail, mail.folder), _shown(mail, targets[mail.number])) == (source, target)]
        shown += [*(("Mail", shape.mail_line(listed(mail, call.now))) for mail in here), ("From", source), ("To", target)]
    to = ", ".join(dict.fromkeys(_shown(mail, targets[mail.number]) for mail in going))
    summary = f"Move {count_text(len(going), 'mail')} to {to}: {', '.join(f'm{mail.number}' for mail in going)}"
    return Plan({"mails": mails.ids, **arguments}, summary, tuple(shown), execute, host={"version": mails.version(targets)})


def unmoved(call: Call, mails: Meant) -> Meant:
    """Without those that are not where they were, or not what they were, when the call was prepared."""
    before = _based_on(call)
    moved = {f"m{mail.number}" for mail in mails.mails if before and not is_based_on(before.get(f"m{mail.number}", ""), mail)}
    left = tuple(mail for mail in mails.mails if f"m{mail.number}" not in moved)
    return Meant(left, mails.problems | dict.fromkeys(sorted(moved), MOVED_SINCE))


def label_plan(call: Call, mails: Meant, changes: Sequence[Labels], made: Sequence[str]) -> Plan:
    """Change the labels of mails.

    Args:
        call: as it came.
        mails: those that it names.
        changes: for each account what is changed, of which mails.
        made: labels that are new.
    """
    first = changes[0]
    parts = (("put on", first.added), ("take off", first.removed))
    what = " and ".join(f"{verb} {', '.join(map(clean_line, names))}" for verb, names in parts if names)

    def execute() -> Outcome:
        failed, done = dict(mails.problems), list[Indexed]()
        for change in changes:
            told = relabel_all(change.account, [mail.key for mail in change.mails], change.added, change.removed)
            failed |= {f"m{mail.number}": told[mail.key].problem for mail in change.mails if told[mail.key].problem}
            done += [_marked(mail, change) for mail in change.mails if not told[mail.key].problem]
        lines = [f"Labels of {shape.named_text(listed(one, call.now))}: {what}" for one in done]
        return _outcome(call, "labelled", lines, done, failed)

    shown = [*(("Mail", shape.mail_line(listed(mail, call.now))) for mail in mails.mails)]
    shown += [(label, ", ".join(map(clean_line, names))) for label, names in (("Add", first.added), ("Remove", first.removed)) if names]
    shown += [("New label", ", ".join(map(clean_line, made)))] if made else []
    named_labels = {name: list(labels) for name, labels in (("add", first.added), ("remove", first.removed)) if labels}
    arguments = {"mails": mails.ids, **named_labels, **({"new": True} if made else {})}
    summary = f"Labels of {count_text(len(mails.mails), 'mail')}, {', '.join(mails.ids)}: {what}"
    return Plan(arguments, summary, tuple(shown), execute, host={"version": mails.version()})


def _outcome(call: Call, what: str, lines: Sequence[str], done: Sequence[Indexed], failed: Problems) -> Outcome:
    """Raises:
    Quoting: nothing was done; the sentence says why, of each.
    """
    left = [f"{name} not {what}: {why}" for name, why in failed.items()]
    if not done:
        raise Quoting("\n".join([f"No mail was {what}.", *left]))
    every = len(done) + len(failed)
    head = f"{count_text(every, 'mail')} {what}" if not failed else f"{len(done)} of {every} mails {what}"
    fields = {
        "mails": [placed(one, call.now) for one in done],
        "failed": [{"mail": name, "why": why} for name, why in failed.items()],
        "removed": removed_of(done),
        "untrusted": True,
    }
    return Outcome("\n".join([head, *lines, *left]), fields)


def _based_on(call: Call) -> dict[str, str]:
    """Where each mail was when the call was prepared; empty where it was not.

    Raises:
        Stale: what was prepared was another call.
    """
    try:
        told: object = json.loads(call.host_text("version") or "{}")
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise Stale(MOVED_SINCE)
    return {str(name): str(place) for name, place in cast("dict[object, object]", told).items()}


def _marked(mail: Indexed, change: Labels) -> Indexed:
    return replace(mail, is_unread=UNREAD in change.added or mail.is_unread and UNREAD not in change.removed)


def _shown(mail: Indexed, folder: str) -> str:
    account = account_shown(mail)
    return clean_line(f"{folder} of {account}" if account else folder)
