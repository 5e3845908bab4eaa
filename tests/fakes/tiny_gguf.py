"""Write a GGUF of a few hundred kilobytes that a real llama.cpp server loads in milliseconds and that says what a test wants.

The model knows one thing: which piece of text follows which (attention and feed-forward are zero, so the next token
depends on the last one only). Every prompt ends where the reply begins, so it always says the same pieces in order and
then stops, or begins again when `is_endless`. That is enough for real streams, real tool calls and real stops.
"""

from __future__ import annotations

import itertools
import random
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.fakes.gguf_file import ALIGNMENT, flag_key, float_key, gguf, number_key, numbers_key, text_key, texts_key

GREETING: Final = ("Good", " morning", ", all", " is", " well.")
COUNTING: Final = (" one", " two", " three", " four", " five", " six", " seven", " eight", " nine", " ten")
TOOL_CALL: Final = (
    "<tool_call>",
    '\n{"name": "add_event", "arguments": ',
    '{"title": "tea with Ann", ',
    '"when": "tomorrow 3pm"}}\n',
    "</tool_call>",
)

# Hermes' form, which llama.cpp's template engine recognises.
CHAT_TEMPLATE: Final = """\
{%- if tools %}<|system|>Tools:
{%- for tool in tools %}
{{ tool.function | tojson }}
{%- endfor %}
Answer with <tool_call>
{"name": ..., "arguments": ...}
</tool_call><|end|>{% endif %}
{%- for message in messages -%}
<|{{ message.role }}|>{{ message.content or "" }}
{%- for call in message.tool_calls or [] -%}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor -%}
<|end|>
{%- endfor -%}
{%- if add_generation_prompt %}<|assistant|>{% endif -%}
"""

_CONTROL: Final = ("<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>")
_FILLING: Final = {"pre": "<|fim_prefix|>", "suf": "<|fim_suffix|>", "mid": "<|fim_middle|>"}
"""What stands around a text that has a gap, by the name that the format has for each."""
WIDTH: Final = 64
"""Numbers that stand for one token."""
_HIDDEN: Final = 64
_HEADS: Final = 2
_SHARPNESS: Final = 6.0
"""How far the right next token stands out: at the default temperature, nothing else is ever drawn."""

_NORMAL_TOKEN, _CONTROL_TOKEN, _USER_DEFINED_TOKEN = 1, 3, 4


def write_tiny_gguf(
    path: Path,
    *,
    says: Sequence[str] = GREETING,
    is_endless: bool = False,
    context: int = 4096,
    padding_mib: int = 0,
    window: int | None = None,
    fills_gaps: bool = False,
) -> Path:
    """Write a model that answers everything with `says` (its pieces must differ) and return `path`.

    Args:
        path: where to write.
        says: the reply, one piece per token.
        is_endless: begin again after the last piece instead of stopping.
        context: the trained context length that the file claims.
        padding_mib: extra weights that change nothing, for tests that need a load to take a while.
        window: tokens that most layers look back at; such a model repeats its prompt's last token instead of saying anything.
        fills_gaps: know the tokens around a gap in a text, so that `/infill` takes it.
    """
    pieces = [piece for piece in says if len(piece) > 1]
    if len(set(pieces)) != len(says):
        raise ValueError("pieces must be distinct and longer than one character")
    letters = _byte_letters()
    control = [*_CONTROL, *(_FILLING.values() if fills_gaps else ())]
    tokens = [*control, *letters, "he", "in", *pieces]
    kinds = [_CONTROL_TOKEN] * len(control) + [_NORMAL_TOKEN] * (len(letters) + 2) + [_USER_DEFINED_TOKEN] * len(pieces)
    # Of a window's architecture every fourth block looks back at everything.
    blocks = 4 if window else 1 + padding_mib * 1024 * 1024 // _BLOCK_BYTES
    tensors = _tensors(tokens, pieces, is_endless=is_endless, blocks=blocks)
    keys = _keys(tokens, kinds, context, blocks=blocks, window=window)
    if window:
        tensors = {name: tensor for name, tensor in tensors.items() if name != "output.weight" and "ffn_norm" not in name}
    path.write_bytes(gguf(keys, tensors))
    return path


