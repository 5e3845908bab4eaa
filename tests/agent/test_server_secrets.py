"""A tool server that is started gets its secrets from the credential store, at each start, and without them it says what is missing."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from agent.tools.launches import server_specs
from agent.tools.spec import ServerSpec
from agent.tools.toolbox import Toolbox
from config.credentials import secret_file, write_secret
from config.paths import Home
from config.schema import AgentSettings, ServerEntry

pytestmark = pytest.mark.anyio
TELLS = """
import os, sys
from pathlib import Path
from tests.fakes.plain_server import Plain, main
Plain.call = lambda self, asked_as, params: self.text(asked_as, os.environ.get("NOTES_TOKEN", "none"))
main(Path(sys.argv[1]), None, 0)
"""


def notes(home: Home, folder: Path) -> ServerSpec:
    entry = ServerEntry(command=(sys.executable, "-c", TELLS, str(folder)), secrets={"NOTES_TOKEN": "notes_token"})
    (found,) = [spec for spec in server_specs(home, AgentSettings(servers={"notes": entry})) if spec.name == "notes"]
    return replace(found, start_timeout_s=55.0)


async def told(spec: ServerSpec) -> tuple[str, str]:
    """What it has in its environment, and why it is not there."""
    with anyio.fail_after(60):
        async with Toolbox([spec]).running() as box:
            await box.tools()
            problem = box.problems().get("notes", "")
            return "" if problem else (await box.call("echo", {}, meta={}, is_read=True)).text, problem


async def test_a_started_server_has_its_secret_and_a_missing_one_is_told_with_its_file(home: Home, tmp_path: Path) -> None:
    spec, file = notes(home, tmp_path), secret_file("notes_token", home=home)
    assert await told(spec) == ("", f"its secret NOTES_TOKEN is missing: put it into {file} (chmod 600), or into VARIET_NOTES_TOKEN")
    write_secret("notes_token", SecretStr("first-secret"), home=home)
    assert await told(spec) == ("first-secret", "")
    write_secret("notes_token", SecretStr("second-secret"), home=home)
    assert await told(spec) == ("second-secret", "")
    assert "secret" not in str((spec.env, spec.command)).replace("secret_", "")
    assert "second-secret" not in repr(spec)


@pytest.mark.skipif(os.name != "posix", reason="mode bits")
async def test_a_secret_that_others_can_read_is_not_handed_over(home: Home, tmp_path: Path) -> None:
    write_secret("notes_token", SecretStr("seen"), home=home).chmod(0o644)
    text, problem = await told(notes(home, tmp_path))
    assert (text, "chmod 600" in problem) == ("", True)


async def test_secrets_beside_an_address_are_said_to_do_nothing(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    server_specs(home, AgentSettings(servers={"asked": ServerEntry(url="https://tools.example.org/mcp", secrets={"A": "a"})}))
    assert [record.getMessage().split(" does")[0] for record in caplog.records] == ["servers.asked: `secrets`"]
