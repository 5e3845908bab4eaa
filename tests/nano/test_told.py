"""What counts as told, and the list of lines that are learned, which is kept beside the checkpoint."""

from __future__ import annotations

from pathlib import Path

from nano import learned, told


def test_a_result_that_is_told_line_by_line_is_told_whole_and_nothing_of_it_may_be_left_out():
    for week in range(1, 6):
        for question in told.questions(week):
            whole = question.result.replace("\n", "; ")
            assert question.holds
            assert told.untold(question, whole) == []
            assert question.holds[0] in told.untold(question, whole.replace(question.holds[0], ""))


def test_what_is_found_twice_is_told_twice():
    question = told.Question("mails", "", "search_mail", {}, "", ("Ada", "Ada"))
    assert told.untold(question, "From Ada.") == ["Ada"]
    assert told.untold(question, "From Ada and from ada.") == []


def test_the_list_of_learned_lines_is_kept_and_empty_before(tmp_path: Path):
    assert learned.read(tmp_path) == set()
    learned.write({"b {title=x}", "a ünd"}, tmp_path)
    assert learned.read(tmp_path) == {"a ünd", "b {title=x}"}
