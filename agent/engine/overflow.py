"""Whether a server's refusal says that the request was too long, in the words of each kind of server, and what it says of the sizes.

Pure. Only llama-server and OpenAI say it in a field; the others say it in a sentence that every one of them words otherwise. A limit on
tokens in a minute or a day is none of these: a shorter request would not help there.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from config.vocabulary import is_table

LLAMA_TYPE, OPENAI_CODE = "exceed_context_size_error", "context_length_exceeded"
MOST_CHARS = 4000
"""Of a sentence that is looked at: some servers quote the request."""
MOST_TOKENS = 1_000_000_000
"""What a server names beyond this is no size: nothing is reckoned with it."""
_FORMS = tuple(
    re.compile(form, re.IGNORECASE | re.DOTALL)
    for form in (
        # llama-server before it had fields.
        r"request \((?P<tokens>\d+) tokens\) exceeds the available context size(?: \((?P<n_ctx>\d+) tokens\))?",
        r"exceeds? the available context size",
        # vLLM, OpenAI, DeepSeek, SGLang, OpenRouter.
        r"maximum context length (?:is|of) (?P<n_ctx>\d+)[^.]*\.?\s*however,? (?:you requested|your (?:messages|prompt|input)[\w ]*?"
        r"|your request has|the messages[\w ]*?) (?:about |at least )?(?P<tokens>\d+)",
        r"maximum context length (?:is|of) (?P<n_ctx>\d+) tokens and your request has (?P<tokens>\d+)",
        r"maximum context length of (?P<n_ctx>\d+) tokens\. you requested a total of (?P<tokens>\d+)",
        r"input \((?P<tokens>\d+) tokens\) is longer than the model's context length \((?P<n_ctx>\d+)",
        r"prompt \(length (?P<tokens>\d+)\) is longer than the maximum model length of (?P<n_ctx>\d+)",
        # LM Studio.
        r"keep the first (?P<tokens>\d+) tokens when .{0,40}overflows.{0,80}context length of only (?P<n_ctx>\d+)",
        r"greater than the context length",
        # llama-cpp-python, TabbyAPI, Ollama, TGI.
        r"requested tokens \((?P<tokens>\d+)\) exceed context window of (?P<n_ctx>\d+)",
        r"prompt length (?P<tokens>\d+) is greater than max_seq_len (?P<n_ctx>\d+)",
        r"(?:input|prompt)(?: length| is too long)?,? (?:that )?exceeds? (?:the |maximum )?(?:maximum )?context (?:length|window)",
        r"`inputs`.{0,60}must be <= (?P<n_ctx>\d+)\. given: (?P<tokens>\d+) `inputs`",
        # Anthropic, Google, Zhipu, Mistral, and what else stands behind OpenAI's protocol.
        r"prompt is too long(?:: (?P<tokens>\d+) tokens > (?P<n_ctx>\d+))?",
        r"input token count \((?P<tokens>\d+)\) exceeds the maximum number of tokens allowed \((?P<n_ctx>\d+)",
        r"prompt exceeds max(?:imum)? length",
        r"contains (?P<tokens>\d+) tokens.{0,80}too large for model with (?P<n_ctx>\d+)",
        r"exceeds the context window of this model",
        r"maximum context length",
        r"context[_ ]length[_ ]exceeded",
    )
)
_ANSWER = re.compile(r"(\d+) (?:tokens )?(?:in|for) the (?:completion|output)", re.IGNORECASE)
"""The part of a total that is the answer's."""
_OF_TIME = re.compile(r"per (?:minute|hour|day)|rate limit|quota", re.IGNORECASE)


class Overflow(NamedTuple):
    """What a server says of a request that is too long; 0 where it does not."""

    prompt_tokens: int = 0
    n_ctx: int = 0


def overflow_in(error: object) -> Overflow | None:
    """What a refusal says of a request's length; None where it is about something else.

    1. llama-server's fields.
    2. OpenAI's code, or a sentence that says it; with the sizes where they stand in it.

    Args:
        error: the `error` of an answer, or all of it; a table or a sentence.
    """
    said: dict[str, Any] = error if is_table(error) else {"message": error}
    if said.get("type") == LLAMA_TYPE:  # 1
        return Overflow(_size(said.get("n_prompt_tokens")), _size(said.get("n_ctx")))
    message = said.get("message")
    found = _in_words(message[:MOST_CHARS]) if isinstance(message, str) else None  # 2
    return found or (Overflow() if OPENAI_CODE in (said.get("code"), said.get("type")) else None)


def _size(said: object) -> int:
    return said if isinstance(said, int) and 0 < said <= MOST_TOKENS else 0


def _in_words(message: str) -> Overflow | None:
    if _OF_TIME.search(message):
        return None
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", message)
    for form in _FORMS:
        if found := form.search(plain):
            sizes = {name: _size(int(value)) for name, value in found.groupdict().items() if value}
            tokens, n_ctx, answer = sizes.get("tokens", 0), sizes.get("n_ctx", 0), _ANSWER.search(plain)
            prompt = tokens - _size(int(answer[1])) if answer else tokens
            # Where the prompt alone would fit, the total says nothing of it.
            return Overflow(prompt if 0 < prompt < n_ctx else tokens, n_ctx)
    return None
