"""The snippets of docs/clients.md are JSON, and name servers and options that there are."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mcp_servers.cli import COMMANDS, mcp

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
SNIPPETS: list[Any] = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
TABLES: list[dict[str, Any]] = [snippet.get("mcpServers") or snippet.get("servers") or {} for snippet in SNIPPETS]
SERVERS = [entry for table in TABLES for entry in table.values()]
TYPED = [shlex.split(line)[1:] for line in re.findall(r"(?m)^\$ (variet .*)$", PAGE)]
COMMAND_LINES: list[Any] = [entry["args"] for entry in SERVERS if "command" in entry] + TYPED


def test_there_is_a_snippet_for_each_client() -> None:
    assert re.findall(r"(?m)^## (.*)$", PAGE) == [
        "Claude Desktop",
        "VS Code",
        "Cursor",
        "llama.cpp",
        "Over HTTP",
        "The assistant itself",
    ]
    assert len(SNIPPETS) == 6
    assert all(entry.get("command", "variet") == "variet" for entry in SERVERS)


@pytest.mark.parametrize("line", COMMAND_LINES, ids=" ".join)
def test_a_command_line_of_the_page_is_one(line: list[str]) -> None:
    first, server, *rest = line
    assert (first, server in COMMANDS) == ("mcp", True)
    shown = CliRunner().invoke(mcp, [server, "--help"]).output
    assert {word for word in rest if word.startswith("--")} <= set(re.findall(r"--[a-z-]+", shown))


def test_the_addresses_are_those_of_a_server_over_http_with_a_token() -> None:
    over_http = [entry for entry in SERVERS if "url" in entry]
    assert over_http
    for entry in over_http:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/mcp", entry["url"])
        assert entry["headers"]["Authorization"].startswith(("Bearer ${", "Bearer TOKEN"))


def test_the_first_page_links_to_it_and_has_the_two_forms_that_clients_take() -> None:
    first = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(docs/clients.md)" in first
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", first, re.DOTALL)]
    assert [set(each) for each in shown] == [{"mcpServers"}, {"servers"}]
    for entry in [entry for each in shown for table in each.values() for entry in table.values()]:
        assert (entry["command"], entry["args"][0], entry["args"][1] in COMMANDS) == ("variet", "mcp", True)
