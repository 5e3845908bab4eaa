"""Labels: which there are, which a mail has, and how they come on it and off it while it stays where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from mcp_servers.errors import Quoting, Refusal, Stale
from mcp_servers.mail import shape
from mcp_servers.mail.fields import listed, placed, removed_of
from mcp_servers.mail.search import asked_for, find, meant_by
from mcp_servers.mail.several import GONE, MOVED_SINCE, Labels, Meant, label_plan, meant, unmoved
from mcp_servers.mail.versions import is_based_on, version_of
from mcp_servers.mailbox.accounts import AccountFailed, LabellingAccount
from mcp_servers.mailbox.message.letters import one_line
from mcp_servers.mailbox.places import INBOX
from mcp_servers.mailbox.store import Indexed, MailStore
from mcp_servers.outside.quoting import clean_line
from mcp_servers.protocol.calls import Call, Handler, Outcome, Plan

T = TypeVar("T")


class Change(NamedTuple):
    """What is asked for, as one account spells it."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    made: tuple[str, ...]
    """Those of the added ones that it does not have yet."""


class Labelling:
    """The tools for labels."""

    def __init__(self, store: MailStore) -> None:
        self._store = store

    def handlers(self) -> dict[str, Handler]:
        return {"list_labels": self.list_labels, "label_mail": self.label_mail}

    def list_labels(self, call: Call) -> Outcome:
        if call.text("mail"):
            mail, _ = find(self._store, call.text("mail"))
            return self._shown(call, mail, self._has(mail))
        found: dict[str, list[str]] = {}
        names: list[str] = []
        problems: list[str] = []
        for account in self._store.named(call.text("account")):
            try:
                own = account.labels(INBOX) if isinstance(account, LabellingAccount) else ()
                found[account.name] = list(map(clean_line, own))
                names += own
            except AccountFailed as error:
                problems.append(str(error))
        text = "\n".join(f"{account}: {', '.join(labels)}" for account, labels in found.items()) or "No labels found"
        fields = {"labels": found, "problems": problems, "removed": removed_of((), named=names), "untrusted": True}
        return Outcome(shape.with_problems(text, tuple(problems)), fields)

    def label_mail(self, call: Call) -> Plan:
        said = asked_for(call)
        if call.arguments.get("mails"):
            return self._several(call, unmoved(call, meant(self._store, call, said)))
        before = call.host_text("version")
        mail, _ = find(self._store, said[0], is_prepared=bool(before))
        if before and not is_based_on(before, mail):
            raise Stale(MOVED_SINCE)
        account = self._account(mail)
        added, removed, made = self._change(call, account, mail.folder)
        arguments = {"mail": f"m{mail.number}", **_given("add", added), **_given("remove", removed), **({"new": True} if made else {})}

        def execute() -> Outcome:
            _asked(lambda: account.relabel(mail.key, added, removed))
            return self._shown(call, mail, self._has(mail))

        shown = listed(mail, call.now)
        parts = (("Add", added), ("Remove", removed), ("New label", made))
        lines = (("Mail", shape.mail_line(shown)), *((what, ", ".join(map(clean_line, names))) for what, names in parts))
        changes = " and ".join([*([_said("put on", added)] if added else []), *([_said("take off", removed)] if removed else [])])
        summary = f"Labels of {shown.id}: {changes}. {shown.subject}, from {shown.sender.shown_name}"
        return Plan(arguments, summary, tuple(line for line in lines if line[1]), execute, host={"version": version_of(mail)})

    def _several(self, call: Call, mails: Meant) -> Plan:
        changes: dict[tuple[str, tuple[str, ...], tuple[str, ...]], Labels] = {}
        known: dict[tuple[str, str], Change] = {}
        for mail in mails.mails:
            account, place = self._account(mail), (mail.account, mail.folder)
            known[place] = change = known.get(place) or self._change(call, account, mail.folder)
            same = (mail.account, change.added, change.removed)
            changes.setdefault(same, Labels(account, change.added, change.removed)).mails.append(mail)
        if not changes:
            raise Stale(next(iter(mails.problems.values()), GONE))
        return label_plan(call, mails, tuple(changes.values()), tuple(dict.fromkeys(name for one in known.values() for name in one.made)))

    def _change(self, call: Call, account: LabellingAccount, folder: str) -> Change:
        known = _asked(lambda: account.labels(folder))
        removed = _named(call.arguments.get("remove", ()), known, is_new=False)
        added = _named(call.arguments.get("add", ()), known, is_new=bool(call.arguments.get("new")))
        if not added and not removed:
            raise Refusal("Nothing to change. Say which labels to add or to remove.")
        if both := {*added} & {*removed}:
            raise Refusal(f"A label cannot be both added and removed: {', '.join(sorted(both))}. Say which of the two.")
        return Change(added, removed, tuple(name for name in added if name not in known))

    def _has(self, mail: Indexed) -> tuple[str, ...]:
        account = self._account(mail)
        labels = _asked(lambda: account.labels_of(mail.key))
        if labels is None:
            raise Refusal(GONE)
        return labels

    def _shown(self, call: Call, mail: Indexed, labels: Sequence[str]) -> Outcome:
        names = [clean_line(name) for name in labels]
        fields = {**placed(mail, call.now), "unread": "unread" in names, "labels": names}
        removed = removed_of([mail], named=labels)
        return Outcome(shape.labelled_text(listed(mail, call.now), names), {"mail": fields, "removed": removed, "untrusted": True})

    def _account(self, mail: Indexed) -> LabellingAccount:
        [account] = self._store.named(mail.account)
        if not isinstance(account, LabellingAccount):
            raise Refusal(f"The mails of {account.name} can have no labels. Move them to a folder with move_mail.")
        return account


def _asked(question: Callable[[], T]) -> T:
    try:
        return question()
    except AccountFailed as error:
        raise error.refusal() from error


def _named(said: Iterable[str], known: Sequence[str], *, is_new: bool) -> tuple[str, ...]:
    """The labels that are meant, as their account spells them.

    Raises:
        Refusal: one is not there, and none was to be made.
    """
    found: dict[str, None] = {}
    for text in said:
        name = one_line(text, "label").strip()
        label = meant_by(name, known)
        if not name or label is None and not is_new:
            raise Quoting(
                f'There is no label "{name}". There are {", ".join(map(clean_line, known))}. Name one of them, or give new to make it.'
            )
        found[label or name] = None
    return tuple(found)


def _given(name: str, labels: Sequence[str]) -> dict[str, list[str]]:
    return {name: list(labels)} if labels else {}


def _said(what: str, labels: Sequence[str]) -> str:
    return f"{what} {', '.join(map(clean_line, labels))}"
