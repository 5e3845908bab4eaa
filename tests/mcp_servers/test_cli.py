"""`variet mcp` lists the servers without loading them and says how each is used."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from mcp_servers.catalogue import SERVERS
from mcp_servers.cli import COMMANDS, mcp


def test_the_list_names_every_server_and_loads_none() -> None:
    program = (
        "import sys; from mcp_servers.cli import mcp; mcp(['--help'], standalone_mode=False); "
        "loaded = [name for name in sys.modules if name in ('mcp', 'icalendar', 'httpx2')]; assert not loaded, loaded"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert all(name in ran.stdout for name in SERVERS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_server_has_help_with_an_example(name: str) -> None:
    shown = CliRunner().invoke(mcp, [name, "--help"])
    assert shown.exit_code == 0
    assert f"Example: variet mcp {name}" in shown.output


def test_a_server_whose_library_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "mail", ("json.no_such_module", ""))
    shown = CliRunner().invoke(mcp, ["mail"])
    assert shown.exit_code == 1
    assert shown.output == 'Error: `variet mcp mail` needs "json", which is not installed. Install it with: pip install "variet[servers]"\n'


def test_an_unknown_server_is_a_usage_error() -> None:
    assert CliRunner().invoke(mcp, ["florp"]).exit_code == 2


def test_the_catalogue_needs_no_library() -> None:
    program = "import sys; import mcp_servers.catalogue; assert not {'mcp', 'icalendar', 'pydantic', 'click', 'anyio'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0
