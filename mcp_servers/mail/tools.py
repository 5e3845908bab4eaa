"""The mail tools as served, in their served order.

Pure. Names and parameters are frozen by docs/tools.md; those of the first four are what the small model knows.
"""

from __future__ import annotations

from mcp_servers.protocol.signatures import Param, ToolSpec

_MAIL = Param("mail", "its id, such as m12, or words of its sender or subject", is_required=True)
_ONE = Param("mail", "its id, such as m12, or words of its sender or subject; or give mails")
_MAILS = Param("mails", "several at once, such as m12 and m15, at most 100", type="array")
_ACCOUNT = Param("account", "only this account; absent: all of them")
_CURSOR = Param("cursor", "from the answer before, to go on there")
_FILTERS = (
    Param("query", "words of the subject or text"),
    Param("sender", "name or address of who wrote"),
    Param("when", "the period, as the person said it: yesterday, last week"),
    Param("unread", "only unread mails", type="boolean"),
    Param("folder", "only this folder"),
    _ACCOUNT,
    _CURSOR,
)

TOOLS: tuple[ToolSpec, ...] = (
    ToolSpec(
        "search_mail",
        "Search mails, newest first; without arguments, the newest mails.",
        "read",
        (
            Param("sender", "name or address of who wrote"),
            Param("query", "words of the subject or text"),
            Param("when", "the period, as the person said it: yesterday, last week"),
            Param("unread", "only unread mails", type="boolean"),
        ),
    ),
    ToolSpec(
        "read_mail",
        "Read one mail.",
        "read",
        (Param("mail", "its id, such as m12, or words of its sender or subject", is_required=True),),
    ),
    ToolSpec(
        "draft_mail",
        "Save a draft of a new mail.",
        "write",
        (
            Param("to", "an address, or the name of someone who has written before", is_required=True),
            Param("body", "the text", is_required=True),
            Param("subject", "the subject"),
        ),
    ),
    ToolSpec(
        "draft_reply",
        "Save a draft of a reply to a mail.",
        "write",
        (
            Param("mail", "the mail to answer: its id, or words of its sender or subject", is_required=True),
            Param("body", "the text", is_required=True),
        ),
    ),
    ToolSpec("find_mails", "Search mails page by page, in one folder or account or all.", "read", _FILTERS, is_extended=True),
    ToolSpec("list_threads", "List conversations, that with the newest mail first.", "read", _FILTERS, is_extended=True),
    ToolSpec(
        "read_message",
        "Read one mail whole, part by part, where read_mail shows only how it begins.",
        "read",
        (_MAIL, _CURSOR),
        is_extended=True,
    ),
    ToolSpec(
        "read_thread", "Read the whole conversation that a mail belongs to, newest first.", "read", (_MAIL, _CURSOR), is_extended=True
    ),
    ToolSpec("list_attachments", "List the files that come with a mail.", "read", (_MAIL,), is_extended=True),
    ToolSpec(
        "read_attachment",
        "Read the text of an attached pdf, docx, ics, html or text file.",
        "read",
        (_MAIL, Param("attachment", "its number, or words of its name", is_required=True), _CURSOR),
        is_extended=True,
    ),
    ToolSpec("list_folders", "List the mail folders of every account.", "read", (_ACCOUNT,), is_extended=True),
    ToolSpec(
        "move_mail",
        "Move a mail, or several, to another folder of its account.",
        "write",
        (_ONE, Param("folder", "the folder's name", is_required=True), _MAILS),
        is_extended=True,
    ),
    ToolSpec("archive_mail", "Move a mail, or several, from the inbox to the archive.", "write", (_ONE, _MAILS), is_extended=True),
    ToolSpec("trash_mail", "Move a mail, or several, to the trash.", "delete", (_ONE, _MAILS), is_extended=True),
    ToolSpec("restore_mail", "Move a mail, or several, from the trash back to where it was.", "write", (_ONE, _MAILS), is_extended=True),
    ToolSpec(
        "list_labels",
        "List the labels that mails can have, or those that one mail has.",
        "read",
        (Param("mail", "only this mail's: its id, or words of its sender or subject"), _ACCOUNT),
        is_extended=True,
    ),
    ToolSpec(
        "label_mail",
        "Put labels on a mail, or several, or take them off; the mail stays where it is.",
        "write",
        (
            _ONE,
            Param("add", "labels to put on it, such as flagged or unread", type="array"),
            Param("remove", "labels to take off", type="array"),
            Param("new", "make labels that are not there yet", type="boolean"),
            _MAILS,
        ),
        is_extended=True,
    ),
    ToolSpec(
        "draft_reply_all",
        "Save a draft of a reply to everyone who got a mail.",
        "write",
        (_MAIL, Param("body", "the text", is_required=True)),
        is_extended=True,
    ),
    ToolSpec(
        "draft_forward",
        "Save a draft that passes a mail on, with its files.",
        "write",
        (
            _MAIL,
            Param("to", "an address, or the name of someone who has written before", is_required=True),
            Param("body", "what to say above it"),
        ),
        is_extended=True,
    ),
    ToolSpec("list_drafts", "List the drafts that are not sent, with their ids.", "read", (), is_extended=True),
    ToolSpec(
        "discard_draft",
        "Move a draft to the trash, and out of its account's own drafts.",
        "delete",
        (Param("draft", "its id, such as d3, or last", is_required=True),),
        is_extended=True,
    ),
)
