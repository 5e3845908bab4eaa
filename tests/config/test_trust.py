"""Which certificates are trusted, and what a person is told of one that is not."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from config.load import load_agent
from config.network.trust import CertificatesRefused, trust_of, why_untrusted

URL = "https://bigbox.local:8000"


def test_without_a_file_the_system_is_asked():
    assert trust_of(None) is True


def test_a_file_that_vouches_for_nobody_is_refused_with_its_name(tmp_path: Path):
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(CertificatesRefused, match=r"empty\.pem holds no certificate"):
        trust_of(empty)
    with pytest.raises(CertificatesRefused, match=r"gone\.pem cannot be read"):
        trust_of(tmp_path / "gone.pem")


def test_the_file_is_looked_for_beside_the_settings_that_name_it(tmp_path: Path):
    file = tmp_path / "agent.toml"
    text = '[engine]\nurl = "https://bigbox.local:8000"\nca = "house.pem"\n[nodes.desk]\nurl = "https://desk.local:8000"\nca = "desk.pem"\n'
    file.write_text(text, encoding="utf-8")
    settings = load_agent(file, environ={})
    assert (settings.engine.ca, settings.nodes["desk"].ca) == (tmp_path / "house.pem", tmp_path / "desk.pem")


def test_an_untrusted_certificate_is_told_apart_from_one_of_another_name_and_from_anything_else():
    unknown = ssl.SSLCertVerificationError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate")
    other = ssl.SSLCertVerificationError(
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: IP address mismatch, certificate is not valid for '10.0.0.1'."
    )
    assert "--ca FILE" in (why_untrusted(URL, unknown) or "")
    assert (why_untrusted(URL, unknown, "nodes.desk.ca") or "").endswith("vouches for it as nodes.desk.ca in agent.toml.")
    assert "another name" in (why_untrusted(URL, other) or "")
    assert why_untrusted(URL, ConnectionRefusedError("nobody")) is None
