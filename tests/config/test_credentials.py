"""Secrets come from the environment or a private file, and from nowhere else."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.credentials import CredentialError, read_key, read_secret, secret_file, write_secret
from config.logs import RedactingFormatter, redact, set_up_logging
from config.paths import Home


def test_the_environment_wins_over_the_file(home: Home):
    write_secret("engine_key", SecretStr("of the file"), home=home)
    secret = read_secret("engine_key", home=home, environ={"VARIET_ENGINE_KEY": "of the environment"})
    assert secret is not None
    assert secret.get_secret_value() == "of the environment"


def test_a_written_secret_is_read_back_and_private(home: Home):
    file = write_secret("engine_key", SecretStr("open sesame"), home=home)
    write_secret("engine_key", SecretStr("open barley"), home=home)
    secret = read_secret("engine_key", home=home, environ={})
    assert secret is not None
    assert secret.get_secret_value() == "open barley"
    assert "barley" not in repr(secret)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_secret_that_others_can_reach_is_refused_with_the_remedy(home: Home, mode: int):
    write_secret("engine_key", SecretStr("x"), home=home).chmod(mode)
    with pytest.raises(CredentialError, match=r"read by others.*chmod 600"):
        read_secret("engine_key", home=home, environ={})


def test_a_secret_that_is_no_text_is_refused_and_none_of_it_reaches_a_log(home: Home):
    file = write_secret("engine_key", SecretStr("x"), home=home)
    file.write_bytes("geheim-ü-1".encode("latin-1"))
    with pytest.raises(CredentialError, match=r"no text in UTF-8. Write the secret into it again") as caught:
        read_secret("engine_key", home=home, environ={})
    assert str(file) in str(caught.value)
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "refused", (), (CredentialError, caught.value, caught.tb))
    assert "decode" not in logging.Formatter().format(record)


def test_a_folder_in_the_place_of_a_secret_is_refused_with_the_remedy(home: Home):
    file = secret_file("engine_key", home=home)
    file.mkdir(parents=True)
    with pytest.raises(CredentialError, match=r"engine_key is a folder.*Remove it"):
        read_secret("engine_key", home=home, environ={})


def test_a_secret_below_something_that_is_no_folder_is_refused(home: Home):
    file = secret_file("engine_key", home=home)
    file.parent.write_text("", encoding="utf-8")
    with pytest.raises(CredentialError, match=r"cannot be read: Not a directory"):
        read_secret("engine_key", home=home, environ={})


def test_no_secret_is_none(home: Home):
    assert read_secret("engine_key", home=home, environ={"VARIET_ENGINE_KEY": ""}) is None


@pytest.mark.parametrize("value", ["vk_a_b\r\n", "vk_a_b ", " vk_a_b\n"])
def test_a_secret_of_the_environment_is_taken_without_the_blanks_and_line_ends_around_it(home: Home, value: str):
    assert read_secret("engine_key", home=home, environ={"VARIET_ENGINE_KEY": value}) == SecretStr("vk_a_b")


def test_blanks_in_the_environment_are_no_secret_and_the_file_counts(home: Home):
    write_secret("engine_key", SecretStr("of-the-file"), home=home)
    assert read_secret("engine_key", home=home, environ={"VARIET_ENGINE_KEY": " \r\n"}) == SecretStr("of-the-file")


def test_a_secret_that_a_windows_editor_has_saved_is_read(home: Home):
    write_secret("engine_key", SecretStr("x"), home=home).write_bytes("\ufeffgehéim\r\n".encode())
    assert read_secret("engine_key", home=home, environ={}) == SecretStr("gehéim")


@pytest.mark.parametrize("value", ["sk-1…", "sk\u20131", "sk-1\u200b", "sk 1", "sk-1\nsk-2", "s\0k\0"])
def test_a_key_that_cannot_be_sent_is_refused_with_where_it_stands_and_not_shown(home: Home, value: str):
    file = write_secret("node_big_key", SecretStr(value), home=home)
    for environ, where in (({}, str(file)), ({"VARIET_NODE_BIG_KEY": value}, "VARIET_NODE_BIG_KEY")):
        with pytest.raises(CredentialError, match="holds no key") as caught:
            read_key("node_big_key", home=home, environ=environ)
        assert str(caught.value).startswith(where)
        assert value not in str(caught.value)
    assert read_key("node_big_key", home=home, environ={"VARIET_NODE_BIG_KEY": "sk-1_a.b/c+d="}) == SecretStr("sk-1_a.b/c+d=")


def test_a_name_cannot_leave_its_folder(home: Home):
    with pytest.raises(ValueError, match="name"):
        secret_file("../engine", home=home)


def test_homes_are_private_also_when_their_folders_were_not(tmp_path: Path):
    (tmp_path / "state").mkdir(mode=0o755)
    home = Home.at(tmp_path).prepare()
    for folder in (tmp_path, home.config_dir, home.state_dir, home.run_dir, home.log_dir, home.data_dir):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_home_survives_the_way_through_a_childs_environment(tmp_path: Path):
    home = Home.at(tmp_path)
    assert Home.find(home.environment()) == home
    assert Home.find({}).environment() == {}


LEAKS = [
    "Authorization: Bearer hunter2hunter2",
    "{'Authorization': 'Bearer hunter2hunter2'}",
    'api_key="hunter2hunter2"',
    "VARIET_ENGINE_KEY=hunter2hunter2",
    "GET /x?token=hunter2hunter2&y=1",
    "https://me:hunter2hunter2@example.org/",
    "key sk-hunter2hunter2hunter2",
    "the key vk_0badcafe_hunter2hunter2hunter2",
    "refused 1//0hunter2hunter2hunter2-x",
    "code 4/0Ahunter2hunter2hunter2",
    "client GOCSPX-hunter2hunter2hunter2",
]


@pytest.mark.parametrize("text", LEAKS)
def test_what_looks_like_a_secret_is_blanked_out(text: str):
    assert "hunter2" not in redact(text)


def test_ordinary_numbers_are_left_alone():
    text = "prompt_tokens: 1234567 max_tokens=123456 tokens/s on 2026/11/21//of_a_long_name_that_is_no_secret_at_all in /data/1/4/0/a"
    assert redact(text) == text


def test_a_known_secret_is_blanked_out_of_an_exception_too():
    formatter = RedactingFormatter([SecretStr("correct horse")])
    try:
        raise RuntimeError("the correct horse has bolted")
    except RuntimeError as error:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "about %s", ("correct horse",), (RuntimeError, error, None))
    assert "correct horse" not in formatter.format(record)


def test_the_log_is_a_private_file(tmp_path: Path):
    before = logging.getLogger().handlers[:]
    level = logging.getLogger().level
    logging.getLogger().handlers.clear()
    try:
        set_up_logging("engine", folder=tmp_path / "logs")
        logging.getLogger("x").info("with token=abcdefgh")
        file = tmp_path / "logs" / "engine.log"
        assert file.read_text(encoding="utf-8").rstrip().endswith("INFO x: with token=[secret]")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    finally:
        for handler in logging.getLogger().handlers:
            handler.close()
        logging.getLogger().handlers[:] = before
        logging.getLogger().setLevel(level)
