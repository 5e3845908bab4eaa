"""What is put into an IMAP account's own folders: drafts, and once each what was sent.

A mail is looked for by its `Message-ID` before it is put anywhere, and where the answer was lost it is looked for again the next time,
never put there a second time on the chance.
"""

from __future__ import annotations

import imaplib

from mcp_servers.mailbox.accounts import AccountFailed
from mcp_servers.mailbox.imap.connection import ImapConnection, checked, folder_names, role_folder, select
from mcp_servers.mailbox.imap.wire import fetched, quoted_name
from mcp_servers.mailbox.maildir import MAX_MAIL_BYTES
from mcp_servers.mailbox.message.mime import is_same_letter, parse, quotable_id
from mcp_servers.mailbox.places import DRAFTS, SENT


class ImapKeeping:
    """One account's folders for drafts and sent mails. Not for use by two threads at once.

    Args:
        connection: of the account.
        files_sent: its servers put what was sent there by themselves.
    """

    def __init__(self, connection: ImapConnection, *, files_sent: bool = False) -> None:
        self._connection = connection
        self._files_sent = files_sent

    def close(self) -> None:
        self._connection.close()

    def keep_draft(self, content: bytes) -> None:
        """Put a draft among the account's own, unless it is there.

        Raises:
            AccountFailed: it is not there, or nobody knows.
        """
        self._put(DRAFTS, content, r"(\Draft \Seen)")

    def file_sent(self, content: bytes) -> None:
        """Put what was sent among the account's own, unless it is there, and take away the draft that it was.

        Raises:
            AccountFailed: it is not done, or nobody knows.
        """
        if not self._files_sent:
            self._put(SENT, content, r"(\Seen)")
        self.drop_draft(content)

    def has_draft(self, content: bytes) -> bool:
        """Whether a draft is among the account's own.

        Raises:
            AccountFailed: no answer.
        """

        def has(wire: imaplib.IMAP4) -> bool:
            name = folder_names(wire).get(DRAFTS)
            return bool(name and _held(wire, name, content))

        return self._connection.asked(has)

    def drop_draft(self, content: bytes) -> bool:
        """Take a draft from among the account's own; False where somebody wrote on it there since: then it stays.

        Raises:
            AccountFailed: no answer.
        """

        def drop(wire: imaplib.IMAP4) -> bool:
            name = folder_names(wire).get(DRAFTS)
            uids = _held(wire, name, content) if name else []
            if not name or not uids:
                return True
            select(wire, name, readonly=False)
            same = [uid for uid in uids if _is_same(wire, uid, content)]
            for uid in same:
                checked(wire.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)"))
                if "UIDPLUS" in self._connection.abilities:
                    checked(wire.uid("EXPUNGE", uid))
            return len(same) == len(uids)

        return self._connection.asked(drop)

    def _put(self, role: str, content: bytes, flags: str) -> None:
        name = self._connection.asked(lambda wire: role_folder(wire, role))
        if self._connection.asked(lambda wire: _held(wire, name, content)):
            return
        date = imaplib.Time2Internaldate(parse(content).sent_at)
        self._connection.asked_once(lambda wire: checked(wire.append(quoted_name(name), flags, date, content)), f"put into {role}")


def _held(wire: imaplib.IMAP4, name: str, content: bytes) -> list[str]:
    """The mails of a folder with the id of this one.

    Raises:
        AccountFailed: it has none by which it could be looked for.
    """
    message_id = quotable_id(content)
    if not message_id:
        raise AccountFailed("A mail without an id cannot be looked for. Look for it with a mail program.")
    select(wire, name, readonly=True)
    answer = checked(wire.uid("SEARCH", "HEADER", "Message-ID", f'"{message_id}"'))
    return [uid.decode("ascii") for line in answer if isinstance(line, bytes) for uid in line.split()]


def _is_same(wire: imaplib.IMAP4, uid: str, content: bytes) -> bool:
    answer = fetched(checked(wire.uid("FETCH", uid, f"(UID BODY.PEEK[]<0.{MAX_MAIL_BYTES}>)")))
    return any(is_same_letter(one.content, content) for one in answer if one.content is not None and str(one.uid) == uid)
