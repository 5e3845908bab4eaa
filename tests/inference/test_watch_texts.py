"""What `variet engine activity` shows of requests that ended today, and of those of past days."""

from __future__ import annotations

import time
from datetime import datetime

from inference.commands.watch import activity_text
from inference.contract import ActivityAnswer, ActivityRecord

RECORD = ActivityRecord(
    id=1, at=0.0, request="r", key="laptop", model="small", asked_as="fast", queued_s=0.0, swap_s=0.0, first_token_s=0.3, prompt_tokens=12,
    cached_tokens=0, completion_tokens=3, tokens_per_s=4.0, outcome="ok", code=None, status=200, bytes=9, total_s=1.0,
)  # fmt: skip


def test_a_request_of_a_past_day_shows_its_date_and_the_columns_stay_columns() -> None:
    now = time.time()
    past, today = now - 3 * 86_400, now
    head, first, second = activity_text(
        ActivityAnswer(enabled=True, requests=(RECORD.model_copy(update={"at": today}), RECORD.model_copy(update={"at": past})))
    ).splitlines()
    assert first.startswith(datetime.fromtimestamp(past).astimezone().strftime("%Y-%m-%d %H:%M:%S  small"))
    assert second.startswith(datetime.fromtimestamp(today).astimezone().strftime("%H:%M:%S "))
    assert {line.index("small" if "small" in line else "model") for line in (head, first, second)} == {21}


def test_where_all_ended_today_the_time_is_enough() -> None:
    (_, line) = activity_text(ActivityAnswer(enabled=True, requests=(RECORD.model_copy(update={"at": time.time()}),))).splitlines()
    assert line.index("small") == 10
