"""One value of a settings file changes, and nothing else of it does."""

from __future__ import annotations

import tomllib

import pytest

from config.editing import EditRefused, drop_text, set_text

NEW = "http://10.0.0.2:8000"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '[engine]\nurl = "NEW"\n'),
        ('# mine\n[agent]\nzone = "UTC"', '# mine\n[agent]\nzone = "UTC"\n\n[engine]\nurl = "NEW"\n'),
        ('[engine]\n# url = "x"   # an example\n\n[agent]\n', '[engine]\nurl = "NEW"\n# url = "x"   # an example\n\n[agent]\n'),
        ("[engine]\nurl = 'http://old'   # the big one\n[a]\n", '[engine]\nurl = "NEW"   # the big one\n[a]\n'),
        ('[ engine ] # A\r\n  url="http://old"\r\n', '[ engine ] # A\r\n  url="NEW"\r\n'),
        ('[a]\nurl = "other"\n[engine]', '[a]\nurl = "other"\n[engine]\nurl = "NEW"\n'),
        ("[engine.more]\nx = 1\n", '[engine.more]\nx = 1\n\n[engine]\nurl = "NEW"\n'),
    ],
)
def test_comments_order_and_line_ends_stay(before: str, after: str):
    assert set_text(before, "engine", "url", NEW) == after.replace("NEW", NEW)


@pytest.mark.parametrize(
    "text",
    [
        'engine.url = "http://old"\n',
        'engine = { url = "http://old" }\n',
        '[engine]\nurl = """\nhttp://old"""\n',
        '[engine]\n"url" = "http://old"\n',
        'text = """\n[engine]\n"""\n',
        "[engine\n",
    ],
)
def test_a_form_that_is_not_known_is_refused_with_what_to_write(text: str):
    with pytest.raises(EditRefused, match=r"url = .*under \[engine\]"):
        set_text(text, "engine", "url", NEW)


@pytest.mark.parametrize(
    "text",
    [
        'engine.url = "NEW" # mine\n',
        'engine = { url = "NEW" }\n',
        '["engine"]\nurl = "NEW"\n',
        '[engine]\n"url" = "NEW"\n',
        "[engine]\r\nurl = 'NEW'",
        'engine.url = """NEW"""\n',
    ],
)
def test_a_value_that_stands_there_already_is_left_in_whatever_form(text: str):
    written = text.replace("NEW", NEW)
    assert set_text(written, "engine", "url", NEW) == written


def test_a_value_with_quotes_stays_one_value():
    assert tomllib.loads(set_text("", "engine", "url", 'a"b\\c'))["engine"]["url"] == 'a"b\\c'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            '# mine\n[engine]\nurl = "x"\nca = "/a.pem"  # the house\n[a]\nca = "stays"\n',
            '# mine\n[engine]\nurl = "x"\n[a]\nca = "stays"\n',
        ),
        ('[engine]\n# ca = "/a.pem"\n', '[engine]\n# ca = "/a.pem"\n'),
        ('[a]\nca = "stays"\n', '[a]\nca = "stays"\n'),
        ("", ""),
    ],
)
def test_one_value_is_dropped_and_nothing_else(before: str, after: str):
    assert drop_text(before, "engine", "ca") == after


@pytest.mark.parametrize("text", ['engine.ca = "/a.pem"\n', 'engine = { ca = "/a.pem" }\n', "[engine\n"])
def test_a_value_that_cannot_be_dropped_safely_is_left(text: str):
    with pytest.raises(EditRefused, match=r"no ca under \[engine\]"):
        drop_text(text, "engine", "ca")
