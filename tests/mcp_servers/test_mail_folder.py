"""Whatever else lies in a folder of mails, or cannot be opened there, hides no mail."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.store import MailStore
from tests.mcp_servers.calling import text_of

HELLO = b"From: Anna <anna@example.org>\r\nSubject: Hello\r\nDate: Fri, 20 Nov 2026 10:00:00 +0100\r\n\r\nhi\r\n"


@pytest.mark.parametrize("folder", ["new", "cur"])
@pytest.mark.parametrize("kind", ["a folder", "a link to nothing", "a link to itself"])
def test_what_is_no_file_is_no_mail(tmp_path: Path, kind: str, folder: str) -> None:
    store = MailStore(tmp_path)
    key = store.inbox.add(HELLO)
    other = store.inbox.folder / folder / "other"
    if kind == "a folder":
        other.mkdir()
    else:
        other.symlink_to(other if kind == "a link to itself" else tmp_path / "nowhere")
    assert [mail.subject for mail in store.mails()] == ["Hello"]
    assert [*store.inbox.entries()] == [key]


def test_a_mail_that_cannot_be_opened_is_said_and_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MailStore(tmp_path)
    store.inbox.add(HELLO)
    store.inbox.add(HELLO, key="theirs")
    usual = Path.open

    def closed(path: Path, *arguments: Any, **named: Any) -> Any:
        if path.name.startswith("theirs"):
            raise PermissionError(13, "Permission denied")
        return cast("Any", usual)(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", closed)
    assert [mail.subject for mail in store.mails()] == ["Hello"]
    assert store.left_out == ("local: 1 mail cannot be opened and is left out. Look who may read what lies there.",)
    shown = text_of(MailTools(store).handlers()["search_mail"], query="hello")
    assert "Hello" in shown
    assert "local: 1 mail cannot be opened and is left out. Look who may read what lies there." in shown
