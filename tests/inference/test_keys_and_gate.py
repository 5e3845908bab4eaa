"""Who gets in, with which limits, and where the engine may listen."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import ValidationError

from config.schema import ServerSection
from inference.door.access import ANYBODY
from inference.door.bind import check_bind
from inference.door.gate import Gate
from inference.door.keys import Keys, StoredKey, add_key, load_keys, remove_key
from inference.door.listening import gate_of
from inference.errors import BindRefused, HeadersTooLarge, InvalidKey, KeyFileRefused, OriginRefused, ReadOnlyKey, TierNotAllowed

OPEN = Keys()
SECRET = "vk_0badcafe_" + "7" * 64


def stored(key: str, name: str, **limits: Any) -> StoredKey:
    return StoredKey(name=name, id=key.split("_")[1], sha256=hashlib.sha256(key.encode()).hexdigest(), **limits)


LOCKED = Keys([stored(SECRET, "laptop")])


def test_a_key_is_stored_as_a_hash_in_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "home" / "engine.keys"
    key = add_key(path, "laptop")
    assert re.fullmatch(r"vk_[0-9a-f]{8}_[0-9a-f]{64}", key)
    assert key not in path.read_text(encoding="utf-8")
    assert key.split("_")[2] not in path.read_text(encoding="utf-8")
    assert os.name != "posix" or path.stat().st_mode & 0o077 == 0
    keys = load_keys(path)
    found = keys.client_of(key)
    assert found is not None
    assert (found.name, found.priority, found.tiers, found.is_read_only) == ("laptop", 0, None, False)
    for wrong in (key + "x", key[:-1], key.upper(), key.replace("vk_", "", 1), "", "vk_", "vk__", f"vk_00000000_{key.split('_')[2]}"):
        assert keys.client_of(wrong) is None
    remove_key(path, "laptop")
    assert load_keys(path).is_open


def test_a_keys_limits_are_kept_with_it(tmp_path: Path) -> None:
    path = tmp_path / "engine.keys"
    key = add_key(path, "phone", tiers=("fast", "balanced"), is_read_only=True, priority=5)
    info = load_keys(path).client_of(key)
    assert info is not None
    assert (info.tiers, info.is_read_only, info.priority) == (("fast", "balanced"), True, 5)
    info.check_name("fast")
    with pytest.raises(TierNotAllowed, match="It may use: fast, balanced"):
        info.check_name("nano")
    with pytest.raises(TierNotAllowed):
        info.check_everything()
    info.check_method("GET")
    with pytest.raises(ReadOnlyKey):
        info.check_method("POST")


def test_names_are_used_once_and_must_be_names(tmp_path: Path) -> None:
    path = tmp_path / "engine.keys"
    add_key(path, "laptop")
    for name in ("laptop", "two words", "", "#x"):
        with pytest.raises(KeyFileRefused):
            add_key(path, name)
    with pytest.raises(KeyFileRefused, match="laptop"):
        remove_key(path, "phone")
    assert [info.name for info in load_keys(path).infos] == ["laptop"]


@pytest.mark.skipif(os.name != "posix", reason="modes mean nothing there")
def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "engine.keys"
    add_key(path, "laptop")
    path.chmod(0o640)
    with pytest.raises(KeyFileRefused, match="chmod 600"):
        load_keys(path)


@pytest.mark.parametrize("line", ["laptop secret-in-clear", '{"name": "laptop"}', "[]"])
def test_a_key_file_that_makes_no_sense_is_refused_with_the_line_and_without_its_text(tmp_path: Path, line: str) -> None:
    path = tmp_path / "engine.keys"
    path.touch(0o600)
    path.write_text(f"# comment\n\n{line}\n", encoding="utf-8")
    with pytest.raises(KeyFileRefused, match="line 3") as refused:
        load_keys(path)
    assert "secret" not in refused.value.message


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "engine.keys"
    add_key(path, "laptop")
    path.write_text(path.read_text(encoding="utf-8") * 2, encoding="utf-8")
    with pytest.raises(KeyFileRefused, match="twice"):
        load_keys(path)


def server(host: str, **more: Any) -> ServerSection:
    return ServerSection(host=host, **more)


PLAIN = {"allow_plain_http": True}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "::ffff:127.0.0.1"])
def test_loopback_needs_no_key_and_no_certificate(host: str) -> None:
    check_bind(server(host), has_keys=False)


@pytest.mark.parametrize("host", ["192.168.1.5", "10.0.0.1", "fd00::1", "100.64.0.7", "::ffff:192.168.1.5"])
def test_a_private_address_needs_a_key_and_tls_or_a_word_that_it_needs_none(host: str) -> None:
    check_bind(server(host, **PLAIN), has_keys=True)
    check_bind(server(host, tls_cert="c.pem", tls_key="k.pem"), has_keys=True)
    with pytest.raises(BindRefused, match="keys add"):
        check_bind(server(host, **PLAIN), has_keys=False)
    with pytest.raises(BindRefused, match="allow_plain_http"):
        check_bind(server(host), has_keys=True)


@pytest.mark.parametrize("host", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "my-machine", "224.0.0.1", ""])
def test_everything_else_is_refused_whatever_else_is_set(host: str) -> None:
    with pytest.raises(BindRefused):
        check_bind(server(host, container=True, **PLAIN), has_keys=True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_wildcard_is_for_containers_only_and_needs_what_others_need(host: str) -> None:
    with pytest.raises(BindRefused, match=r"server\.container = true"):
        check_bind(server(host, **PLAIN), has_keys=True)
    check_bind(server(host, container=True, **PLAIN), has_keys=True)
    with pytest.raises(BindRefused, match="keys add"):
        check_bind(server(host, container=True, **PLAIN), has_keys=False)
    with pytest.raises(BindRefused, match="allow_plain_http"):
        check_bind(server(host, container=True), has_keys=True)


def test_half_of_a_certificate_is_no_certificate() -> None:
    with pytest.raises(BindRefused, match="tls_key is missing"):
        check_bind(server("127.0.0.1", tls_cert="c.pem"), has_keys=False)


def headers(**values: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in {"host": "127.0.0.1:8000", **values}.items()]


def test_a_plain_client_on_this_machine_gets_in() -> None:
    for host in ("127.0.0.1:8000", "localhost", "[::1]:8000", "LOCALHOST:1"):
        assert Gate("127.0.0.1", OPEN).admit(headers(host=host), "/v1/models") is ANYBODY


@pytest.mark.parametrize(
    "values",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        {"sec_fetch_site": "cross-site"},
        {"host": "rebound.example"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "8.8.8.8"},
        {"host": "single-label"},
        {"host": ""},
        {"host": "[::1"},
    ],
)
def test_a_web_page_does_not_get_in_whatever_it_says(values: dict[str, str]) -> None:
    with pytest.raises(OriginRefused):
        Gate("127.0.0.1", OPEN).admit(headers(**values), "/health")


def test_the_engines_own_pages_get_in() -> None:
    Gate("127.0.0.1", OPEN).admit(headers(origin="http://127.0.0.1:8000", sec_fetch_site="same-origin"), "/engine/status")


@pytest.mark.parametrize(
    ("bound", "called", "is_ours"),
    [
        # Behind a port forward a client says the forwarding machine's private address, which no page can put on.
        ("127.0.0.1", "192.168.1.9:8000", True),
        ("192.168.1.5", "bigbox:8000", True),
        ("192.168.1.5", "BigBox.local", True),
        ("192.168.1.5", "bigbox.evil.example", False),
        ("192.168.1.5", "engine:8000", False),
        ("0.0.0.0", "engine:8000", True),
        ("0.0.0.0", "evil.example", False),
    ],
)
def test_the_engine_answers_to_its_own_names_only(bound: str, called: str, is_ours: bool) -> None:
    gate = Gate(bound, LOCKED, names=("bigbox",))
    if is_ours:
        gate.admit(headers(host=called), "/health")
    else:
        with pytest.raises(OriginRefused):
            gate.admit(headers(host=called), "/health")


@pytest.mark.parametrize(
    ("called", "is_ours"),
    [
        ("bigbox.example.lan:8000", True),
        ("bigbox", True),
        ("BigBox.local:8000", True),
        ("bigbox.fritz.box:8000", True),
        ("BIGBOX.FRITZ.BOX", True),
        ("192.168.1.5", True),
        ("box.fritz.box", False),
        ("evil.bigbox.fritz.box", False),
        ("bigbox.fritz.box.evil.example", False),
        ("bigbox.fritz.box.local", False),
        ("bigbox.evil.example", False),
        ("example.lan", False),
        ("fritz.box", False),
    ],
)
def test_the_engine_answers_to_the_first_part_of_its_machines_name_and_to_the_names_of_its_settings(
    monkeypatch: pytest.MonkeyPatch, called: str, is_ours: bool
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "BigBox.example.lan")
    gate = gate_of(server("192.168.1.5", names=["bigbox.fritz.box"]), LOCKED)
    if is_ours:
        gate.admit(headers(host=called), "/health")
    else:
        with pytest.raises(OriginRefused, match=r"server\.names"):
            gate.admit(headers(host=called), "/health")


@pytest.mark.parametrize("name", ["*", "*.example.org", "", ".", "bigbox.", "bigbox:8000", "http://bigbox", "b\u00fcro.lan", "a b"])
def test_a_name_of_the_settings_is_a_whole_name_and_nothing_else(name: str) -> None:
    with pytest.raises(ValidationError):
        server("192.168.1.5", names=[name])


def test_where_there_are_keys_only_health_goes_without() -> None:
    gate = Gate("192.168.1.5", LOCKED)
    assert gate.admit(headers(), "/health") is gate.admit(headers(), "/v1/health") is ANYBODY
    assert gate.admit(headers(authorization=f"Bearer {SECRET}"), "/v1/models").name == "laptop"
    gate.admit(headers(x_api_key=SECRET, host="192.168.1.5:8000"), "/v1/models", "POST")
    for values in ({}, {"authorization": "Bearer x"}, {"authorization": f"Basic {SECRET}"}, {"authorization": SECRET}):
        with pytest.raises(InvalidKey):
            gate.admit(headers(**values), "/v1/models")
    with pytest.raises(InvalidKey):
        gate.admit(headers(), "/health", "POST")


def test_a_key_that_may_only_read_asks_no_model() -> None:
    gate = Gate("127.0.0.1", Keys([stored(SECRET, "screen", read_only=True)]))
    shown = headers(authorization=f"Bearer {SECRET}")
    gate.admit(shown, "/engine/status", "GET")
    with pytest.raises(ReadOnlyKey, match="screen"):
        gate.admit(shown, "/v1/chat/completions", "POST")


def test_headers_that_are_too_large_are_refused_before_anything_else() -> None:
    gate = Gate("127.0.0.1", OPEN, max_header_bytes=4096)
    gate.admit(headers(x_padding="x" * 3000), "/health")
    with pytest.raises(HeadersTooLarge, match="4 KiB"):
        gate.admit(headers(host="evil.example", x_padding="x" * 4096), "/health")


def test_where_others_can_reach_it_removing_the_last_key_closes_the_engine() -> None:
    gate = Gate("192.168.1.5", LOCKED)
    gate.replace(OPEN)
    for values in ({}, {"authorization": f"Bearer {SECRET}"}):
        with pytest.raises(InvalidKey):
            gate.admit(headers(**values), "/v1/models")


@pytest.mark.anyio
async def test_taking_a_key_away_ends_what_runs_for_it_and_nothing_else() -> None:
    other = SECRET.replace("0badcafe", "00000001")
    gate = Gate("127.0.0.1", Keys([stored(SECRET, "laptop"), stored(other, "phone")]))
    laptop, phone = (gate.admit(headers(authorization=f"Bearer {key}"), "/v1/models") for key in (SECRET, other))
    with anyio.fail_after(10), gate.passage(phone) as theirs, gate.passage(ANYBODY) as nobodys:
        with gate.passage(laptop) as ours:
            gate.replace(Keys([stored(other, "phone")]))
            await anyio.sleep_forever()
        assert ours.cancelled_caught
        assert not theirs.cancel_called
        assert not nobodys.cancel_called
    with pytest.raises(InvalidKey):
        gate.admit(headers(authorization=f"Bearer {SECRET}"), "/v1/models")
