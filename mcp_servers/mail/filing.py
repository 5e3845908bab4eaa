"""Where mails lie: folders, the archive, the trash and the way back. Nothing is ever deleted."""

from __future__ import annotations

from mcp_servers.errors import Quoting, Stale
from mcp_servers.mail import shape
from mcp_servers.mail.fields import account_shown, listed, placed
from mcp_servers.mail.search import find
from mcp_servers.mailbox.places import ARCHIVE, TRASH
from mcp_servers.mailbox.store import Indexed, MailStore
from mcp_servers.outside.quoting import clean_line
from mcp_servers.protocol.calls import Call, Handler, Outcome, Plan

MOVED_SINCE = "The mail has been moved since. Look again."


class Filing:
    """The tools that move mails."""

    def __init__(self, store: MailStore) -> None:
        self._store = store

    def handlers(self) -> dict[str, Handler]:
        return {
            "list_folders": self.list_folders,
            "move_mail": self.move_mail,
            "archive_mail": self.archive_mail,
            "trash_mail": self.trash_mail,
            "restore_mail": self.restore_mail,
        }

    def list_folders(self, call: Call) -> Outcome:
        found = self._store.folders(call.text("account"))
        by_account: dict[str, list[str]] = {}
        for account, folder in found:
            by_account.setdefault(account, []).append(clean_line(folder))
        text = "\n".join(f"{account}: {', '.join(folders)}" for account, folders in by_account.items()) or "No folders found"
        problems = self._store.problems
        return Outcome(shape.with_problems(text, problems), {"folders": by_account, "problems": list(problems), "untrusted": True})

    def move_mail(self, call: Call) -> Plan:
        mail, _ = find(self._store, call.text("mail"))
        said = call.text("folder").strip()
        known = [folder for _, folder in self._store.folders(mail.account)]
        folder = next((name for name in known if name == said), None) or next(
            (name for name in known if name.lower() == said.lower()), None
        )
        if folder is None:
            raise Quoting(f'There is no folder "{clean_line(said)}". There are {", ".join(map(clean_line, known))}. Name one of them.')
        return self._plan(call, mail, folder, {"mail": f"m{mail.number}", "folder": folder})

    def archive_mail(self, call: Call) -> Plan:
        return self._to(call, ARCHIVE)

    def trash_mail(self, call: Call) -> Plan:
        return self._to(call, TRASH)

    def restore_mail(self, call: Call) -> Plan:
        mail, _ = find(self._store, call.text("mail"))
        if mail.folder != TRASH:
            raise Quoting(f"m{mail.number} is not in the trash. It is in {clean_line(mail.folder)}. Move it with move_mail.")
        return self._plan(call, mail, self._store.origin(mail), {"mail": f"m{mail.number}"})

    def _to(self, call: Call, folder: str) -> Plan:
        mail, _ = find(self._store, call.text("mail"))
        return self._plan(call, mail, folder, {"mail": f"m{mail.number}"})

    def _plan(self, call: Call, mail: Indexed, folder: str, arguments: dict[str, str]) -> Plan:
        # What is based on where it was: somebody else may have moved it since.
        version = f"{mail.account}/{mail.folder}"
        if call.host_text("version") not in {"", version} and mail.folder != folder:
            raise Stale(MOVED_SINCE)
        shown = listed(mail, call.now)

        def execute() -> Outcome:
            moved = mail if mail.folder == folder else self._store.move(mail, folder)
            return Outcome(shape.moved_text(shown, folder, account_shown(mail)), {"mail": placed(moved, call.now), "untrusted": True})

        lines = (("Mail", shape.mail_line(shown)), ("From", mail.folder), ("To", folder))
        summary = shape.moved_text(shown, folder, account_shown(mail)).replace("Moved", "Move", 1)
        return Plan(arguments, summary, lines, execute, host={"version": version})
