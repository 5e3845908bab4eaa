"""Labels come on mails and off them without moving them: over the local folder, a real IMAP server and Gmail, with the same tools."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from mcp_servers.errors import Refusal
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.accounts import AccountFailed
from mcp_servers.mailbox.imap import labels as imap_labels
from mcp_servers.mailbox.imap.account import ImapAccount
from mcp_servers.mailbox.imap.connection import ImapServer
from mcp_servers.mailbox.imap.labels import Offered
from mcp_servers.mailbox.store import MailStore
from mcp_servers.protocol.calls import Outcome, Plan
from tests.fakes.mail_servers import PASSWORD, USER, clear_imap, imap_server
from tests.mcp_servers.calling import call, carried_out, refusal_of, text_of

MAIL = b"From: Carla Costa <carla@example.org>\r\nSubject: Minutes\r\nMessage-ID: <one@example.org>\r\n\r\nThanks.\r\n"
MODIFY = "gmail.users.messages.modify"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImapAccount]:
    """A server whose folder has two keywords, with one unread mail."""
    with imap_server(tmp_path_factory.mktemp("labels") / "imap", keywords=("Projects", "$Junk")) as port:
        wire = clear_imap(port)
        wire.append("INBOX", "", None, MAIL)  # pyright: ignore[reportArgumentType]
        wire.shutdown()
        account = ImapAccount(ImapServer("work", "127.0.0.1", port, USER, SecretStr(PASSWORD), "none"))
        yield account
        account.close()


Tools = dict[str, Any]


def labelled(tools: Tools, **arguments: Any) -> Outcome:
    plan = tools["label_mail"](call(**arguments))
    assert isinstance(plan, Plan)
    return carried_out(tools["label_mail"], plan)


def test_a_local_mail_is_flagged_and_read_and_stays_where_it_is(mails: MailStore) -> None:
    mails.mails()
    tools: Tools = MailTools(mails).handlers()
    assert text_of(tools["list_labels"]) == "local: flagged, unread"
    plan = tools["label_mail"](call(mail="m3", add=["Flagged"], remove=["unread"]))
    assert plan.arguments == {"mail": "m3", "add": ["flagged"], "remove": ["unread"]}
    assert plan.summary == "Labels of m3: put on flagged and take off unread. Budget for March, from Anna Keller"
    assert [what for what, _ in plan.lines] == ["Mail", "Add", "Remove"]
    for _ in range(2):
        done = carried_out(tools["label_mail"], plan)
        assert done.text == "m3 has the label flagged: Budget for March, from Anna Keller"
        assert (done.structured["mail"]["labels"], done.structured["mail"]["folder"]) == (["flagged"], "Inbox")
    assert text_of(tools["search_mail"], unread=True) == "No mails found"
    assert labelled(tools, mail="m3", add=["unread"]).text.startswith("m3 has the labels flagged, unread: ")
    assert "(unread)" in text_of(tools["search_mail"], sender="keller")
    labelled(tools, mail="m3", remove=["flagged", "unread"])
    assert text_of(tools["list_labels"], mail="m3") == "m3 has no labels: Budget for March, from Anna Keller"
    assert (
        refusal_of(tools["label_mail"], mail="m3", add=["Projects"])
        == 'There is no label "Projects". There are flagged, unread. Name one of them, or give new to make it.'
    )
    assert "and not Projects" in refusal_of(tools["label_mail"], mail="m3", add=["Projects"], new=True)
    assert "Nothing to change" in refusal_of(tools["label_mail"], mail="m3")
    assert "both added and removed: flagged" in refusal_of(tools["label_mail"], mail="m3", add=["flagged"], remove=["flagged"])


def test_a_flag_of_a_mail_that_nobody_has_looked_at_leaves_it_unread(mails: MailStore) -> None:
    (mails.inbox.folder / "new" / "fresh").write_bytes(MAIL)
    tools: Tools = MailTools(mails).handlers()
    assert labelled(tools, mail="Minutes", add=["flagged"]).structured["mail"]["labels"] == ["flagged", "unread"]
    [file] = (mails.inbox.folder / "cur").glob("fresh*")
    assert file.name == "fresh:2,F"


def test_mails_of_a_server_have_flags_and_keywords(work: ImapAccount, tmp_path: Path) -> None:
    store = MailStore(tmp_path / "mail", [work])
    tools: Tools = MailTools(store).handlers()
    assert text_of(tools["list_labels"], account="work") == "work: flagged, unread, $Junk, Projects"
    assert text_of(tools["list_labels"], mail="Minutes").startswith("m1 has the label unread")
    labelled(tools, mail="m1", add=["projects", "flagged"], remove=["unread"])
    done = labelled(tools, mail="m1", add=["projects", "flagged"], remove=["unread"])
    assert done.structured["mail"]["labels"] == ["flagged", "Projects"]
    assert done.structured["mail"]["folder"] == "Inbox"
    assert text_of(tools["search_mail"], unread=True) == "No mails found"
    assert "There is no label" in refusal_of(tools["label_mail"], mail="m1", add=["Later"])
    assert "takes no new labels" in refusal_of(tools["label_mail"], mail="m1", add=["Later"], new=True)
    labelled(tools, mail="m1", add=["unread"], remove=["Projects", "flagged"])
    assert text_of(tools["list_labels"], mail="m1").startswith("m1 has the label unread")
    store.move(store.mails(account="work")[0], "Trash")
    with pytest.raises(Refusal, match="The mail is gone"):
        work.relabel("1.999999.INBOX", ["flagged"], [])
    store.close()


def test_a_mail_in_a_folder_that_can_only_be_read_shows_its_labels_and_keeps_them(tmp_path: Path) -> None:
    with imap_server(tmp_path / "imap") as port:
        account = ImapAccount(ImapServer("work", "127.0.0.1", port, USER, SecretStr(PASSWORD), "none"))
        key = next(iter(account.listing("Trash").unread))
        before = account.labels_of(key)
        assert before is not None
        with pytest.raises(AccountFailed, match="work: its server refused"):
            account.relabel(key, ["flagged"], [])
        with pytest.raises(AccountFailed, match=r"work: its server refused \(Trash can only be read\)"):
            account.move(key, "Inbox")
        assert account.labels_of(key) == before
        account.close()


@pytest.mark.parametrize("name", ["two words", "a)b", 'quo"te', "\\Deleted", "caf\u00e9", ""])
def test_what_is_no_keyword_is_none_and_a_system_flag_is_no_label(name: str) -> None:
    class Silent:
        def uid(self, *_: str) -> None:
            raise AssertionError("nothing may be asked")

    with pytest.raises(Refusal, match="can be no label"):
        imap_labels.store(Silent(), 1, Offered("1", ("Projects",), takes_new=True), [name], [])  # pyright: ignore[reportArgumentType]
