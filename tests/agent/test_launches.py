"""Each tool server is told what it needs, and nobody else's secrets."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.tools.launches import server_specs
from agent.tools.spec import ServerSpec
from config.paths import HOME_VARIABLE, PLACES, Home
from config.schema import AgentSettings, SearxngSection, ServerEntry
from config.shapes.calendars import CalendarAccountEntry, CalendarSection
from config.shapes.google import GoogleSection
from config.shapes.mail import MailAccountEntry, MailSection
from mcp_servers.searxng import __main__ as searxng
from mcp_servers.searxng.server import Search

ENTRY = MailAccountEntry(
    address="you@work.example", imap_host="imap.work.example", smtp_host="smtp.work.example", ca_file=Path("house.pem"), files_sent=True
)


def specs(home: Home, settings: AgentSettings) -> dict[str, ServerSpec]:
    return {spec.name: spec for spec in server_specs(home, settings)}


def test_mail_accounts_are_told_to_the_two_servers_that_need_them_and_a_password_to_the_one_that_uses_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VARIET_IMAP_WORK_PASSWORD", "reading")
    monkeypatch.setenv("VARIET_SMTP_WORK_PASSWORD", "sending")
    found = specs(home, AgentSettings(mail=MailSection(accounts={"work": ENTRY})))
    for name, spec in found.items():
        texts = " ".join((*spec.command, *spec.env.values()))
        assert ("reading" in texts, "sending" in texts, "imap.work.example" in texts) == (
            name == "mail", name == "outbox", name in {"mail", "outbox"},
        )  # fmt: skip
    told = json.loads(found["mail"].command[found["mail"].command.index("--account") + 1])
    assert MailAccountEntry.model_validate(told["account"]) == ENTRY


def test_search_instances_are_told_to_the_web_search_alone_and_their_passwords_stand_on_no_command_line(home: Home) -> None:
    urls = ("https://anna:quiet@search.example", "http://127.0.0.1:8888")
    found = specs(home, AgentSettings(searxng=SearxngSection(urls=urls)))
    assert [name for name, spec in found.items() if "quiet" in " ".join((*spec.command, *spec.env.values()))] == ["searxng"]
    assert "quiet" not in " ".join(found["searxng"].command)
    served = list[tuple[str, ...]]()

    def told(urls: tuple[str, ...]) -> Search:
        served.append(urls)
        return Search(urls)

    def run(_: object, __: object) -> None:
        """Not here."""

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(searxng, "Search", told)
        patched.setattr(searxng, "serve", run)
        started = CliRunner().invoke(searxng.command, found["searxng"].command[4:], env=dict(found["searxng"].env))
    assert (started.exit_code, served) == (0, [urls])


def test_the_outbox_alone_wants_grants(home: Home) -> None:
    assert [name for name, spec in specs(home, AgentSettings()).items() if spec.wants_grants] == ["outbox"]


def test_calendar_accounts_are_told_to_the_calendars_alone_and_their_passwords_too(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VARIET_CALDAV_WORK_PASSWORD", "appointments")
    entry = CalendarAccountEntry(url="https://dav.work.example/", user="you")
    section = CalendarSection(accounts={"work": entry}, default="work/Team")
    found = specs(home, AgentSettings(calendars=section))
    for name, spec in found.items():
        texts = " ".join((*spec.command, *spec.env.values()))
        assert ("appointments" in texts, "dav.work.example" in texts) == (name == "calendars", name == "calendars")
    command = found["calendars"].command
    assert CalendarSection.model_validate_json(command[command.index("--settings") + 1]) == section
    assert "appointments" not in " ".join(command)
    assert "--settings" not in specs(home, AgentSettings())["calendars"].command


def test_what_opens_googles_tokens_is_told_to_the_mail_servers_where_an_account_is_googles(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VARIET_TOKENS_PASSPHRASE", "canary")
    section = GoogleSection(client_id="1234-abc.apps.googleusercontent.com", gmail_url="http://127.0.0.1:1/")
    accounts = {"work": ENTRY, "mine": MailAccountEntry(kind="google", address="anna@gmail.example")}
    found = specs(home, AgentSettings(google=section, mail=MailSection(accounts=accounts)))
    assert [name for name, spec in found.items() if "canary" in spec.env.values()] == ["calendars", "mail", "outbox"]
    for name in ("mail", "outbox"):
        command = found[name].command
        assert GoogleSection.model_validate_json(command[command.index("--google") + 1]) == section
        assert '"kind":"google"' in " ".join(command)


def test_what_opens_googles_tokens_is_told_to_the_calendars_alone_and_only_where_there_is_a_client(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("VARIET_GOOGLE_CLIENT_SECRET", "VARIET_TOKENS_PASSPHRASE", "DBUS_SESSION_BUS_ADDRESS"):
        monkeypatch.setenv(name, "canary")
    section = GoogleSection(client_id="1234-abc.apps.googleusercontent.com", calendar_url="http://127.0.0.1:1/")
    found = specs(home, AgentSettings(google=section))
    assert [name for name, spec in found.items() if "canary" in spec.env.values()] == ["calendars"]
    command = found["calendars"].command
    assert GoogleSection.model_validate_json(command[command.index("--google") + 1]) == section
    assert [name for name, spec in found.items() if "canary" in " ".join(spec.command)] == []
    without = specs(home, AgentSettings())
    assert [name for name, spec in without.items() if "canary" in spec.env.values() or "--google" in spec.command] == []


def test_only_other_programs_here_are_told_of_the_persons_folders(home: Home):
    given = {
        "workspace": {"roots": ["/srv/project"]},
        "servers": {"notes": {"command": ["notes"]}, "wiki": {"url": "https://tools.example.org/mcp"}},
    }
    specs = {spec.name: spec.roots for spec in server_specs(home, AgentSettings.model_validate(given))}
    assert specs["notes"] == (Path("/srv/project"),)
    assert not any(roots for name, roots in specs.items() if name != "notes")


def test_every_server_of_ours_finds_the_home_whose_folders_lie_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(HOME_VARIABLE)
    for name in PLACES:
        monkeypatch.setenv(name, str(tmp_path / name))
    home = Home.find()
    found = specs(home, AgentSettings.model_validate({"servers": {"foreign": {"command": ["true"]}}}))
    assert not found.pop("foreign").env.keys() & set(PLACES)
    usual = {name: value for name, value in os.environ.items() if name not in PLACES}
    for spec in found.values():
        with monkeypatch.context() as patch:
            for name in PLACES:
                patch.delenv(name)
            for name, value in {**usual, **spec.env}.items():
                patch.setenv(name, value)
            assert Home.find() == home, spec.name


def test_settings_of_a_server_that_do_nothing_are_said_in_the_log(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    entries = {
        "asked": ServerEntry(url="https://tools.example.org/mcp", env={"A": "b"}, ca=Path("house.pem")),
        "started": ServerEntry(command=("tool",), env={"A": "b"}, ca=Path("house.pem")),
        "off": ServerEntry(command=("tool",), ca=Path("house.pem"), enabled=False),
        "well": ServerEntry(command=("tool",), env={"A": "b"}),
    }
    found = specs(home, AgentSettings(servers=entries))
    assert {"asked", "started", "well"} <= found.keys()
    assert "off" not in found
    assert [record.getMessage().split(" does")[0] for record in caplog.records] == ["servers.asked: `env`", "servers.started: `ca`"]
