"""Mails page by page and conversation by conversation, over all accounts and folders, so that nothing is left out without a word."""

from __future__ import annotations

import secrets
from typing import Any

from mcp_servers.errors import Refusal
from mcp_servers.mail import shape
from mcp_servers.mail.fields import listed, placed, quote, removed_of, whole, whole_fields
from mcp_servers.mail.model import Mail
from mcp_servers.mail.search import filtered, find, folders_meant, wanted_by
from mcp_servers.mail.threads import WRONG_CURSOR, Place, page_of, place_of, threads_of, without_copies
from mcp_servers.mailbox.message.links import links_of
from mcp_servers.mailbox.message.mime import parse
from mcp_servers.mailbox.places import ARCHIVE, INBOX, SENT
from mcp_servers.mailbox.store import Indexed, MailStore
from mcp_servers.outside.quotes import TOKEN_BYTES, part
from mcp_servers.outside.quoting import count_text
from mcp_servers.protocol.calls import Call, Handler, Outcome

THREAD_FOLDERS = (INBOX, ARCHIVE, SENT)
"""Where the mails of a conversation are."""
BUDGET_CHARS = 8000
"""Of a conversation or a mail in one answer; the cursor shows the rest."""
LEAST_CHARS = 200
"""As what a mail of a conversation counts at least: what stands around it is as long."""


