"""Scripts that write no spaces between words: their letters put apart, so that words can be looked for where none is seen to begin."""

from __future__ import annotations

import re

UNSPACED = (
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3021-\u3029\u3031-\u3035\u303b\u303c\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    r"\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
"""A sign of one, as an expression: Thai, Lao, Burmese, Khmer, Japanese, Chinese."""
IDEOGRAPH, LETTER = 0.5, 0.25
"""How much of a word of other scripts such a sign says, about: a word of Chinese has two signs, one of Thai or in kana four."""

_LETTER = re.compile(rf"{UNSPACED}(?<![\d_\W])")
"""Their digits stay together, since a number is a word everywhere. Their vowel marks are no letters. Looked at behind the sign, which most
texts have none of: before each one it took fifty times as long."""
_IDEOGRAPH = re.compile(r"[\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def parted(text: str, gap: str = " ") -> str:
    """A text with each letter of such a script between spaces (or other gaps) of its own; everything else stays as it is."""
    return _LETTER.sub(rf"{gap}\g<0>{gap}", text)


def weight_of(piece: str) -> float:
    """How much of a word one piece of such a text is: a whole one, unless it is one letter of such a script."""
    if len(piece) != 1 or piece.isascii() or not _LETTER.match(piece):
        return 1
    return IDEOGRAPH if _IDEOGRAPH.match(piece) else LETTER
