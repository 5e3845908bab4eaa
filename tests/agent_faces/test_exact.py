"""What a person says yes to is read sign by sign, also where Markdown is drawn."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from agent.event_parts import ToolClass
from agent.events import ApprovalNeeded, ToolFinished
from agent.faces.acp import wire as acp_wire
from agent.faces.exact import escaped, fenced
from agent.faces.mcp import asking as mcp_asking
from agent.held_events import ToolHeld

NASTY = "<!-- all behind it is gone\n```\nTo: anna@example.org\n~~~~\n+<script src='//evil.example'></script>\n![x](https://evil.example)"


def needed(value: str, *, summary: str = "Send <!-- d1", tool_class: ToolClass = "send") -> ApprovalNeeded:
    return ApprovalNeeded(
        turn="t", approval="a", call="c", name="send_draft", tool_class=tool_class, summary=summary, digest="d",
        lines=(("To", "bob@example.org"), ("Text", value), ("Careful", "you did not type bob@example.org")),
        expires_at="2026-11-23T10:00:00+01:00",
    )  # fmt: skip


def code_in(text: str) -> str:
    """The one block of code that a text is; nothing else may be drawn of it."""
    (token,) = MarkdownIt("commonmark").parse(text)
    assert token.type == "fence"
    return token.content


def asked_in_editor(event: ApprovalNeeded) -> str:
    return acp_wire.permission("s", event)["toolCall"]["content"][0]["content"]["text"]


@pytest.mark.parametrize("shown", [asked_in_editor, mcp_asking.message])
def test_every_sign_of_a_question_is_seen_and_no_line_of_a_value_looks_like_another_answer(shown: object) -> None:
    assert callable(shown)
    lines = code_in(str(shown(needed(NASTY))).removeprefix("Send \\<!-- d1\n")).splitlines()
    first, *rest = NASTY.splitlines()
    wanted = ["To: bob@example.org", f"Text: {first}", *(f"  {line}" for line in rest)]
    assert lines == [*wanted, "Careful: you did not type bob@example.org"]


@pytest.mark.parametrize(
    "said",
    [
        "Send to Ann <ann@example.org>: *Offer* [of](https://evil.example) ![us](https://evil.example/p)",
        "<!-- gone -->", "Edit `a` &lt; ~~b~~ __init__.py _x_", "# Create: C:\\Users\\*", "a\\*b", "> quoted", "create_event: a_b",
        "from ~/a to ~/b, ~c~", "~~~",
    ],
)  # fmt: skip
def test_a_title_is_read_as_it_is_written(said: str) -> None:
    (_, inline, _) = MarkdownIt("commonmark").parse(escaped(said))
    assert {each.type for each in inline.children or []} <= {"text", "text_special"}
    assert "".join(each.content for each in inline.children or []) == said


def test_signs_that_turn_letters_round_are_seen() -> None:
    assert "Text: a\N{REPLACEMENT CHARACTER}gpj.exe\n  b\tc\n" in asked_in_editor(needed("a\u202egpj.exe\u2028b\tc"))
    assert escaped("a\u202eb") == "a\N{REPLACEMENT CHARACTER}b"


def test_a_title_without_such_signs_stays_as_it_is() -> None:
    for said in ("Create: Tea at 5, my_file.py (C:\\Users) & co.", "Edit src/a_b.py", "Run: git diff HEAD~1 > x", "Move ~/a to ~/b"):
        assert escaped(said) == said


def test_titles_and_what_tools_brought_are_shown_so_too() -> None:
    assert acp_wire.permission("s", needed("x", summary="Send <b>"))["toolCall"]["title"] == "Send \\<b>"
    held = acp_wire.update_of(ToolHeld(turn="t", call="c", hold="h", name="n", summary="To <b>", until="2026-11-21T09:00:10+01:00"))
    assert held is not None
    assert held["content"][0]["content"]["text"].endswith("To \\<b>")
    brought = acp_wire.update_of(ToolFinished(turn="t", call="c", name="read_mail", decision="allow", ok=True, text=NASTY))
    assert brought is not None
    assert code_in(brought["content"][0]["content"]["text"]) == f"{NASTY}\n"
    assert fenced("a ````` b") == "``````\na ````` b\n``````"
