"""What our own checks of the settings refuse: the fault is what was found, and what would be right is what is allowed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import config
from config.load import ConfigError, load_agent

REFUSALS = {
    "a calendar account without a server": (
        "[calendars.accounts.work]\nurl = 'https://x'",
        'calendars.accounts.work: found a section with url: no server to log in to; allowed: `url` and `user`, or kind = "google"',
    ),
    "a calendar account at Google with a server": (
        "[calendars.accounts.work]\nkind = 'google'\nurl = 'https://x'",
        "calendars.accounts.work: found a section with kind, url: a server for a Google account; allowed: neither `url` nor `user`",
    ),
    "a calendar account with the name of the local store": (
        "[calendars.accounts.local]\nurl = 'https://x'\nuser = 'u'",
        "calendars: found a section with accounts: an account named local; allowed: any other name",
    ),
    "a mail account without a server": (
        "[mail.accounts.work]\naddress = 'a@b.c'",
        "mail.accounts.work: found a section with address: neither imap_host nor smtp_host; "
        'allowed: `imap_host`, `smtp_host` or both, or kind = "google"',
    ),
    "a mail account at Google with a server": (
        "[mail.accounts.work]\nkind = 'google'\naddress = 'a@b.c'\nuser = 'u'",
        "mail.accounts.work: found a section with kind, address, user: a server for a Google account; allowed: `address` alone",
    ),
    "a mail account with the name of the local store": (
        "[mail.accounts.local]\naddress = 'a@b.c'\nimap_host = 'x'",
        "mail: found a section with accounts: an account named local; allowed: any other name",
    ),
    "a variable that is a secret and none": (
        "[servers.x]\ncommand = ['x']\nenv = { A = 'b' }\nsecrets = { A = 'a' }",
        "servers.x: found a section with command, env, secrets: a variable of `env` is in `secrets` too; allowed: `A` in one of them",
    ),
    "tokens without TLS": (
        "[google]\ntoken_url = 'http://x.example/t'",
        'google.token_url: found "http://x.example/t": tokens would be readable on the way; allowed: an https address, or this machine',
    ),
    "an engine's address with a path": (
        "[engine]\nurl = 'http://x.example/api'",
        'engine.url: found "http://x.example/api": more than an address; '
        "allowed: the engine's address without a path, such as http://192.168.1.10:8000",
    ),
    "a bound in money without a price": (
        "[nodes.big]\nurl = 'https://x.example/v1'\nmoney_per_day = 1.0",
        "nodes.big: found a section with url, money_per_day: a bound in money without a price; "
        "allowed: `money_per_day` beside `price_in` or `price_out`",
    ),
}
"""Every check that tells in its context what is allowed; a server's kind, whose message is no fault, stands in `test_load`."""


@pytest.mark.parametrize("case", REFUSALS)
def test_a_check_tells_what_is_wrong_as_found_and_the_remedy_as_allowed(case: str, tmp_path: Path):
    text, sentence = REFUSALS[case]
    file = tmp_path / "agent.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_agent(file, environ={})
    assert str(caught.value) == f"{file}: {sentence}"


def test_every_check_that_tells_a_remedy_is_tried():
    folder = Path(config.__file__).parent / "shapes"
    checks = [
        call
        for file in folder.glob("*.py")
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "PydanticCustomError"
        if any(isinstance(each, ast.Dict) and "'allowed'" in ast.dump(each) for each in call.args)
    ]
    assert len(checks) == len(REFUSALS) + 1
