"""Writes the trained weights, the vocabulary and the chat template as one GGUF file that llama.cpp loads."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer

from nano.model import Nano
from nano.tokens import CONTROL, VISIBLE

TEMPLATE = Path(__file__).with_name("template.jinja")
_PER_BLOCK = {
    "attn_norm.weight": "attn_norm.weight",
    "ffn_norm.weight": "ffn_norm.weight",
    "q.weight": "attn_q.weight",
    "k.weight": "attn_k.weight",
    "v.weight": "attn_v.weight",
    "o.weight": "attn_output.weight",
    "gate.weight": "ffn_gate.weight",
    "up.weight": "ffn_up.weight",
    "down.weight": "ffn_down.weight",
}


def gguf_name(name: str) -> str:
    """What llama.cpp calls the weight that the model here calls `name`."""
    if name == "embed.weight":
        return "token_embd.weight"
    if name == "norm.weight":
        return "output_norm.weight"
    _, index, rest = name.split(".", 2)
    return f"blk.{index}.{_PER_BLOCK[rest]}"


def _add_vocabulary(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    model = json.loads(tokenizer.to_str())["model"]
    size = tokenizer.get_vocab_size(with_added_tokens=True)
    tokens = [tokenizer.id_to_token(i) for i in range(size)]
    kinds = [
        gguf.TokenType.CONTROL if t in CONTROL else gguf.TokenType.USER_DEFINED if t in VISIBLE else gguf.TokenType.NORMAL for t in tokens
    ]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(m) for m in model["merges"]])
    writer.add_bos_token_id(tokenizer.token_to_id("<|pad|>"))
    writer.add_eos_token_id(tokenizer.token_to_id("<|end|>"))
    writer.add_eot_token_id(tokenizer.token_to_id("<|end|>"))
    writer.add_pad_token_id(tokenizer.token_to_id("<|pad|>"))
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE.read_text(encoding="utf-8"))


def export(model: Nano, tokenizer: Tokenizer, path: Path, *, quantize: bool = True) -> None:
    """Write `path`.

    Args:
        model: the weights.
        tokenizer: its vocabulary.
        path: the file; replaced when it exists.
        quantize: matrices as Q8_0 (8.5 bits a weight); otherwise F16.
    """
    shape = model.shape
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("variet-nano")
    writer.add_license("apache-2.0")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.norm_eps)
    writer.add_vocab_size(shape.vocab)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0 if quantize else gguf.LlamaFileType.MOSTLY_F16)
    _add_vocabulary(writer, tokenizer)
    for name, value in model.state_dict().items():
        data = value.detach().to(torch.float32).numpy()
        if data.ndim == 1:
            writer.add_tensor(gguf_name(name), data)
        elif quantize:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(gguf_name(name), gguf.quants.quantize(data, kind), raw_dtype=kind)
        else:
            writer.add_tensor(gguf_name(name), data.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