class Conversations:
    """The tools that find and read more than one mail."""

    def __init__(self, store: MailStore) -> None:
        self._store = store

    def handlers(self) -> dict[str, Handler]:
        return {
            "find_mails": self.find_mails,
            "list_threads": self.list_threads,
            "read_message": self.read_message,
            "read_thread": self.read_thread,
        }

    def find_mails(self, call: Call) -> Outcome:
        mails = filtered(self._store, self._mails(call, self._folders(call) or (INBOX,)), call)
        page = page_of(mails, mails, call.text("cursor"))
        lines = [shape.mail_line(listed(mail, call.now)) for mail in page.items]
        found = {"mails": [placed(mail, call.now) for mail in page.items], "removed": removed_of(page.items)}
        return self._outcome(lines, "mail", found, left=page.left, cursor=page.cursor)

    def list_threads(self, call: Call) -> Outcome:
        folders = self._folders(call)
        wanted = {mail.number: mail for mail in filtered(self._store, self._mails(call, folders or THREAD_FOLDERS), call)}
        problems, left_out = self._store.problems, self._store.left_out
        wide = dict.fromkeys((*THREAD_FOLDERS, *folders))
        others = {mail.number: mail for mail in self._store.mails(*wide, account=call.text("account"))}
        threads = threads_of(without_copies({**wanted, **others}.values(), but=wanted))
        self._store.problems = tuple(dict.fromkeys((*problems, *self._store.problems)))
        self._store.left_out = tuple(dict.fromkeys((*left_out, *self._store.left_out)))
        held = [thread for thread in threads if any(mail.number in wanted for mail in thread)]
        page = page_of(held, [thread[0] for thread in held], call.text("cursor"))
        lines = [shape.thread_line([listed(mail, call.now) for mail in thread]) for thread in page.items]
        removed = removed_of(mail for thread in page.items for mail in thread)
        found = {"threads": [[placed(mail, call.now) for mail in thread] for thread in page.items], "removed": removed}
        return self._outcome(lines, "thread", found, left=page.left, cursor=page.cursor)

    def read_message(self, call: Call) -> Outcome:
        mail, parsed = find(self._store, call.text("mail"))
        place = place_of(call.text("cursor")) or Place(mail.number, 0)
        if place.number != mail.number:
            raise Refusal(f"This cursor is of m{place.number}, and the mail is m{mail.number}. Name m{place.number}, or ask without it.")
        shown = whole(mail, parsed, call.now)
        quoted = quote(shown, parsed, call.now, () if parsed.is_plain else links_of(self._store.content(mail) or b""))
        piece = part(quoted, place.offset, place.offset + BUDGET_CHARS)
        if place.offset and not piece.text:
            raise Refusal(WRONG_CURSOR)
        end = place.offset + len(piece.text)
        left = max(0, len(quoted.text) - end)
        cursor = cursor_of(shown, end) if left else ""
        files = [f"{count_text(len(shown.attachments), 'file')} with it: list_attachments"] if shown.attachments else []
        more = [f'{left} more characters: cursor "{cursor}"'] if left else []
        text = "\n".join([piece.block(secrets.token_hex(TOKEN_BYTES)), *files, *more])
        head = {key: value for key, value in whole_fields(shown).items() if key != "text"}
        found = {"mail": {**placed(mail, call.now), **head, **piece.fields()}, "left": left, "cursor": cursor}
        return Outcome(text, {**found, "untrusted": True}, is_fenced=True)

    def read_thread(self, call: Call) -> Outcome:
        mail, _ = find(self._store, call.text("mail"))
        related = self._store.related(mail)
        if related is None:
            related = self._store.mails(*dict.fromkeys((*THREAD_FOLDERS, mail.folder)), account=mail.account)
        problems, left_out = self._store.problems, self._store.left_out
        local = () if mail.account == self._store.local.name else self._store.mails(SENT, account=self._store.local.name)
        self._store.problems = tuple(dict.fromkeys((*problems, *self._store.problems)))
        self._store.left_out = tuple(dict.fromkeys((*left_out, *self._store.left_out)))
        # What was sent from an account is kept here; and a mail in the trash is still one of its conversation.
        threads = threads_of(without_copies({one.number: one for one in (mail, *related, *local)}.values(), but=(mail.number,)))
        thread = next(thread for thread in threads if any(one.number == mail.number for one in thread))
        place = place_of(call.text("cursor"))
        if place is not None and all(one.number != place.number for one in thread):
            raise Refusal("The mail that comes next is gone. Ask again without the cursor.")
        return self._read(call, thread, place)

    def _read(self, call: Call, thread: tuple[Indexed, ...], place: Place | None) -> Outcome:
        """The newest mails that the budget holds, and the cursor of what comes next."""
        token, budget = secrets.token_hex(TOKEN_BYTES), BUDGET_CHARS
        start = next((index for index, mail in enumerate(thread) if place and mail.number == place.number), 0)
        offset = place.offset if place else 0
        blocks: list[str] = []
        found: list[dict[str, Any]] = []
        cursor, left = "", 0
        for index, mail in enumerate(thread[start:], start):
            content = self._store.content(mail)
            if content is None:
                continue
            if budget <= 0:
                cursor, left = f"m{mail.number}+{offset}", len(thread) - index
                break
            parsed = parse(content)
            shown = whole(mail, parsed, call.now)
            quoted = quote(shown, parsed, call.now, links_of(content))
            piece = part(quoted, offset, offset + budget)
            if offset and not piece.text:
                raise Refusal(WRONG_CURSOR)
            blocks.append(piece.block(token))
            found.append(
                {**placed(mail, call.now), **{key: whole_fields(shown)[key] for key in ("to", "cc", "attachments")}, **piece.fields()}
            )
            end, offset, budget = offset + len(piece.text), 0, budget - max(LEAST_CHARS, len(piece.text))
            if end < len(quoted.text):
                cursor, left = f"m{mail.number}+{end}", len(thread) - index
                break
        more = [f'{count_text(left, "mail")} not shown whole: cursor "{cursor}"'] if cursor else []
        head = f"{count_text(len(thread), 'mail')}, newest first"
        problems, left_out = self._store.problems, self._store.left_out
        text = shape.with_problems("\n".join([head, *blocks, *more, *left_out]), problems)
        state = {"left": left, "cursor": cursor, "problems": list(problems), "left_out": list(left_out)}
        fields = {"mails": found, "count": len(thread), **state, "untrusted": True}
        return Outcome(text, fields, is_fenced=True)

    def _folders(self, call: Call) -> tuple[str, ...]:
        said = call.text("folder").strip()
        return folders_meant(self._store, said, call.text("account")) if said else ()

    def _mails(self, call: Call, folders: tuple[str, ...]) -> tuple[Indexed, ...]:
        found = self._store.mails(*folders, account=call.text("account"), wanted=wanted_by(call))
        return tuple(without_copies(found))

    def _outcome(self, lines: list[str], noun: str, found: dict[str, Any], *, left: int, cursor: str) -> Outcome:
        problems, left_out = self._store.problems, self._store.left_out
        shown = "\n".join([shape.found_text(lines, noun, left=left, cursor=cursor), *left_out])
        state = {"left": left, "cursor": cursor, "problems": list(problems), "left_out": list(left_out)}
        return Outcome(shape.with_problems(shown, problems), {**found, **state, "untrusted": True})


def cursor_of(mail: Mail, offset: int) -> str:
    """Where reading a mail goes on, after so many characters."""
    return f"{mail.id}+{offset}"
