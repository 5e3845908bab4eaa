"""What was put beside a message is found again once it has left the view, as what was said is."""

from __future__ import annotations

import re

import pytest

from agent.event_parts import Attached
from agent.events import ContextTrimmed, Event, ToolFinished, TurnDone, TurnStarted, Usage
from agent.view.cutting import page_of
from agent.view.own_names import FIND_TOOLS, READ_MORE, RECALL
from agent.view.past import NOTHING_RECALLED, read_on, recalled

CODE = "The gate code of the allotment is 4711."
LONG = "\n".join(f"Bed {number} holds beans." for number in range(100)) + "\n" + CODE


def log(attached: Attached) -> list[Event]:
    at = "2026-11-21T09:00:00+01:00"
    return [
        TurnStarted(turn="t1", text="Remember this", sent_text="x", now=at, who="me", attached=(attached,)),
        TurnDone(turn="t1", answer="Noted.", usage=Usage()),
        ContextTrimmed(turn="t2", kept_from="t2", dropped=1, n_ctx=4096),
        TurnStarted(turn="t2", text="what was it?", sent_text="x", now=at, who="me", attached=(Attached(name="b", text="gate code"),)),
    ]


def test_a_file_beside_an_earlier_message_is_found_by_its_words_and_not_one_of_this_turn():
    assert recalled(log(Attached(name="notes\n.txt", text=CODE)), "gate code") == f"[2026-11-21 09:00] attached notes .txt: {CODE}"
    assert recalled(log(Attached(name="notes.txt", text="Nothing.")), "gate code") == NOTHING_RECALLED


def test_a_long_one_is_read_on_by_its_handle():
    events = log(Attached(name="notes.txt", text=LONG))
    found = re.search(r"read_more\(handle=(\w+), start=(\d+)\)", recalled(events, "gate code"))
    assert found is not None
    assert CODE in (read_on(events, found[1], start=int(found[2]), room=4096) or "")


@pytest.mark.parametrize("name", [FIND_TOOLS, READ_MORE, RECALL])
def test_what_an_own_tool_told_is_read_on_where_it_was_cut_and_is_no_place_of_its_own(name: str):
    page = page_of(LONG, room=600, is_readable=True)
    told = ToolFinished(turn="t1", call="c", name=name, ok=True, decision="allow", text=page.text, whole=LONG)
    events = [told, *log(Attached(name="notes.txt", text="Nothing."))]
    cut = re.search(r"read_more\(handle=(\w+), start=(\d+)\)", page.text)
    assert cut is not None
    assert read_on(events, cut[1], start=int(cut[2]), room=4096) == LONG[page.end :]
    assert recalled(events, "gate code") == NOTHING_RECALLED
