"""What each tool tells clients of itself, and why; the worst that a call of it can do counts."""

from __future__ import annotations

import pytest

from mcp_servers.catalogue import SERVERS
from mcp_servers.protocol.serving import tool_of

READS = "it changes nothing, and looks at the person's own things alone"
ASKS_THE_WEB = "it changes nothing, and tells strangers what is asked for"
ADDS = "it puts something beside what is there, which can be taken away again, and tells nobody"
MOVES = "what it moves or marks can be put back as it was, and nobody is told"
REPLACES = "what it replaces is gone from its place, and nobody is told"
REPLACES_AND_TELLS = "what it replaces is gone, and where a calendar's server writes to guests they are told"
TAKES_AWAY = "what it takes away is gone from its place, and nobody is told"
TAKES_AWAY_AND_TELLS = "what it takes away is gone, and where a calendar's server writes to guests they are told"
TELLS = "what others were told cannot be taken back"
RUNS = "a program can do whatever its user can, also over the network"

SAYS = {
    # why: (reads only, destroys, reaches others)
    READS: (True, False, False),
    ASKS_THE_WEB: (True, False, True),
    ADDS: (False, False, False),
    MOVES: (False, False, False),
    REPLACES: (False, True, False),
    REPLACES_AND_TELLS: (False, True, True),
    TAKES_AWAY: (False, True, False),
    TAKES_AWAY_AND_TELLS: (False, True, True),
    TELLS: (False, True, True),
    RUNS: (False, True, True),
}
WHY = {
    "calendars": {
        READS: "list_events find_free_time list_calendars search_events get_event find_time",
        # Neither names guests: what has none is told to nobody.
        ADDS: "create_event quick_add",
        REPLACES_AND_TELLS: "update_event",
        TAKES_AWAY_AND_TELLS: "delete_event",
        TELLS: "add_event change_event remove_event respond_to_invitation",
    },
    "mail": {
        READS: "search_mail read_mail find_mails list_threads read_message read_thread list_attachments read_attachment list_folders "
        "list_labels list_drafts",
        ADDS: "draft_mail draft_reply draft_reply_all draft_forward",
        MOVES: "move_mail archive_mail restore_mail label_mail",
        TAKES_AWAY: "trash_mail discard_draft",
    },
    "outbox": {TELLS: "send_mail send_draft"},
    "searxng": {ASKS_THE_WEB: "web_search metasearch fetch_page"},
    "workspace": {
        READS: "read_file list_files search_files list_changes",
        ADDS: "create_file",
        MOVES: "move_file",
        REPLACES: "edit_file apply_patch undo_change",
        TAKES_AWAY: "delete_file",
        RUNS: "run_command run_tests run_checks",
    },
}


@pytest.mark.parametrize("server", SERVERS)
def test_every_tool_says_of_itself_what_the_worst_call_of_it_does(server: str) -> None:
    expected = {name: SAYS[why] for why, names in WHY[server].items() for name in names.split()}
    served = {spec.name: tool_of(spec).annotations for spec in SERVERS[server]}
    said = {name: (hints.read_only_hint, hints.destructive_hint, hints.open_world_hint) for name, hints in served.items() if hints}
    assert said == expected


@pytest.mark.parametrize("server", SERVERS)
def test_what_a_tool_says_fits_its_class(server: str) -> None:
    for spec in SERVERS[server]:
        reads_only, destroys, reaches_others = spec.annotations().values()
        assert reads_only == (spec.tool_class == "read"), spec.name
        assert destroys or spec.tool_class in {"read", "write"}, spec.name
        assert reaches_others or spec.tool_class not in {"send", "run"}, spec.name
