"""A disk that is full: nothing half written stays, what went out counts as sent, and the model is told the one thing that helps."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mcp_types as types
import pytest

from mcp_servers.errors import Refusal
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.maildir import Maildir
from mcp_servers.mailbox.store import MailStore
from mcp_servers.outbox.carriers import Unsure
from mcp_servers.outbox.delivery import UNKNOWN, Delivery
from mcp_servers.outbox.ledger import Ledger
from mcp_servers.outbox.server import Outbox
from mcp_servers.outbox.shape import MAY_BE_SENT
from mcp_servers.protocol import serving
from mcp_servers.protocol.calls import Call, Outcome
from mcp_servers.protocol.serving import ToolServer, build
from mcp_servers.protocol.signatures import ToolSpec
from tests.mcp_servers.calling import call
from tests.mcp_servers.granting import approved

NO_ROOM = OSError(errno.ENOSPC, "No space left on device")


def full() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = 13
    return error


def failing(real: Callable[..., Any], error: Exception, *, at: object = None) -> Callable[..., Any]:
    """Fails where `at` is among what it is given, or always."""

    def call_it(*given: Any) -> Any:
        if at is None or at in given:
            raise error
        return real(*given)

    return call_it


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_a_mail_that_could_not_be_written_whole_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    folder = Maildir(tmp_path / "Sent")
    with monkeypatch.context() as disk:
        disk.setattr(os if step == "fsync" else Path, step, failing(os.fsync, NO_ROOM))
        with pytest.raises(OSError, match="No space left"):
            folder.add(b"x" * 9000, key="k")
    assert [*(tmp_path / "Sent" / "tmp").iterdir()] == []
    assert folder.add(b"x", key="k") == "k"


def test_a_mail_that_went_out_is_sent_though_that_could_not_be_written_down(
    outbox: Outbox, mails: MailStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = outbox.send_mail(call(to="bruno", body="Yes.", subject="Dinner"))
    with monkeypatch.context() as disk:
        disk.setattr(Ledger, "mark", failing(Ledger.mark, full(), at="sent"))
        for _ in range(2):  # the second is looked up, and is not sent again
            assert approved(outbox.send_mail, plan).text.startswith("Sent to bruno@example.org")
    assert approved(outbox.send_mail, plan).text.startswith("Sent to bruno@example.org")
    assert len(mails.sent.entries()) == 1


@pytest.mark.parametrize("step", ["forget_draft", "sent_drafts"])
def test_a_draft_that_went_out_is_sent_though_it_could_not_be_taken_away(
    outbox: Outbox, mails: MailStore, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    MailTools(mails).draft_mail(call(to="bruno", body="Yes.")).execute()
    plan = outbox.send_draft(call(draft="last"))

    def sent_then_full(delivery: Delivery, *given: Any) -> Any:
        letter = real(delivery, *given)
        disk.setattr(Delivery, step, failing(getattr(Delivery, step), full()))
        return letter

    real = Delivery.send
    with monkeypatch.context() as disk:
        disk.setattr(Delivery, "send", sent_then_full)
        assert approved(outbox.send_draft, plan).text.startswith("Sent to bruno@example.org")
    assert len(mails.sent.entries()) == 1
    with pytest.raises(Refusal, match="No draft matches"):
        outbox.send_draft(call(draft="last"))


def test_a_draft_that_went_out_is_gone_as_soon_as_that_can_be_written_down(
    outbox: Outbox, mails: MailStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    MailTools(mails).draft_mail(call(to="bruno", body="Yes.")).execute()
    plan = outbox.send_draft(call(draft="last"))
    with monkeypatch.context() as disk:
        disk.setattr(Ledger, "mark", failing(Ledger.mark, full(), at="sent"))
        assert approved(outbox.send_draft, plan).text.startswith("Sent to bruno@example.org")
        assert dict(outbox.send_draft(call(draft="last")).lines)["Careful"] == MAY_BE_SENT
    with pytest.raises(Refusal, match="No draft matches"):
        outbox.send_draft(call(draft="last"))
    assert approved(outbox.send_draft, plan).text.startswith("Sent to bruno@example.org")
    assert len(mails.sent.entries()) == 1


def test_a_mail_of_which_nobody_knows_is_told_so_though_that_could_not_be_written_down(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = outbox.send_mail(call(to="bruno", body="Yes.", subject="Dinner"))

    def carry(_: object, *, on_leaving: Callable[[], None]) -> None:
        on_leaving()
        raise Unsure

    def was_carried(_: str) -> None:
        return None

    carrier = SimpleNamespace(carry=carry, was_carried=was_carried)
    monkeypatch.setattr(outbox._delivery, "_carrier", carrier)  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(Ledger, "mark", failing(Ledger.mark, full(), at="unknown"))
    for _ in range(2):
        with pytest.raises(Refusal) as refused:
            approved(outbox.send_mail, plan)
        assert str(refused.value) == UNKNOWN


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NO_ROOM, "The disk of this machine is full. The person must make room. Nothing else will help."),
        (full(), "The disk of this machine is full. The person must make room. Nothing else will help."),
        (
            OSError(errno.EROFS, "Read-only file system"),
            "The disk of this machine only reads. The person must make it writable. Nothing else will help.",
        ),
        (OSError("x"), "The mail server failed at this. Its log says why. Try something else."),
    ],
)
async def test_a_full_disk_is_named_to_the_model(error: Exception, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: Call) -> Outcome:
        raise error

    async def at_once(_: object, __: str, answer: Any) -> Any:
        return await answer

    handed: dict[str, Any] = {}
    monkeypatch.setattr(serving, "_with_beats", at_once)
    monkeypatch.setattr(serving, "Server", lambda *_, **given: handed.update(given))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    build(ToolServer("mail", (ToolSpec("find", "Find.", "read", ()),), {"find": fail}))
    result = await handed["on_call_tool"](None, types.CallToolRequestParams(name="find", arguments={}))
    assert (result.is_error, result.content[0].text) == (True, said)
