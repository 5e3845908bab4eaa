"""The vocabulary: byte-level BPE whose words never carry their leading space, except for a few very frequent ones.

Copying a name from a request into an argument is the small model's main work. If " Marek" and "Marek" were different pieces, it
would have to learn a translation for every name; so a space is a piece of its own, and a name is the same pieces wherever it stands.
Digits never merge. The pieces are trained with `tokenizers` and read by llama.cpp as pre-tokenizer `gpt-2`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import regex
from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Split
from tokenizers.trainers import BpeTrainer

CONTROL = ("<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>")
"""Never written by the person: `<|end|>` ends every message and is the model's stop token."""
VISIBLE = ("<tool_call>", "</tool_call>")
"""Written by the model and seen by the server's parser, so they are user-defined and not control tokens."""
SPACE = "Ġ"
_WORD = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")


def train(texts: Iterable[str], *, pieces: int, spaced_words: int) -> Tokenizer:
    """Learn a vocabulary.

    Args:
        texts: samples of everything that the model reads and writes.
        pieces: merges learned inside words.
        spaced_words: how many of the most frequent words get a piece with their leading space.
    """
    words: Counter[str] = Counter()
    for text in texts:
        words.update(_WORD.findall(text))
    alphabet = ByteLevel.alphabet()
    bare: Counter[str] = Counter()
    for word, n in words.items():
        bare[word.lstrip(" ")] += n
    learner = Tokenizer(BPE())
    learner.pre_tokenizer = ByteLevel(add_prefix_space=False)
    trainer = BpeTrainer(vocab_size=256 + pieces, initial_alphabet=sorted(alphabet), show_progress=False, min_frequency=20)
    # Only letters and punctuation may merge: digits are copied one by one, and a space stays alone.
    mergeable = [w for w, n in bare.items() for _ in range(min(n, 4000)) if w and not regex.search(r"[\p{N}\s]", w)]
    learner.train_from_iterator(mergeable, trainer)
    state = json.loads(learner.to_str())["model"]
    vocab: dict[str, int] = state["vocab"]
    merges: list[tuple[str, str]] = [(m[0], m[1]) for m in state["merges"]]
    frequent = [w for w, _ in words.most_common(4000) if w.startswith(" ") and regex.fullmatch(r" [\p{L}]+", w)]
    added = 0
    for word in frequent:
        piece = "".join(ByteLevel(add_prefix_space=False).pre_tokenize_str(word.strip())[0][0])
        if piece in vocab and SPACE + piece not in vocab and added < spaced_words:
            vocab[SPACE + piece] = len(vocab)
            merges.append((SPACE, piece))
            added += 1
    return build(vocab, merges)


def build(vocab: dict[str, int], merges: list[tuple[str, str]]) -> Tokenizer:
    """A tokenizer that splits exactly as llama.cpp does for `gpt-2`."""
    tokenizer = Tokenizer(BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = ByteLevelDecoder()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in CONTROL + VISIBLE])
    return tokenizer


def save(tokenizer: Tokenizer, path: Path) -> None:
    tokenizer.save(str(path))


def load(path: Path) -> Tokenizer:
    return Tokenizer.from_file(str(path))


__all__ = ["CONTROL", "VISIBLE", "Split", "build", "load", "save", "train"]
