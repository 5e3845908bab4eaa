"""What passes through a stream, and the contract that clients import."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.activity.finished import counted
from inference.contract import ErrorDetail, SwitchRequest, error_frame
from inference.upstream.tap import Tap
from inference.warmth import trail

FRAMES = [
    b'data: {"a": 1}\n\n',
    b": ping\n\n",
    b'data: {"usage": {"total_tokens": 3}, "timings": {"prompt_n": 1}}\n\n',
    b"data: [DONE]\n\n",
]


@given(st.lists(st.integers(0, sum(map(len, FRAMES))), max_size=8))
def test_however_a_stream_is_cut_up_only_whole_frames_pass_and_all_of_them(cuts: list[int]) -> None:
    whole = b"".join(FRAMES)
    bounds = [0, *sorted(cuts), len(whole)]
    tap = Tap(is_stream=True)
    passed = [tap.take(whole[begin:end]) for begin, end in zip(bounds, bounds[1:], strict=False)]
    assert b"".join(passed) + tap.rest() == whole
    assert all(not part or part.endswith(b"\n\n") for part in passed)
    assert tap.measured() == ({"total_tokens": 3}, {"prompt_n": 1})


def test_a_stream_with_carriage_returns_passes_frame_by_frame() -> None:
    tap = Tap(is_stream=True)
    assert tap.take(b"data: 1\r\n\r\ndata: 2\r\n") == b"data: 1\r\n\r\n"
    assert tap.take(b"\r\n") == b"data: 2\r\n\r\n"


def test_a_frame_without_end_passes_in_pieces() -> None:
    tap = Tap(is_stream=True)
    assert tap.take(b"x" * (2**20 + 1)) == b"x" * (2**20 + 1)


def test_other_bodies_pass_as_they_come() -> None:
    tap = Tap(is_stream=False)
    assert tap.take(b'{"usage": {"total_') == b'{"usage": {"total_'
    tap.take(b'tokens": 3}}')
    assert tap.measured().usage == {"total_tokens": 3}


@pytest.mark.parametrize("size", [1, 50, 10_000])
def test_a_stream_that_counts_its_prompt_in_its_first_frame_is_measured_whole(size: int) -> None:
    started = {"type": "message_start", "message": {"usage": {"cache_read_input_tokens": 90, "input_tokens": 10, "output_tokens": 0}}}
    ended = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}
    events = [started, *({"type": "content_block_delta", "index": 0}, {"type": "content_block_stop"}) * 10, ended, {"type": "message_stop"}]
    whole = b":\n\n" + b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)
    tap = Tap(is_stream=True)
    passed = [tap.take(whole[at : at + size]) for at in range(0, len(whole), size)]
    assert any(part and tap.begins(part) for part in passed)
    broken_off = Tap(is_stream=True)
    assert broken_off.begins(broken_off.take(f"data: {json.dumps(started)}\n\n".encode()))
    for _ in range(4):
        broken_off.take(FRAMES[0])
    assert counted(*broken_off.measured()) == (100, 90, None, None)
    assert counted(*tap.measured()) == (100, 90, 7, None)
    assert trail.counted(*tap.measured()) == (100, 90)


def test_signs_of_life_are_no_beginning_of_an_answer_and_what_comes_with_one_is() -> None:
    tap = Tap(is_stream=True)
    progress = b'data: {"choices": [], "prompt_progress": {"total": 9}}\n\n'
    for sign in (b":\n\n", b": ping\r\n\r\n", progress, b":\n\n" + progress + b":\n\n"):
        assert not tap.begins(sign)
    for said in (FRAMES[0], b":\n\n" + FRAMES[0], progress + FRAMES[0]):
        assert tap.begins(said)
    assert Tap(is_stream=False).begins(b":\n\n")


@pytest.mark.parametrize(
    ("path", "begin"),
    [("/v1/chat/completions", b'data: {"error"'), ("/v1/messages", b"event: error\ndata: {"), ("/v1/responses", b"event: error\ndata: {")],
)
def test_an_error_frame_has_the_form_of_its_protocol(path: str, begin: bytes) -> None:
    frame = error_frame(ErrorDetail(message="no", type="server_error", code="upstream_died"), path)
    assert frame.startswith(begin)
    assert frame.endswith(b"\n\n")
    payload = json.loads(frame.partition(b"data: ")[2])
    assert payload["error"]["message"] == "no"


def test_a_switch_names_exactly_one_thing() -> None:
    for wrong in ({}, {"tier": "a", "model": "b"}, {"tier": "a", "other": 1}):
        with pytest.raises(ValueError, match=r"tier|other"):
            SwitchRequest.model_validate(wrong)


def test_the_contract_needs_pydantic_and_nothing_else() -> None:
    seen = "import sys, inference.contract; print(sorted({name.split('.')[0] for name in sys.modules}))"
    found = subprocess.run([sys.executable, "-c", seen], check=True, capture_output=True, text=True, timeout=30).stdout
    for forbidden in ("anyio", "httpx2", "fastapi", "uvicorn", "config", "starlette", "click"):
        assert f"'{forbidden}'" not in found
