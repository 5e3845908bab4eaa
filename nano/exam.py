"""How many requests of writers whom training never sees are answered right at first? `python -m nano.exam [--model FILE] [--wrong]`.

`exam/BANK.txt` has lines like those of `phrases/whole_BANK.txt`; none of them is trained on (a test compares them). What comes before a
request that goes on, and what the right act is, comes from the intent that the bank belongs to. So two files, or two ways to train, can
be compared without the judged set.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from agent.view.prompt import SYSTEM_PROMPT
from nano import generate, results
from nano.dialogue import Dialogue
from nano.evaluate import acts_of, asked
from nano.grammar import Piece, expand, lines_of, parsed
from nano.intents import Intent, calendar, follow, mail, pairs, steps, talk
from nano.judge import engine

EXAM = Path(__file__).with_name("exam")
INTENTS: dict[str, Intent] = {
    "create": calendar.create,
    "update": calendar.update,
    "delete": calendar.delete,
    "list": calendar.list_events,
    "find_event": calendar.find_event,
    "free": calendar.free,
    "ask_create_when": calendar.ask_create_when,
    "ask_create_title": calendar.ask_create_title,
    "ask_update_new": calendar.ask_update_new,
    "draft_mail": mail.draft_mail,
    "send_mail": mail.send_mail,
    "draft_reply": mail.draft_reply,
    "read_mail": mail.read_mail,
    "search_mail_sender": mail.search_sender,
    "search_mail_topic": mail.search_topic,
    "search_mail_unread": mail.search_unread,
    "search_mail_latest": mail.search_latest,
    "ask_mail_body": mail.ask_mail_body,
    "ask_mail_to": mail.ask_mail_to,
    "web_search": talk.web_search,
    "web_question": talk.web_question,
    "cannot": talk.cannot,
    "follow_move": follow.then_move,
    "follow_delete": follow.then_delete,
    "follow_period": follow.then_period,
    "follow_read": follow.then_read,
    "follow_reply": follow.then_reply,
    "follow_send": follow.then_send,
    "mail_then_reply": steps.mail_then_reply,
    "free_then_create": steps.free_then_create,
    "search_then_create": steps.search_then_create,
    "draft_then_send": steps.draft_then_send,
    "read_then_create": steps.read_then_create,
    "create_and_mail": pairs.create_and_mail,
}
"""What a line of each bank asks for."""
_SEEDS = 200
"""Conversations tried until one comes to a line that goes on; some end before."""


@dataclass
class Examined(Dialogue):
    """A conversation in which a line of one bank is typed as it is written."""

    bank: str = ""
    line: str = ""
    asks_at: int | None = None
    """The message that is the line."""

    def picked(self, name: str) -> tuple[str, bool]:
        if name != self.bank:
            return super().picked(name)
        self.asks_at = len(self.messages)
        return self.line, True

    def typed(self, name: str, given: dict[str, str] | None = None, *, polite: bool = True) -> dict[str, str]:
        if name != self.bank:
            return super().typed(name, given, polite=polite)
        pieces = expand(parsed(self.picked(name)[0]), self.rng)
        self.wording = "".join(p.text for p in pieces if p.slot is None)
        return self.types(pieces)

    def types(self, pieces: list[Piece], *, polite: bool = True, as_written: bool = False) -> dict[str, str]:
        is_line = self.asks_at == len(self.messages)
        return super().types(pieces, polite=polite and not is_line, as_written=as_written or is_line)


@dataclass(frozen=True)
class Case:
    """A line, what was said before it and with it, and the message that answers it right."""

    bank: str
    line: str
    messages: list[dict[str, Any]]
    answer: dict[str, Any]


def cases() -> Iterator[Case]:
    """All lines of the exam.

    Raises:
        ValueError: no conversation came to a line.
    """
    for file in sorted(EXAM.glob("*.txt")):
        for line in lines_of(file):
            yield _case(file.stem, line)


def _case(bank: str, line: str) -> Case:
    names = [t["name"] for t in generate.core_tools()]
    for seed in range(_SEEDS):
        rng = random.Random(f"{seed} {line}")
        d = Examined(rng, names, results.some_now(rng), bank=bank, line=line)
        INTENTS[bank](d)
        if d.asks_at is not None:
            return Case(bank, line, d.messages[: d.asks_at + 1], d.messages[d.asks_at + 1])
    raise ValueError(f"no conversation comes to this line of {bank}: {line}")


def is_right(got: dict[str, Any], want: dict[str, Any]) -> tuple[bool, bool]:
    """Whether the act is right, and whether all of it is; letters may be small or capital."""
    mine, theirs = acts_of(got), acts_of(want)
    if not theirs:
        said = (got.get("content") or "").strip().casefold()
        return not mine, not mine and said == want["content"].strip().casefold()
    has_act = [name for name, _ in mine] == [name for name, _ in theirs]
    return has_act, has_act and all(a.casefold() == b.casefold() for (_, a), (_, b) in zip(mine, theirs, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a GGUF file (default: the shipped one)")
    parser.add_argument("--wrong", action="store_true", help="show what is answered wrong")
    parser.add_argument("--out", type=Path, help="write the shares as JSON")
    args = parser.parse_args()
    tools = generate.served_tools()
    marks: dict[str, list[tuple[bool, bool]]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="variet-exam-") as folder,
        engine(args.model, Path(folder)) as url,
        httpx2.Client(base_url=url, trust_env=False) as client,
    ):
        for case in cases():
            got = asked(client, [{"role": "system", "content": SYSTEM_PROMPT}, *case.messages], tools)
            marks.setdefault(case.bank, []).append(mark := is_right(got, case.answer))
            if args.wrong and not all(mark):
                want, said = (acts_of(m) or m.get("content") for m in (case.answer, got))
                sys.stdout.write(json.dumps({"bank": case.bank, "line": case.line, "want": want, "got": said}, ensure_ascii=False) + "\n")
    every = [mark for each in marks.values() for mark in each]
    report = {"requests": len(every), **_shares(every), "by_bank": {bank: {"requests": len(m), **_shares(m)} for bank, m in marks.items()}}
    sys.stdout.write(json.dumps(report) + "\n")
    if args.out:
        args.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _shares(marks: list[tuple[bool, bool]]) -> dict[str, float]:
    act, whole = (round(sum(each) / len(marks), 4) for each in zip(*marks, strict=True))
    return {"act": act, "whole": whole}


if __name__ == "__main__":
    main()
