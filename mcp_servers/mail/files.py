"""The files that come with mails: what there is, and the text of those that have one, read where they can do no harm."""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath

from mcp_servers.errors import Quoting, Refusal
from mcp_servers.mail import shape
from mcp_servers.mail.search import find
from mcp_servers.mail.threads import WRONG_CURSOR
from mcp_servers.mailbox.maildir import MAX_MAIL_BYTES
from mcp_servers.mailbox.message.attachments import Attachment, attachments_of
from mcp_servers.mailbox.message.links import links_of, links_text
from mcp_servers.mailbox.message.mime import MAIL_KIND, parse
from mcp_servers.mailbox.store import Indexed, MailStore
from mcp_servers.outside.confinement import text_of_file
from mcp_servers.outside.quotes import TOKEN_BYTES, part, quoted
from mcp_servers.protocol.calls import Call, Handler, Outcome
from mcp_servers.wording import holds, words_of

BUDGET_CHARS = 8000
"""Of a file's text in one answer; the cursor shows the rest."""
MAX_LISTED = 100
"""No person's mail has more files, and a stranger's may have thousands."""
MAX_NAMED = 20
"""In one sentence."""
CUT = f"The mail is longer than {shape.size_text(MAX_MAIL_BYTES)} and is read up to there: its last file is cut off, and more may follow."
_MAIL = "mail"
_BY_TYPE = {
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "text/calendar": "ics",
    "application/ics": "ics",
    "text/html": "html",
    **dict.fromkeys((MAIL_KIND, "message/global"), _MAIL),
    **dict.fromkeys(("application/json", "application/xml"), "txt"),
}
_BY_ENDING = {
    **{".pdf": "pdf", ".docx": "docx", ".ics": "ics", ".html": "html", ".htm": "html", ".eml": _MAIL},
    **dict.fromkeys((".txt", ".md", ".csv", ".tsv", ".json", ".xml", ".yaml", ".yml", ".log"), "txt"),
}


class Files:
    """The tools for attachments."""

    def __init__(self, store: MailStore) -> None:
        self._store = store

    def handlers(self) -> dict[str, Handler]:
        return {"list_attachments": self.list_attachments, "read_attachment": self.read_attachment}

    def list_attachments(self, call: Call) -> Outcome:
        mail, files, cut = self._files(call)
        head = f"m{mail.number} has {len(files)} attachments" if len(files) != 1 else f"m{mail.number} has 1 attachment"
        listed, left = files[:MAX_LISTED], max(0, len(files) - MAX_LISTED)
        more = (f"Not told one by one: {left} more. read_attachment takes their numbers, too.",) if left else ()
        cut = (*more, *cut)
        lines = [head, *map(shape.attachment_line, listed)] if files else [f"m{mail.number} has no attachments"]
        fields = [{"number": file.number, "name": file.name, "type": file.kind, "bytes": file.size} for file in listed]
        removed = dict(sum((Counter(file.removed) for file in listed), Counter[str]()))
        found = {"mail": f"m{mail.number}", "attachments": fields, "left_out": list(cut), "removed": removed, "untrusted": True}
        return Outcome("\n".join([*lines, *cut]), found)

    def read_attachment(self, call: Call) -> Outcome:
        mail, files, cut = self._files(call)
        file = _named(files, call.text("attachment"), mail)
        cursor = call.text("cursor") or "0"
        if not re.fullmatch(r"\d{1,9}", cursor):
            raise Refusal(WRONG_CURSOR)
        text, removed = _read(file, call)
        origin = f"{file.name}, attached to mail m{mail.number} from {mail.sender.full}"
        whole = quoted(text, origin=origin, at=call.now, removed=removed)
        piece = part(whole, int(cursor), int(cursor) + BUDGET_CHARS)
        if int(cursor) and not piece.text:
            raise Refusal(WRONG_CURSOR)
        end = int(cursor) + len(piece.text)
        left = max(0, len(whole.text) - end)
        more = [f'{left} more characters: cursor "{end}"'] if left else []
        cut = cut if file is files[-1] else ()
        shown = "\n".join([shape.attachment_head(file, f"m{mail.number}"), piece.block(secrets.token_hex(TOKEN_BYTES)), *more, *cut])
        state = {"left": left, "cursor": str(end) if left else "", "left_out": list(cut)}
        return Outcome(shown, {"attachment": piece.fields(), **state, "untrusted": True}, is_fenced=True)

    def _files(self, call: Call) -> tuple[Indexed, tuple[Attachment, ...], tuple[str, ...]]:
        """The mail, its files, and what is missing of them."""
        mail, _ = find(self._store, call.text("mail"))
        content = self._store.content(mail) or b""
        return mail, attachments_of(content), (CUT,) if len(content) >= MAX_MAIL_BYTES else ()


def _named(files: tuple[Attachment, ...], said: str, mail: Indexed) -> Attachment:
    """The file of that number, or the one whose name holds the words.

    Raises:
        Refusal: none, or several.
    """
    if not files:
        raise Refusal(f"m{mail.number} has no attachments. Read its text with read_mail, or name another mail.")
    number = said.strip().lower().removeprefix("#")
    found = [file for file in files if number.isdecimal() and file.number == int(number)]
    found = found or [file for file in files if file.name.lower() == said.strip().lower()]
    found = found or [file for file in files if holds(file.name, words_of(said))]
    if len(found) != 1:
        problem = "No attachment matches" if not found else f"{len(found)} attachments match"
        there = "; ".join(map(shape.attachment_line, (found or files)[:MAX_NAMED]))
        raise Quoting(f"{problem} that name. There are {there}{', and more' if len(found or files) > MAX_NAMED else ''}. Say its number.")
    return found[0]


def _read(file: Attachment, call: Call) -> tuple[str, Mapping[str, int]]:
    """Its text, and what was taken out of it and of its name. A mail within a mail is read as every mail is."""
    kind = _kind(file)
    if kind != _MAIL:
        return text_of_file(file.content, kind), file.removed
    parsed = parse(file.content)
    below = links_text(links_of(file.content))
    text = shape.enclosed_text(parsed, call.now.tzinfo)
    return f"{text}\n\n{below}" if below else text, Counter(file.removed) + Counter(parsed.removed)


def _kind(file: Attachment) -> str:
    kind = (
        _BY_TYPE.get(file.kind)
        or _BY_ENDING.get(PurePosixPath(file.name.lower()).suffix)
        or ("txt" if file.kind.startswith("text/") else "")
    )
    if not kind:
        raise Quoting(f"The text of {file.name} ({file.kind}) cannot be read. Open it yourself.")
    return kind
