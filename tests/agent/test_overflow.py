"""A refusal for length is known in the words of each kind of server, with its sizes; no other refusal is taken for one."""

from __future__ import annotations

from typing import Any

import pytest

from agent.engine.overflow import Overflow, overflow_in

VLLM = "This model's maximum context length is 8192 tokens. However, "


@pytest.mark.parametrize(
    ("error", "sizes"),
    [
        ({"type": "exceed_context_size_error", "message": "too long", "n_prompt_tokens": 9000, "n_ctx": 8192}, (9000, 8192)),
        ("the request exceeds the available context size. try increasing the context size", (0, 0)),
        ("request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it", (9000, 8192)),
        (f"{VLLM}you requested 9000 tokens (8500 in the messages, 500 in the completion). Please reduce the length.", (9000, 8192)),
        (f"{VLLM}your request has 9000 input tokens. Please reduce the length of the input messages.", (9000, 8192)),
        (f"{VLLM}your request has 9000 input tokens plus 2045 'max_tokens'. Please reduce one or the other.", (9000, 8192)),
        (
            "'max_tokens' or 'max_completion_tokens' is too large: 500. This model's maximum context length is 8192 tokens and your"
            " request has 9000 input tokens (500 > 8192 - 9000).",
            (9000, 8192),
        ),
        ("The decoder prompt (length 9000) is longer than the maximum model length of 8192. Make sure that", (9000, 8192)),
        ({"code": "context_length_exceeded", "message": f"{VLLM}your messages resulted in 9,000 tokens."}, (9000, 8192)),
        ({"code": "context_length_exceeded", "message": "Please reduce the length."}, (0, 0)),
        ("The input (9000 tokens) is longer than the model's context length (8192 tokens).", (9000, 8192)),
        (
            "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total of 9000 tokens: ",
            (9000, 8192),
        ),
        (
            "Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context length of only"
            " 8192 tokens, which is not enough.",
            (9000, 8192),
        ),
        ("The number of tokens to keep from the initial prompt is greater than the context length.", (0, 0)),
        ("Requested tokens (9000) exceed context window of 8192", (9000, 8192)),
        ("Prompt length 9000 is greater than max_seq_len 8192", (9000, 8192)),
        ("the input length exceeds the context length", (0, 0)),
        ("`inputs` tokens + `max_new_tokens` must be <= 8192. Given: 9000 `inputs` tokens and 100 `max_new_tokens`", (9000, 8192)),
        ({"type": "invalid_request_error", "message": "prompt is too long: 9000 tokens > 8192 maximum"}, (9000, 8192)),
        ("The input token count (9000) exceeds the maximum number of tokens allowed (8192).", (9000, 8192)),
        ({"code": "1261", "message": "Prompt exceeds max length"}, (0, 0)),
        ("Prompt contains 9000 tokens and 0 draft tokens, too large for model with 8192 maximum context length", (9000, 8192)),
        ("Your input exceeds the context window of this model.", (0, 0)),
    ],
)
def test_each_servers_words_for_too_long_are_known(error: Any, sizes: tuple[int, int]):
    assert overflow_in(error) == Overflow(*sizes)


@pytest.mark.parametrize(
    "told",
    [
        f"{VLLM}you requested 9048 tokens (7000 in the messages, 2048 in the completion). Please reduce the length.",
        f"{VLLM}you requested about 9048 tokens (6900 of text input, 100 of tool input, 2048 in the output). Please reduce it.",
        "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total of 9048 tokens: 7000 tokens"
        " from the input messages and 2048 tokens for the completion.",
    ],
)
def test_where_the_answer_alone_is_too_much_the_prompt_is_told(told: str):
    assert overflow_in(told) == Overflow(7000, 8192)


@pytest.mark.parametrize(
    "error",
    [
        {"type": "exceed_context_size_error", "n_prompt_tokens": 10**400, "n_ctx": -1},
        {"type": "exceed_context_size_error", "n_prompt_tokens": "many"},
        f"{VLLM.replace('8192', '9' * 400)}you requested {'9' * 400} tokens.",
    ],
)
def test_what_can_be_no_size_is_none_and_nothing_is_reckoned_with_it(error: Any):
    assert overflow_in(error) == Overflow()


@pytest.mark.parametrize(
    "error",
    [
        None,
        {},
        {"message": None, "code": 400},
        "Rate limit reached: 30000 tokens per minute, prompt is too long for the rest of it",
        "You exceeded your current quota",
        "The model does not exist",
        {"type": "server_error", "message": "CUDA out of memory"},
        "Failed to parse tool call arguments as JSON",
        "max_tokens must be at least 1",
    ],
)
def test_another_refusal_is_not_taken_for_one(error: Any):
    assert overflow_in(error) is None