_BLOCK_SHAPES: Final = {
    "attn_norm": (WIDTH,),
    "ffn_norm": (WIDTH,),
    "attn_q": (WIDTH, WIDTH),
    "attn_k": (WIDTH, WIDTH),
    "attn_v": (WIDTH, WIDTH),
    "attn_output": (WIDTH, WIDTH),
    "ffn_gate": (WIDTH, _HIDDEN),
    "ffn_up": (WIDTH, _HIDDEN),
    "ffn_down": (_HIDDEN, WIDTH),
}
_BLOCK_BYTES: Final = 4 * sum(shape[0] * (shape[1] if len(shape) > 1 else 1) for shape in _BLOCK_SHAPES.values())


def _byte_letters() -> list[str]:
    """The 256 letters by which byte-level BPE writes bytes (printable ones are themselves)."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    spare = iter(range(256, 512))
    return [chr(byte if byte in printable else next(spare)) for byte in range(256)]


def _tensors(tokens: list[str], pieces: list[str], *, is_endless: bool, blocks: int) -> dict[str, tuple[tuple[int, ...], array[float]]]:
    draw = random.Random(7)
    embedding = [[0.5] + [draw.gauss(0, 1) for _ in range(WIDTH - 1)] for _ in tokens]
    output = [[0.0] * WIDTH for _ in tokens]
    place = {token: index for index, token in enumerate(tokens)}
    chain = ["<|assistant|>", *pieces, pieces[0] if is_endless else "<|end|>"]
    for token, follower in zip(chain, chain[1:], strict=False):
        norm = sum(value * value for value in embedding[place[token]]) ** 0.5
        row = output[place[follower]]
        for column, value in enumerate(embedding[place[token]]):
            row[column] += _SHARPNESS * value / norm
    # The first column is the same for all tokens: after anything that is not of the chain, the reply begins.
    output[place[pieces[0]]][0] += _SHARPNESS * 4
    flat = {"token_embd": embedding, "output": output}
    tensors: dict[str, tuple[tuple[int, ...], array[float]]] = {
        f"{name}.weight": ((WIDTH, len(tokens)), array("f", itertools.chain.from_iterable(rows))) for name, rows in flat.items()
    }
    tensors["output_norm.weight"] = ((WIDTH,), array("f", [1.0] * WIDTH))
    for block in range(blocks):
        for name, shape in _BLOCK_SHAPES.items():
            size = shape[0] * (shape[1] if len(shape) > 1 else 1)
            fill = 1.0 if name.endswith("norm") else 0.0
            tensors[f"blk.{block}.{name}.weight"] = (shape, array("f", [fill]) * size)
    return tensors


def _keys(tokens: list[str], kinds: list[int], context: int, *, blocks: int, window: int | None) -> list[bytes]:
    kind = "cohere2" if window else "llama"
    numbers = {
        f"{kind}.context_length": context,
        f"{kind}.embedding_length": WIDTH,
        f"{kind}.block_count": blocks,
        f"{kind}.feed_forward_length": _HIDDEN,
        f"{kind}.attention.head_count": _HEADS,
        f"{kind}.attention.head_count_kv": _HEADS,
        f"{kind}.rope.dimension_count": WIDTH // _HEADS,
        f"{kind}.vocab_size": len(tokens),
        "tokenizer.ggml.bos_token_id": tokens.index("<|pad|>"),
        "tokenizer.ggml.padding_token_id": tokens.index("<|pad|>"),
        "tokenizer.ggml.eos_token_id": tokens.index("<|end|>"),
        "tokenizer.ggml.eot_token_id": tokens.index("<|end|>"),
        "general.alignment": ALIGNMENT,
        **({f"{kind}.attention.sliding_window": window} if window else {}),
        **{f"tokenizer.ggml.fim_{name}_token_id": tokens.index(token) for name, token in _FILLING.items() if token in tokens},
    }
    texts = {
        "general.architecture": kind,
        "general.name": "tiny",
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.chat_template": CHAT_TEMPLATE,
    }
    return [
        *(text_key(key, value) for key, value in texts.items()),
        *(number_key(key, value) for key, value in numbers.items()),
        float_key(f"{kind}.attention.layer_norm_{'' if window else 'rms_'}epsilon", 1e-5),
        *([float_key(f"{kind}.logit_scale", 1.0)] if window else []),
        flag_key("tokenizer.ggml.add_bos_token", value=False),
        texts_key("tokenizer.ggml.tokens", tokens),
        # llama.cpp refuses an empty list of merges.
        texts_key("tokenizer.ggml.merges", ["h e", "i n"]),
        numbers_key("tokenizer.ggml.token_type", kinds),
    ]
