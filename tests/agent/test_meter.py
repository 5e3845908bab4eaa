"""What passes through is counted from its own last words, and nothing of it is changed unless the counts were asked for by us."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.routes.places.meter import Meter

WORD = b'data: {"choices":[{"delta":{"content":"h\xc3\xa9"}}]}\n\n'
COUNTS = b'data: {"choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":500}}\n\n'
DONE = b"data: [DONE]\n\n"


def metered(data: bytes, cuts: list[int], *, hides: bool) -> tuple[bytes, Meter]:
    meter = Meter(itertools.count(1.0).__next__)
    meter.hides_counts = hides
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    passed = b"".join(meter.take(data[start:end]) for start, end in itertools.pairwise(places))
    return passed + meter.end(), meter


@given(st.lists(st.integers(0, 1000), max_size=8), st.booleans(), st.sampled_from([b"\n", b"\r\n"]))
def test_only_the_counts_that_we_asked_for_are_kept_back_however_the_stream_is_cut(cuts: list[int], hides: bool, line: bytes) -> None:
    frames = [frame.replace(b"\n", line) for frame in (WORD, WORD, COUNTS, DONE)]
    passed, meter = metered(b"".join(frames), cuts, hides=hides)
    assert passed == b"".join(frame for frame in frames if not (hides and b"usage" in frame))
    assert meter.tokens() == (1000, 500)


@pytest.mark.parametrize(
    ("data", "tokens"),
    [
        (b'{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}', (7, 3)),
        (b'{"choices":[],"usage":{"prompt_tokens":10120,"completion_tokens":1499,"total_tokens":14428}}', (10120, 4308)),
        (b'{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":3,"total_tokens":10}}', (0, 3)),
        (b'{"choices":[],"timings":{"prompt_n":4,"cache_n":10,"predicted_n":6,"predicted_ms":1.5}}', (14, 6)),
        (b'{"usage":{"prompt_tokens":1,"completion_tokens":2},"choices":[],"usage":null}', (1, 2)),
        (b'{"choices":[{"message":{"content":"\\"usage\\": {"}}]}', None),
        (
            b'{"type":"message","content":[{"type":"text","text":"hi"}],"usage":'
            b'{"cache_read_input_tokens":1000,"input_tokens":200,"output_tokens":34}}',
            (1200, 34),
        ),
        (b'data: {"type":"response.completed","response":{"usage":{"input_tokens":1200,"output_tokens":34}}}\n\n', (1200, 34)),
        (b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":34}}\n\n', (0, 34)),
        (b'{"usage":{"prompt_tokens":"many"}}', None),
        (b'{"usage":{"prompt', None),
        (b"\xff\x00", None),
        (b"", None),
    ],
)
def test_the_tokens_are_those_that_the_answer_names_last(data: bytes, tokens: tuple[int, int] | None) -> None:
    passed, meter = metered(data, [], hides=False)
    assert (passed, meter.tokens()) == (data, tokens)


def test_a_long_answer_leaves_only_its_end_behind() -> None:
    data = WORD * 10_000 + COUNTS + DONE
    passed, meter = metered(data, list(range(0, 100_000, 977)), hides=False)
    assert passed == data
    assert meter.tokens() == (1000, 500)
    assert meter.elapsed_s > meter.first_s > 0


@pytest.mark.parametrize("words", [0, 10_000], ids=["short", "long"])
def test_what_anthropics_protocol_counts_at_the_beginning_of_a_stream_is_not_lost_in_its_length(words: int) -> None:
    usage = b'"usage":{"cache_read_input_tokens":1000,"input_tokens":200,"output_tokens":0}'
    first = b'event: message_start\ndata: {"type":"message_start","message":{' + usage + b"}}\n\n"
    word = b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"h"}}\n\n'
    last = b'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":34}}\n\n'
    data = first + word * words + last + b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    passed, meter = metered(data, list(range(0, len(data), 977)), hides=False)
    assert (passed, meter.tokens()) == (data, (1200, 34))
