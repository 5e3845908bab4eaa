"""Drafts that are there: which, and how one is thrown away here and among its account's own."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter

from mcp_servers.errors import Refusal, Stale
from mcp_servers.mail import shape
from mcp_servers.mailbox.draft_keeping import cleared, discard, taken_over
from mcp_servers.mailbox.message.letters import letter_text, no_draft_text
from mcp_servers.mailbox.message.mime import Parsed, parse
from mcp_servers.mailbox.store import MailStore
from mcp_servers.outside.quoting import clean_line, count_text
from mcp_servers.protocol.calls import Call, Handler, Outcome, Plan

_NUMBER = re.compile(r"(?:draft )?d?(\d{1,9})")
_LAST = re.compile(r"(?:my |the )?(?:last|latest|newest)(?: draft)?(?: mail)?")
MAX_LISTED = 100
"""The newest; a client chokes on more."""
DRAFT_CHANGED = "The draft has changed since. Look again."


class Drafts:
    """The tools for drafts."""

    def __init__(self, store: MailStore) -> None:
        self._store = store

    def handlers(self) -> dict[str, Handler]:
        return {"list_drafts": self.list_drafts, "discard_draft": self.discard_draft}

    def list_drafts(self, call: Call) -> Outcome:
        del call
        problems = taken_over(self._store)
        numbers = self._store.draft_numbers()
        older = max(0, len(numbers) - MAX_LISTED)
        read = {number: self._store.drafts.read(key) for number, key in list(numbers.items())[older:]}
        found = {number: parse(content) for number, content in read.items() if content is not None}
        lines = [f"d{number} {_said(draft)}" for number, draft in found.items()]
        fields = [{"id": f"d{number}", "to": _people(draft), "subject": draft.subject} for number, draft in found.items()]
        left_out = [f"Not told one by one: {count_text(older, 'older draft')}. Discard some, or look into Drafts."] if older else []
        text = "\n".join([shape.found_text(lines, "draft", left=0, cursor=""), *left_out, *problems])
        removed = dict(sum((Counter(draft.removed) for draft in found.values()), Counter[str]()))
        return Outcome(text, {"drafts": fields, "problems": list(problems), "left_out": left_out, "removed": removed, "untrusted": True})

    def discard_draft(self, call: Call) -> Plan:
        number, key = self._find(call.text("draft"))
        content = self._store.drafts.read(key)
        if content is None:
            raise Refusal(no_draft_text(f"d{number}"))
        draft = parse(content)
        version = _version(draft)
        if call.host_text("version") not in {"", version}:
            raise Stale(DRAFT_CHANGED)
        said = f"d{number} {_said(draft)}"

        def execute() -> Outcome:
            problem = discard(self._store, key)
            # An account that gives no answer to this draft is not asked about others.
            problems = [problem] if problem else list(cleared(self._store))
            fields = {"draft": f"d{number}", "problems": problems, "untrusted": True}
            return Outcome("\n".join([f"Discarded draft {said}", *problems]), fields)

        return Plan({"draft": f"d{number}"}, f"Discard draft {said}", (("Draft", said),), execute, host={"version": version})

    def _find(self, said: str) -> tuple[int, str]:
        keys = self._store.draft_numbers()
        text = said.strip().lower()
        match = _NUMBER.fullmatch(text)
        number = int(match[1]) if match else max(keys, default=0) if _LAST.fullmatch(text) else 0
        if number not in keys:
            raise Refusal(no_draft_text(clean_line(said).replace('"', "")))
        return number, keys[number]


def _people(draft: Parsed) -> list[str]:
    return list(dict.fromkeys(person.address for person in (*draft.to, *draft.cc, *draft.bcc)))


def _said(draft: Parsed) -> str:
    return letter_text(tuple(_people(draft)), draft.subject, draft.text)


def _version(draft: Parsed) -> str:
    """Of what a person reads in it; what an account writes into its head is no reason to ask again."""
    shown = json.dumps([_people(draft), draft.subject, draft.text, draft.attachments])
    return hashlib.sha256(shown.encode()).hexdigest()[:16]
