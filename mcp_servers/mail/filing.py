"""Where mails lie: folders, the archive, the trash and the way back. Nothing is ever deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from mcp_servers.errors import Quoting, Refusal, Stale
from mcp_servers.mail import shape
from mcp_servers.mail.fields import account_shown, listed, placed, removed_of
from mcp_servers.mail.search import asked_for, find, meant_by, no_folder
from mcp_servers.mail.several import MOVED_SINCE, file_plan, meant
from mcp_servers.mail.versions import is_based_on, version_of
from mcp_servers.mailbox.places import ARCHIVE, TRASH
from mcp_servers.mailbox.store import Indexed, MailStore
from mcp_servers.outside.quoting import clean_line
from mcp_servers.protocol.calls import Call, Handler, Outcome, Plan

_NOTHING: Mapping[str, str] = MappingProxyType({})
_NOT_FILED = "Put a mail into the trash with trash_mail."


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
        removed = removed_of((), named=(folder for _, folder in found))
        fields = {"folders": by_account, "problems": list(problems), "removed": removed, "untrusted": True}
        return Outcome(shape.with_problems(text, problems), fields)

    def move_mail(self, call: Call) -> Plan:
        said = call.text("folder").strip()
        folder_in: dict[str, str] = {}

        def target_of(mail: Indexed) -> str:
            if mail.account not in folder_in:
                folder_in[mail.account] = self._folder(mail.account, said)
            return folder_in[mail.account]

        return self._filed(call, target_of, {"folder": said})

    def archive_mail(self, call: Call) -> Plan:
        return self._filed(call, lambda _: ARCHIVE)

    def trash_mail(self, call: Call) -> Plan:
        return self._filed(call, lambda _: TRASH)

    def restore_mail(self, call: Call) -> Plan:
        return self._filed(call, self._origin)

    def _filed(self, call: Call, target_of: Callable[[Indexed], str], arguments: Mapping[str, str] = _NOTHING) -> Plan:
        said = asked_for(call)
        if call.arguments.get("mails"):
            return file_plan(self._store, call, meant(self._store, call, said), target_of, arguments)
        mail, _ = find(self._store, said[0], is_prepared=bool(call.host_text("version")))
        folder = target_of(mail)
        given = {"mail": f"m{mail.number}", **({"folder": folder} if arguments else {})}
        return self._plan(call, mail, folder, given)

    def _origin(self, mail: Indexed) -> str:
        if mail.folder != TRASH:
            raise Quoting(f"m{mail.number} is not in the trash. It is in {clean_line(mail.folder)}. Move it with move_mail.")
        return self._store.origin(mail)

    def _folder(self, account: str, said: str) -> str:
        """The folder of that name, as its account spells it."""
        known = [folder for _, folder in self._store.folders(account)]
        folder = meant_by(said, known) or meant_by(said, (TRASH,))  # which is made when it is first needed
        if folder is None:
            raise no_folder(said, known)
        if folder.lower() == TRASH.lower():  # as every account's is called here
            # To delete is asked for, allowed and forbidden by itself: no tool that files is a way around that.
            raise Refusal(_NOT_FILED)
        return folder

    def _plan(self, call: Call, mail: Indexed, folder: str, arguments: dict[str, str]) -> Plan:
        before = call.host_text("version")
        if before and not is_based_on(before, mail, folder):
            raise Stale(MOVED_SINCE)
        shown = listed(mail, call.now)

        def execute() -> Outcome:
            moved = mail if mail.folder == folder else self._store.move(mail, folder)
            return Outcome(
                shape.moved_text(shown, folder, account_shown(mail)),
                {"mail": placed(moved, call.now), "removed": removed_of([moved]), "untrusted": True},
            )

        lines = (("Mail", shape.mail_line(shown)), ("From", clean_line(mail.folder)), ("To", clean_line(folder)))
        summary = shape.moved_text(shown, folder, account_shown(mail)).replace("Moved", "Move", 1)
        return Plan(arguments, summary, lines, execute, host={"version": version_of(mail, folder)})
