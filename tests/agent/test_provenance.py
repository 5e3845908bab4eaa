from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.safety.provenance import Brought, Origins, addresses_in, leak_of

ADDRESS = re.compile(r"[^\s<>()\[\],;:\"'|\\]+@[^\s<>()\[\],;:\"'|\\@]+\.[^\s<>()\[\],;:\"'|\\@.]{2,}")
"""What a mail address is; over long texts it takes for ever."""
LONG = 400_000
READ = Origins(private=(Brought("read_mail", "The code is 4711."),))


@given(st.text(alphabet="aBß@@.. ,;\n", max_size=16))
def test_mail_addresses_are_found_as_the_expression_says(text: str):
    assert addresses_in(text) == tuple(dict.fromkeys(found.casefold().rstrip(".") for found in ADDRESS.findall(text)))


@pytest.mark.parametrize("part", ["a", "@", "a@", "a.", "a@b.", "@.", ".", ".@"])
def test_a_text_without_blanks_is_searched_for_addresses_in_one_go(part: str):
    assert addresses_in(part * (LONG // len(part))) == ()


def test_the_address_at_the_end_of_a_long_run_is_found():
    assert addresses_in("@a" * LONG + "@b.example") == ("@a" * LONG + "@b.example",)


@pytest.mark.parametrize("part", ["a.", "a.:", ".", ":", "//"])
def test_what_is_nearly_the_address_of_a_page_is_asked_about_as_any_long_text(part: str):
    assert leak_of(part * (LONG // len(part)) + " x", READ) == "it is longer than 256 characters"
