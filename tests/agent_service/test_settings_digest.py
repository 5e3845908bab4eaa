"""The mark of a service's settings is another one where a certificate that they name was replaced in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.service.settings_digest import digest_of
from config.schema import AgentSettings


@pytest.mark.parametrize("place", ["engine", "nodes.big", "servers.wiki"])
def test_a_certificate_that_was_replaced_counts_as_other_settings(place: str, tmp_path: Path) -> None:
    file = tmp_path / "house.pem"
    section, _, name = place.partition(".")
    entry = {"url": "https://house.example", "ca": file}
    settings = AgentSettings.model_validate({section: {name: entry} if name else entry})
    missing = digest_of(settings)
    file.write_text("first", encoding="ascii")
    first = digest_of(settings)
    file.write_text("other", encoding="ascii")
    assert len({missing, first, digest_of(settings)}) == 3
    file.write_text("first", encoding="ascii")
    assert digest_of(settings) == first


def test_a_mail_accounts_certificate_counts_too(tmp_path: Path) -> None:
    file = tmp_path / "house.pem"
    account = {"address": "a@b.example", "imap_host": "imap.b.example", "smtp_host": "smtp.b.example", "ca_file": file}
    settings = AgentSettings.model_validate({"mail": {"accounts": {"work": account}}})
    missing = digest_of(settings)
    file.write_text("first", encoding="ascii")
    assert digest_of(settings) != missing
