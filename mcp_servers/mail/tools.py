"""The mail tools as served, in their served order.

Pure. Names and parameters are frozen by docs/tools.md.
"""

from __future__ import annotations

from mcp_servers.signatures import Param, ToolSpec

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
)
