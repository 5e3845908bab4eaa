"""Who gets in, and where the engine may listen."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from inference.errors import BindRefused, InvalidKey, KeyFileRefused, OriginRefused
from inference.gate import Gate
from inference.keys import Keys, add_key, check_bind, load_keys, remove_key

OPEN = Keys({})
LOCKED = Keys({"laptop": hashlib.sha256(b"k").hexdigest()})


def test_a_key_is_stored_as_a_hash_in_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "home" / "engine.keys"
    key = add_key(path, "laptop")
    assert key not in path.read_text(encoding="utf-8")
    assert os.name != "posix" or path.stat().st_mode & 0o077 == 0
    keys = load_keys(path)
    assert keys.client_of(key) == "laptop"
    assert keys.client_of(key + "x") is None
    assert keys.client_of("") is None
    remove_key(path, "laptop")
    assert load_keys(path).is_open


def test_names_are_used_once_and_must_be_names(tmp_path: Path) -> None:
    path = tmp_path / "engine.keys"
    add_key(path, "laptop")
    for name in ("laptop", "two words", "", "#x"):
        with pytest.raises(KeyFileRefused):
            add_key(path, name)
    with pytest.raises(KeyFileRefused, match="laptop"):
        remove_key(path, "phone")
    assert load_keys(path).names == ("laptop",)


@pytest.mark.skipif(os.name != "posix", reason="modes mean nothing there")
def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "engine.keys"
    add_key(path, "laptop")
    path.chmod(0o640)
    with pytest.raises(KeyFileRefused, match="chmod 600"):
        load_keys(path)


def test_a_key_file_that_makes_no_sense_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "engine.keys"
    path.touch(0o600)
    path.write_text("# comment\n\nlaptop secret-in-clear\n", encoding="utf-8")
    with pytest.raises(KeyFileRefused, match="line 3"):
        load_keys(path)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    check_bind(host, OPEN)


@pytest.mark.parametrize("host", ["192.168.1.5", "10.0.0.1", "fd00::1", "100.64.0.7"])
def test_a_private_address_needs_a_key(host: str) -> None:
    check_bind(host, LOCKED)
    with pytest.raises(BindRefused, match="keys add"):
        check_bind(host, OPEN)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "8.8.8.8", "2001:4860:4860::8888", "my-machine", "224.0.0.1", ""])
def test_everything_else_is_refused_also_with_keys(host: str) -> None:
    with pytest.raises(BindRefused):
        check_bind(host, LOCKED)


def headers(**values: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in {"host": "127.0.0.1:8000", **values}.items()]


def test_a_plain_client_on_this_machine_gets_in() -> None:
    for host in ("127.0.0.1:8000", "localhost", "[::1]:8000", "LOCALHOST:1"):
        Gate("127.0.0.1", OPEN).admit(headers(host=host), "/v1/models")


@pytest.mark.parametrize(
    "values",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        {"sec_fetch_site": "cross-site"},
        {"host": "rebound.example"},
        {"host": "127.0.0.1.evil.example"},
        {"host": ""},
        {"host": "[::1"},
    ],
)
def test_a_web_page_does_not_get_in_whatever_it_says(values: dict[str, str]) -> None:
    with pytest.raises(OriginRefused):
        Gate("127.0.0.1", OPEN).admit(headers(**values), "/health")


def test_the_engines_own_pages_get_in() -> None:
    Gate("127.0.0.1", OPEN).admit(headers(origin="http://127.0.0.1:8000", sec_fetch_site="same-origin"), "/engine/status")


def test_where_there_are_keys_only_health_goes_without() -> None:
    gate = Gate("192.168.1.5", LOCKED)
    gate.admit(headers(), "/health")
    gate.admit(headers(authorization="Bearer k"), "/v1/models")
    gate.admit(headers(x_api_key="k", host="192.168.1.5:8000"), "/v1/models")
    for values in ({}, {"authorization": "Bearer x"}, {"authorization": "Basic k"}, {"authorization": "k"}):
        with pytest.raises(InvalidKey):
            gate.admit(headers(**values), "/v1/models")
