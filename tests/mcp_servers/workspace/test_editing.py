"""Edits and patches change the bytes that they name and no other, whatever the encoding and the line ends."""

from __future__ import annotations

import difflib
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_servers.errors import Refusal
from mcp_servers.workspace.changing.editing import patched, replaced
from mcp_servers.workspace.changing.patch import parsed, unified
from mcp_servers.workspace.folders.textual import Text, body_of, decoded, encoded, split_lines, visible

letters = st.text(st.sampled_from("abä \t€𝄞\u200b\u2028\x0c'-+@\\"), max_size=6)
ends = st.sampled_from(["\n", "\r\n", "\r"])


def _joined(lines: list[tuple[str, str]], last: str) -> str:
    return "".join(body + end for body, end in lines) + last


def _encoded(text: str, encoding: tuple[str, bytes]) -> bytes:
    return encoding[1] + text.encode(encoding[0])


texts = st.builds(_joined, st.lists(st.tuples(letters, ends), max_size=12), letters)
encodings = st.sampled_from([("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")])


@given(st.binary(max_size=200) | st.builds(_encoded, texts, encodings))
def test_what_is_text_becomes_the_same_bytes_again(data: bytes):
    text = decoded(data)
    if text is not None:
        assert encoded(text) == data
        assert "".join(body_of(line) for line in text.lines).count("\n") == 0


@given(texts)
def test_lines_are_the_text_and_end_where_other_programs_end_them(text: str):
    lines = split_lines(text)
    assert "".join(lines) == text
    assert [body_of(line) for line in lines] == (
        text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n") if text else []
    )


@settings(max_examples=100, deadline=None)
@given(texts, letters.filter(bool), texts, letters, encodings)
def test_a_replacement_leaves_every_byte_around_it(before: str, old: str, after: str, new: str, encoding: tuple[str, bytes]):
    whole = before + old + after
    text = decoded(encoding[1] + whole.encode(encoding[0]))
    if text is None or whole.count(old) != 1 or old == new:
        return
    written = encoded(replaced(text, old, new, "f"))
    assert written == encoding[1] + (before + new + after).encode(encoding[0])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_model_writes_line_feeds_and_the_file_keeps_its_own_ends(end: str):
    text = decoded(end.join(["a", "b", "c", "d", ""]).encode())
    assert text is not None
    assert encoded(replaced(text, "b\nc\n", "B\nnew\nc\n", "f")) == end.join(["a", "B", "new", "c", "d", ""]).encode()
    assert encoded(replaced(text, "b", "b\nnew", "f")) == end.join(["a", "b", "new", "c", "d", ""]).encode()
    assert encoded(replaced(text, "d\n", "d", "f")) == end.join(["a", "b", "c", "d"]).encode()


def test_lines_that_an_edit_leaves_keep_ends_of_their_own():
    text = decoded(b"a\r\nb\nc\r\nd\r\n")
    assert text is not None
    assert encoded(replaced(text, "a\nb\nc\n", "a\nB\nc\n", "f")) == b"a\r\nB\r\nc\r\nd\r\n"
    assert encoded(replaced(text, "a\nb\nc\n", "a\nb\nnew\nc\n", "f")) == b"a\r\nb\nnew\r\nc\r\nd\r\n"


def test_a_character_that_the_encoding_has_not_is_refused():
    text = decoded("ä\n".encode("latin-1"))
    assert text is not None
    assert encoded(replaced(text, "ä", "ö", "f")) == "ö\n".encode("latin-1")
    with pytest.raises(Refusal, match='The file is LATIN-1, which has no "€"'):
        encoded(replaced(text, "ä", "€", "f"))


plain_lines = st.lists(st.text(st.sampled_from("ab -+@\\"), max_size=3), max_size=14)


def _patch(before: list[str], after: list[str], *, ends_bare: tuple[bool, bool]) -> tuple[str, str, str]:
    """Two texts and their diff, as diff(1) writes it."""
    old, new = ("".join(line + "\n" for line in lines) for lines in (before, after))
    old, new = (
        text[:-1] if bare and text and lines[-1] else text for text, bare, lines in zip((old, new), ends_bare, (before, after), strict=True)
    )
    diff = difflib.unified_diff(split_lines(old), split_lines(new), "a/f" if old else "/dev/null", "b/f")
    out = [line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in diff]
    return old, new, "".join(out)


@settings(max_examples=100, deadline=None)
@given(plain_lines, plain_lines, st.tuples(st.booleans(), st.booleans()), st.sampled_from(["\n", "\r\n"]))
def test_a_diff_applied_to_the_old_text_is_the_new_one(before: list[str], after: list[str], bare: tuple[bool, bool], end: str):
    old, new, patch = _patch(before, after, ends_bare=bare)
    if not patch or not new:
        return
    [file] = parsed(patch)
    assert file.is_new == (not old)
    text = Text(split_lines(old.replace("\n", end)), "utf-8")
    assert patched(text, file.hunks, "f").whole == new.replace("\n", text.line_end)


@pytest.mark.parametrize("signature", ["-- \n2.39.5\n\n", "--\n2.39.5", "-- \r\n2.39.5\r\n", "-- \nFrom 1234 Mon Sep 17 00:00:00 2001\n"])
def test_the_signature_of_a_mailed_patch_is_no_line_of_it(signature: str):
    patch = "Subject: [PATCH] x\n\n---\n f | 2 +-\n\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n one\n-two\n+TWO\n" + signature
    [file] = parsed(patch)
    assert patched(Text(("one\n", "two\n", "- \n"), "utf-8"), file.hunks, "f").whole == "one\nTWO\n- \n"


@pytest.mark.parametrize(
    "hunk",
    [
        "@@ -1,3 +1,2 @@\n one\n-two\n+TWO\n-- \n",
        "@@ -1,3 +1,2 @@\n one\n-- \n-two\n+TWO\n",
        "@@ -1,2 +1,2 @@\n one\n-two\n+TWO\n-- \n",
        "@@ -1,2 +1,2 @@\n one\n-two\n+TWO\n-- \n three\n",
        "@@ -1,2 +1,2 @@\n one\n-two\n+TWO\n-- \n@@ -4,1 +3,1 @@\n-three\n+THREE\n",
        "@@ -1,2 +1,2 @@\n one\n-two\n+TWO\n-- \ndiff --git a/g b/g\n",
    ],
)
def test_a_line_that_only_looks_like_a_signature_is_removed_however_badly_lines_are_counted(hunk: str):
    lines = ("one\n", "- \n", "two\n", "three\n") if "\n-- \n-two" in hunk else ("one\n", "two\n", "- \n", "three\n")
    [file] = parsed("--- a/f\n+++ b/f\n" + hunk)
    assert patched(Text(lines, "utf-8"), file.hunks, "f").whole.casefold() == "one\ntwo\nthree\n"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_what_is_shown_as_a_diff_is_one_that_git_takes(tmp_path: Path):
    before, after = "a\nb\nc\nd\n", "a\nB\nc\nd\ne\n"
    (tmp_path / "f").write_text(before)
    diff = unified(split_lines(before), split_lines(after), "f") + "\n"
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=diff.encode(), check=True, timeout=60)
    assert (tmp_path / "f").read_text() == after


def test_a_diff_hides_nothing():
    diff = unified(split_lines("a\n"), split_lines("a\u202e\x1b[0m\r\nb"), "f")
    assert diff.split("\n")[2:] == ["@@ -1 +1,2 @@", "-a", "+a<U+202E><U+001B>[0m<CRLF>", "+b<no line end>"]
    assert "\u200b" not in visible("\u200b\U000e0041")
